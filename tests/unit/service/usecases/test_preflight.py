"""What the DNS tells of a from domain, followed through includes, within bounds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.failures.failure import Stage
from domain.failures.trace import Trace, TraceStep
from domain.host import Host
from domain.reasons import Reason
from domain.sender_policy import DmarcPolicy, SenderPosture, SendingServer, SpfCoverage
from domain.settings.model import MailSettings
from service.usecases.preflight import Outlook, Preflight
from service.usecases.sender_posture import ReadPosture
from tests.builders import NOW, a_graph_transport, an_address, an_smtp_transport, some_settings
from tests.fakes.environment import FakeClock
from tests.fakes.sender_dns import FakeSenderRecords, Zone

SECOND = timedelta(seconds=1)
KNOWN: Zone = {("corp.de", "NS"): ["ns.corp.de"]}
DMARC: Zone = {("_dmarc.corp.de", "TXT"): ["v=DMARC1; p=none"]}
PLAIN = Trace(
    start_time=NOW,
    steps=(
        TraceStep(Stage.CONNECT, succeeded=False, duration=SECOND, peer="[2001:db8::1]:587"),
        TraceStep(Stage.CONNECT, succeeded=True, duration=SECOND, peer="192.0.2.7:587"),
    ),
)


def spf(text: str, **more: list[str]) -> FakeSenderRecords:
    """Records of corp.de; *more* are texts of other names, in which __ stands for a dot."""
    others = {(name.replace("__", "."), "TXT"): texts for name, texts in more.items()}
    return FakeSenderRecords({("corp.de", "TXT"): [text], **DMARC, **others})


def settings_of(host: str = "smtp.hoster.de", sender: str = "robot@corp.de") -> MailSettings:
    return some_settings(
        from_address=an_address(sender), authentication=None, transport=an_smtp_transport(host=Host(host))
    )


async def coverage(records: FakeSenderRecords, server: SendingServer) -> SpfCoverage:
    posture = await ReadPosture(records=records)("corp.de", server, judges_spf=True, within=SECOND)
    assert posture.dmarc is DmarcPolicy.NONE
    return posture.spf


async def warned(records: FakeSenderRecords, settings: MailSettings, trace: Trace = PLAIN) -> list[Reason]:
    preflight = Preflight(read_posture=ReadPosture(records=records), clock=FakeClock())
    ahead = await preflight(settings, (), trace, time_left=10 * SECOND)
    return [warning.reason for warning in ahead.warnings]


async def outlook(records: FakeSenderRecords, settings: MailSettings, trace: Trace = PLAIN) -> Outlook:
    return await Preflight(read_posture=ReadPosture(records=records), clock=FakeClock())(
        settings, (), trace, time_left=10 * SECOND
    )


def reached_at(address: str) -> Trace:
    """A trace of a server that was dialled at *address*."""
    peer = f"[{address}]:587" if ":" in address else f"{address}:587"
    return Trace(start_time=NOW, steps=(TraceStep(Stage.CONNECT, succeeded=True, duration=SECOND, peer=peer),))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (spf("v=spf1 ip4:192.0.2.0/24 -all"), SpfCoverage.COVERED),
        (spf("v=spf1 ip4:198.51.100.0/24 -all"), SpfCoverage.NOT_COVERED),
        (spf("v=spf1 include:spf.hoster.de -all"), SpfCoverage.COVERED),
        (spf("v=spf1 redirect=_spf.hoster.de"), SpfCoverage.COVERED),
        (spf("v=spf1 include:a.de -all", a__de=["v=spf1 include:b.de"], b__de=["v=spf1 ip4:192.0.2.7"]),
         SpfCoverage.COVERED),
        (spf("v=spf1 redirect=a.de", a__de=["v=spf1 ip4:198.51.100.1 -all"]), SpfCoverage.NOT_COVERED),
        (spf("v=spf1 include:a.de -all", a__de=["v=spf1 include:corp.de"]), SpfCoverage.NOT_COVERED),
        (spf("v=spf1 include:gone.corp.de -all"), SpfCoverage.NOT_COVERED),
        (spf("v=spf1 include:gone.de -all"), SpfCoverage.UNKNOWN),
        (spf("v=spf1 exists:%{i}.allow.de -all"), SpfCoverage.UNKNOWN),
        (spf("v=spf1 a:smtp.hoster.de -all"), SpfCoverage.COVERED),
        (spf("v=spf1 +all"), SpfCoverage.COVERED),
        (spf("nothing"), SpfCoverage.MISSING),
        (spf("v=spf1 include:n0.de -all", **{f"n{i}__de": [f"v=spf1 include:n{i + 1}.de"] for i in range(20)}),
         SpfCoverage.UNKNOWN),
    ],
)  # fmt: skip
async def test_given_a_record_when_followed_then_it_is_told_whether_it_names_the_server(
    records: FakeSenderRecords, expected: SpfCoverage
) -> None:
    server = SendingServer(host="smtp.hoster.de", addresses=("192.0.2.7",))

    assert await coverage(records, server) is expected
    assert len(records.asked) < 25


@pytest.mark.parametrize(("address", "expected"), [("192.0.2.7", "COVERED"), ("192.0.2.8", "NOT_COVERED")])
async def test_given_hosts_of_the_domain_when_followed_then_their_addresses_count(address: str, expected: str) -> None:
    server = SendingServer(host="smtp.hoster.de", addresses=("192.0.2.7",))
    for term in ("a", "mx"):
        records = spf(f"v=spf1 {term} -all")
        records.zone["corp.de", "MX"] = ["mx.corp.de"]
        records.zone["corp.de" if term == "a" else "mx.corp.de", "A"] = [address]

        assert await coverage(records, server) == expected


async def test_given_an_organisations_policy_when_a_subdomain_sends_then_it_counts() -> None:
    records = FakeSenderRecords({("_dmarc.corp.de", "TXT"): ["v=DMARC1; p=reject"]})

    read = ReadPosture(records=records)
    posture = await read("news.corp.de", SendingServer(host="a.de"), judges_spf=False, within=SECOND)

    assert posture == SenderPosture(SpfCoverage.UNKNOWN, DmarcPolicy.REJECT)


async def test_given_a_domain_that_does_not_name_the_server_when_looked_ahead_then_it_is_warned_of() -> None:
    assert await warned(spf("v=spf1 ip4:192.0.2.7 -all"), settings_of()) == []
    assert await warned(spf("v=spf1 ip4:192.0.2.9 -all"), settings_of()) == [Reason.SPF_NOT_COVERING]
    assert await warned(FakeSenderRecords(KNOWN), settings_of()) == [Reason.SPF_NOT_COVERING, Reason.DMARC_MISSING]


async def test_given_a_relay_when_looked_ahead_then_spf_is_its_own_affair() -> None:
    records = FakeSenderRecords(KNOWN)

    assert await warned(records, settings_of("smtp.sendgrid.net")) == [Reason.DMARC_MISSING]
    assert set(records.asked) == {"_dmarc.corp.de", "corp.de"}
    assert (await outlook(records, settings_of("smtp.sendgrid.net"))).unchecked == ()


async def test_given_the_dns_away_when_looked_ahead_then_nothing_is_warned_of() -> None:
    records = FakeSenderRecords()
    records.is_away = True

    ahead = await outlook(records, settings_of())

    assert ahead.warnings == ()
    assert [record for record in ("SPF", "DMARC") if any(record in told for told in ahead.unchecked)] == [
        "SPF",
        "DMARC",
    ]


@pytest.mark.parametrize("sender", ["robot@corp.de", "robot@news.corp.de", "robot@corp.co.uk"])
async def test_given_a_dns_that_does_not_know_the_domain_when_looked_ahead_then_that_is_told_and_nothing_of_its_records(
    sender: str,
) -> None:
    records = FakeSenderRecords({("other.de", "NS"): ["ns.other.de"]})

    ahead = await outlook(records, settings_of(sender=sender))

    assert ahead.warnings == ()
    domain = sender.partition("@")[2]
    assert ahead.unchecked == (
        f"The DNS asked from here does not know {domain}: its SPF and DMARC records were not judged.",
    )


@pytest.mark.parametrize("kind", ["NS", "MX", "A", "AAAA", "TXT"])
async def test_given_an_organisation_with_any_record_when_its_policies_are_not_found_then_they_are_missing(
    kind: str,
) -> None:
    records = FakeSenderRecords({("corp.de", kind): ["192.0.2.1"]})

    for sender in ("robot@corp.de", "robot@news.corp.de"):
        ahead = await outlook(records, settings_of(sender=sender))

        assert [warning.reason for warning in ahead.warnings] == [Reason.SPF_NOT_COVERING, Reason.DMARC_MISSING]
        assert ahead.unchecked == ()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fe80::1", "fd00::1",
     "::ffff:10.0.0.1"],
)  # fmt: skip
async def test_given_a_server_at_an_address_of_no_public_network_when_looked_ahead_then_spf_is_not_judged(
    address: str,
) -> None:
    for records in (FakeSenderRecords(KNOWN), spf("v=spf1 ip4:198.51.100.1 -all"), spf("nothing")):
        ahead = await outlook(records, settings_of(), reached_at(address))

        assert Reason.SPF_NOT_COVERING not in [warning.reason for warning in ahead.warnings]
        assert "an address that receivers never see" in ahead.unchecked[0]


@pytest.mark.parametrize("address", ["192.0.2.7", "172.32.0.1", "2001:db8::1", "100.128.0.1"])
async def test_given_a_server_at_a_public_address_when_looked_ahead_then_spf_is_judged(address: str) -> None:
    ahead = await outlook(spf("v=spf1 ip4:198.51.100.1 -all"), settings_of(), reached_at(address))

    assert [warning.reason for warning in ahead.warnings] == [Reason.SPF_NOT_COVERING]
    assert ahead.unchecked == ()


@pytest.mark.parametrize(
    ("sender", "host", "told"),
    [
        ("me@gmail.com", "smtp.hoster.de", "smtp.gmail.com"),
        ("me@gmail.com", "smtp.sendgrid.net", "smtp.gmail.com"),
        ("me@outlook.com", "smtp.gmail.com", "smtp-mail.outlook.com"),
        ("me@hotmail.co.uk", "smtp.hoster.de", "smtp-mail.outlook.com"),
        ("me@gmx.de", "smtp.hoster.de", "gmx"),
        ("me@icloud.com", "smtp.hoster.de", "smtp.mail.me.com"),
        ("me@gmail.com", "smtp.gmail.com", None),
        ("me@googlemail.com", "smtp-relay.gmail.com", None),
        ("me@outlook.com", "smtp.office365.com", None),
        ("me@gmx.de", "mail.gmx.com", None),
        ("me@aol.com", "smtp.mail.yahoo.com", None),
    ],
)
async def test_given_a_domain_of_free_mailboxes_when_anothers_server_sends_then_the_providers_is_named(
    sender: str, host: str, told: str | None
) -> None:
    records = FakeSenderRecords()

    ahead = await outlook(records, settings_of(host, sender))

    assert records.asked == []
    assert ahead.unchecked == ()
    assert len(ahead.warnings) == (0 if told is None else 1)
    for warning in ahead.warnings:
        assert warning.reason is Reason.SPF_NOT_COVERING
        assert "only that provider's servers" in warning.message
        assert str(told) in warning.remedy
        assert "TXT" not in warning.remedy


async def test_given_free_mailboxes_and_a_private_relay_when_looked_ahead_then_nobody_knows_where_it_sends_by() -> None:
    ahead = await outlook(FakeSenderRecords(), settings_of(sender="me@gmail.com"), reached_at("10.0.0.1"))

    assert ahead.warnings == ()
    assert "gmail.com" in ahead.unchecked[0]


async def test_given_no_time_left_when_looked_ahead_then_nobody_is_asked_and_that_is_told() -> None:
    records = FakeSenderRecords(KNOWN)
    preflight = Preflight(read_posture=ReadPosture(records=records), clock=FakeClock())

    ahead = await preflight(settings_of(), (), PLAIN, time_left=timedelta(milliseconds=400))

    assert ahead.warnings == ()
    assert len(ahead.unchecked) == 2
    assert records.asked == []


async def test_given_a_dns_that_never_answers_when_looked_ahead_then_it_is_not_waited_for() -> None:
    class Silent(FakeSenderRecords):
        async def texts(self, name: str) -> tuple[str, ...]:
            self.asked.append(name)
            await asyncio.Event().wait()
            raise AssertionError

    records = Silent()
    preflight = Preflight(read_posture=ReadPosture(records=records), clock=FakeClock())

    async with asyncio.timeout(5):
        ahead = await preflight(settings_of(), (), PLAIN, time_left=timedelta(milliseconds=600))

    assert ahead.warnings == ()
    assert sorted(records.asked) == ["_dmarc.corp.de", "corp.de"]


@pytest.mark.parametrize(
    "settings",
    [
        settings_of(sender="robot@sandbox.example"),
        replace(settings_of(), transport=a_graph_transport()),
    ],
)
async def test_given_a_name_for_examples_or_graph_when_looked_ahead_then_nobody_is_asked(
    settings: MailSettings,
) -> None:
    records = FakeSenderRecords()

    assert await warned(records, settings) == []
    assert records.asked == []
