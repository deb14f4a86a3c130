from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import Warning
from domain.failures.trace import TlsSession, Trace
from domain.host import Host
from domain.preflight import CERTIFICATE_MARGIN, renewed, sender_warnings, server_warnings
from domain.reasons import Reason
from domain.sender_policy import DmarcPolicy, SenderPosture, SendingServer, SpfCoverage
from tests.builders import NOW, a_trace, a_warning, an_address, an_smtp_transport, some_settings

SERVER = SendingServer(host="smtp.hoster.de")


def a_session(version: str = "TLSv1.3", *, ends_in: timedelta | None = timedelta(days=90)) -> Trace:
    session = TlsSession(version, "AES", certificate_expire_time=None if ends_in is None else NOW + ends_in)
    trace = a_trace(NOW)
    return replace(trace, steps=tuple(replace(step, tls=session if step.tls else None) for step in trace.steps))


def reasons(warnings: tuple[Warning, ...]) -> list[Reason]:
    return [warning.reason for warning in warnings]


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (a_session(), []),
        (a_session(ends_in=None), []),
        (a_session(ends_in=CERTIFICATE_MARGIN), []),
        (a_session(ends_in=CERTIFICATE_MARGIN - timedelta(seconds=1)), [Reason.SERVER_CERTIFICATE_EXPIRING]),
        (a_session("TLSv1.2"), [Reason.TLS_1_3_NOT_SPOKEN]),
        (a_session("TLSv1.2", ends_in=timedelta(hours=5)), [Reason.SERVER_CERTIFICATE_EXPIRING,
                                                            Reason.TLS_1_3_NOT_SPOKEN]),
        (Trace(start_time=NOW), []),
    ],
)  # fmt: skip
def test_given_a_session_when_judged_then_near_ends_and_old_versions_are_warned_of(
    trace: Trace, expected: list[Reason]
) -> None:
    assert reasons(server_warnings(trace, now=NOW)) == expected


@pytest.mark.parametrize(("days", "words"), [(0, "in 0 days"), (1, "in 1 day;"), (29, "in 29 days")])
def test_given_a_near_end_when_warned_of_then_date_and_days_are_told(days: int, words: str) -> None:
    (warning,) = server_warnings(a_session(ends_in=timedelta(days=days, hours=1)), now=NOW)

    assert words in warning.message
    assert str((NOW + timedelta(days=days, hours=1)).year) in warning.message


@pytest.mark.parametrize(
    ("spf", "dmarc", "expected"),
    [
        (SpfCoverage.COVERED, DmarcPolicy.NONE, []),
        (SpfCoverage.UNKNOWN, DmarcPolicy.UNKNOWN, []),
        (SpfCoverage.NOT_COVERED, DmarcPolicy.NONE, [Reason.SPF_NOT_COVERING]),
        (SpfCoverage.MISSING, DmarcPolicy.MISSING, [Reason.SPF_NOT_COVERING, Reason.DMARC_MISSING]),
        (SpfCoverage.SEVERAL, DmarcPolicy.REJECT, [Reason.SPF_NOT_COVERING]),
        (SpfCoverage.COVERED, DmarcPolicy.MISSING, [Reason.DMARC_MISSING]),
    ],
)
def test_given_a_posture_when_judged_then_what_is_lacking_is_warned_of(
    spf: SpfCoverage, dmarc: DmarcPolicy, expected: list[Reason]
) -> None:
    warnings = sender_warnings("corp.de", SERVER, SenderPosture(spf, dmarc))

    assert reasons(warnings) == expected
    assert all("corp.de" in warning.message and warning.remedy for warning in warnings)


def test_given_a_strict_policy_when_spf_does_not_cover_then_what_receivers_do_is_told() -> None:
    def message(policy: DmarcPolicy) -> str:
        (warning,) = sender_warnings("corp.de", SERVER, SenderPosture(SpfCoverage.NOT_COVERED, policy))
        return warning.message

    assert "refuse such mail, unless DKIM" in message(DmarcPolicy.REJECT)
    assert "set aside such mail" in message(DmarcPolicy.QUARANTINE)
    assert "DMARC" not in message(DmarcPolicy.NONE)


def test_given_a_known_provider_when_spf_does_not_cover_then_the_remedy_has_its_include() -> None:
    server = replace(SERVER, spf_domains=("_spf.google.com", "other"))

    (missing,) = sender_warnings("corp.de", server, SenderPosture(SpfCoverage.MISSING, DmarcPolicy.NONE))
    (other,) = sender_warnings("corp.de", server, SenderPosture(SpfCoverage.NOT_COVERED, DmarcPolicy.NONE))

    assert "include:_spf.google.com" in missing.remedy
    assert other.remedy == "Add include:_spf.google.com to the record."


def test_given_a_date_that_has_passed_when_renewed_then_the_stored_warning_says_what_is_so_now() -> None:
    settings = some_settings(transport=an_smtp_transport(host=Host("smtp.office365.com")))
    (before,) = renewed(settings, (), now=NOW.replace(year=2026, month=11))

    kept = a_warning()
    warnings = renewed(settings, (kept, before), now=NOW.replace(year=2027, month=2))

    assert before.reason is Reason.BASIC_AUTHENTICATION_RETIRED
    assert warnings[0] == kept
    assert [warning.reason for warning in warnings[1:]] == [Reason.BASIC_AUTHENTICATION_RETIRED]
    assert "has had passwords for SMTP off" in warnings[1].message
    assert "switches passwords" in before.message


def test_given_another_sender_when_renewed_then_it_is_warned_of_though_nothing_was_stored() -> None:
    settings = some_settings(from_address=an_address("sales@example.com"))

    assert reasons(renewed(settings, (), now=NOW)) == [Reason.FROM_ADDRESS_NOT_ACCOUNT]
