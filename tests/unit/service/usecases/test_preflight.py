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
from service.usecases.preflight import Preflight
from service.usecases.sender_posture import ReadPosture
from tests.builders import NOW, a_graph_transport, an_address, an_smtp_transport, some_settings
from tests.fakes.environment import FakeClock
from tests.fakes.sender_dns import FakeSenderRecords, Zone

SECOND = timedelta(seconds=1)
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
    return [warning.reason for warning in await preflight(settings, (), trace, time_left=10 * SECOND)]


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
        (spf("v=spf1 include:gone.de -all"), SpfCoverage.NOT_COVERED),
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
    assert await warned(FakeSenderRecords(), settings_of()) == [Reason.SPF_NOT_COVERING, Reason.DMARC_MISSING]


async def test_given_a_relay_when_looked_ahead_then_spf_is_its_own_affair() -> None:
    records = FakeSenderRecords()

    assert await warned(records, settings_of("smtp.sendgrid.net")) == [Reason.DMARC_MISSING]
    assert records.asked == ["_dmarc.corp.de"]


async def test_given_the_dns_away_when_looked_ahead_then_nothing_is_warned_of() -> None:
    records = FakeSenderRecords()
    records.is_away = True

    assert await warned(records, settings_of()) == []


async def test_given_a_dns_that_never_answers_when_looked_ahead_then_it_is_not_waited_for() -> None:
    class Silent(FakeSenderRecords):
        async def texts(self, name: str) -> tuple[str, ...]:
            self.asked.append(name)
            await asyncio.Event().wait()
            raise AssertionError

    records = Silent()
    preflight = Preflight(read_posture=ReadPosture(records=records), clock=FakeClock())

    async with asyncio.timeout(5):
        warnings = await preflight(settings_of(), (), PLAIN, time_left=timedelta(milliseconds=600))

    assert warnings == ()
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
