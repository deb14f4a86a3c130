from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.catalogue import CATALOGUE
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import explain
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason

P, T, TH, M = FailureKind.PERMANENT, FailureKind.TRANSIENT, FailureKind.THROTTLED, FailureKind.MISCONFIGURED
CONNECT, TLS, EHLO, AUTH = Stage.CONNECT, Stage.TLS, Stage.EHLO, Stage.AUTH
MAIL, RCPT, DATA = Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\s+")
SMTP_STAGES = (EHLO, TLS, AUTH, MAIL, RCPT, DATA)


def evidence(reply: str, stage: Stage, **others: object) -> Evidence:
    """Makes evidence of a reply written as servers write it."""
    lines = [re.match(r"(\d{3})[ -]?(.*)", line) for line in reply.splitlines()]
    texts = [line[2] if line else "" for line in lines]
    enhanced = next((found[1] for text in texts if (found := ENHANCED.match(text + " "))), "")
    text = " ".join(" ".join(ENHANCED.sub("", text + " ", count=1) for text in texts).split())
    code = int(lines[0][1]) if lines[0] else 0
    fields: dict[str, object] = {"code": code, "enhanced_code": enhanced, "text": text, "host": "mx.example.com"}
    return Evidence(surface=Surface.SMTP, stage=stage, port=587, **{**fields, **others})  # type: ignore[arg-type]


REPLIES: list[tuple[str, Stage, Reason, FailureKind]] = [
    # Google
    (
        "535-5.7.8 Username and Password not accepted. For more information, go to\n"
        "535 5.7.8  https://support.google.com/mail/?p=BadCredentials d9443c01a7336-20e59f0c35bsm123456 - gsmtp",
        AUTH, Reason.AUTH_REJECTED, M,
    ),
    (
        "534-5.7.9 Application-specific password required. For more information, go to\n"
        "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp",
        AUTH, Reason.APP_PASSWORD_NEEDED, M,
    ),
    (
        "454 4.7.0 Too many login attempts, please try again later. ca2sm424696pbc.68 - gsmtp",
        AUTH, Reason.THROTTLED, TH,
    ),
    (
        "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\n"
        "550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 - gsmtp",
        DATA, Reason.QUOTA_EXCEEDED, TH,
    ),
    ("421-4.7.0 Try again later, closing connection. (EHLO)\n421 4.7.0 more - gsmtp", EHLO, Reason.THROTTLED, TH),
    ("552-5.3.4 Your message exceeded Google's message size limits. For more\n552 5.3.4 x", MAIL, Reason.TOO_LARGE, P),
    (
        "552-5.7.0 Our system detected an illegal attachment on your message.\n552 5.7.0 x",
        DATA, Reason.ATTACHMENT_REFUSED, P,
    ),
    (
        "550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 x",
        RCPT, Reason.RECIPIENT_UNKNOWN, P,
    ),
    (
        "452-4.2.2 The email account that you tried to reach is over quota.\n452 4.2.2 x",
        RCPT, Reason.RECIPIENT_MAILBOX_FULL, T,
    ),
    ("451 4.3.0 Mail server temporarily rejected message. - gsmtp", DATA, Reason.REFUSED_FOR_NOW, T),
    (
        "550-5.7.1 Unauthenticated email from example.com is not accepted due to domain's\n550 5.7.1 DMARC policy.",
        DATA, Reason.DOMAIN_UNAUTHENTICATED, M,
    ),
    ("550-5.7.1 [192.0.2.1] Our system has detected that this message is likely\n550 5.7.1 unsolicited mail.", DATA,
     Reason.SPAM_REFUSED, P),
    ("452 4.5.3 Your message has too many recipients.", RCPT, Reason.RECIPIENTS_ABOVE_SERVER_LIMIT, TH),
    ("450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error.", RCPT, Reason.THROTTLED, TH),
    ("530-5.7.0 Authentication Required. For more information, go to\n530 5.7.0 x", MAIL, Reason.AUTH_REQUIRED, M),
    # Microsoft
    ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit", AUTH,
     Reason.SMTP_AUTH_DISABLED, M),
    ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [PN0PR01CA0024]", AUTH,
     Reason.BASIC_AUTHENTICATION_RETIRED, M),
    ("535 5.7.3 Authentication unsuccessful [LO4P123CA0207.GBRP123.PROD.OUTLOOK.COM]", AUTH, Reason.AUTH_REJECTED, M),
    ("550 5.7.30 Basic authentication is not supported for Client Submission.", AUTH,
     Reason.BASIC_AUTHENTICATION_RETIRED, M),
    (
        "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
        MAIL, Reason.AUTH_REQUIRED, M,
    ),
    ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", DATA, Reason.SENDER_REFUSED, M),
    ("554 5.2.252 SendAsDenied; relay@example.com not allowed to send as noreply@example.com", DATA,
     Reason.SENDER_REFUSED, M),
    ("432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending", DATA,
     Reason.THROTTLED, TH),
    ("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", DATA, Reason.QUOTA_EXCEEDED, TH),
    ("554 5.2.121 The sender has exceeded the limit for the number of messages they can send to this recipient "
     "per hour.",
     RCPT, Reason.THROTTLED, TH),
    ("550 5.1.8 Access denied, bad outbound sender AS(42004)", DATA, Reason.SENDING_BLOCKED, M),
    (
        "451 4.7.0 Temporary server error. Please try again later. PRX4 [AM5PR0701CA0008]",
        AUTH, Reason.AUTH_UNAVAILABLE, T,
    ),
    ("504 5.7.4 Unrecognized authentication type [ME2PR01CA0084]", AUTH, Reason.NO_USABLE_AUTH_MECHANISM, M),
    ("550 5.4.1 Recipient address rejected: Access denied. [BN8NAM12FT010]", RCPT, Reason.RECIPIENT_UNKNOWN, P),
    ("501 5.5.4 Invalid domain name [AM0PR01CA0001]", EHLO, Reason.EHLO_NAME_REFUSED, M),
    ("451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS77713550)", DATA, Reason.THROTTLED, TH),
    # Others
    ("535 5.7.0 (#AUTH005) Too many bad auth attempts.", AUTH, Reason.APP_PASSWORD_NEEDED, M),
    ("535 Authentication Failed", AUTH, Reason.AUTH_REJECTED, M),
    ("550 Sender address is not allowed.", MAIL, Reason.SENDER_REFUSED, M),
    ("454 Throttling failure: Maximum sending rate exceeded.", DATA, Reason.THROTTLED, TH),
    ("525 5.7.1 Unauthorized IP address", AUTH, Reason.CLIENT_ADDRESS_REFUSED, M),
    ("554 5.7.1 <someone@example.com>: Relay access denied", RCPT, Reason.RELAY_DENIED, M),
    ("450 4.1.2 <someone@example.com>: Recipient address rejected: Domain not found", RCPT,
     Reason.RECIPIENT_DOMAIN_UNKNOWN, T),
    # Any server
    (
        "504 5.5.2 <15b0717dc4c2>: Helo command rejected: need fully-qualified hostname",
        RCPT, Reason.EHLO_NAME_REFUSED, M,
    ),
    ("550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", EHLO, Reason.EHLO_NAME_REFUSED, M),
    ("450 4.2.0 Greylisted, please try again later", RCPT, Reason.GREYLISTED, T),
    ("422 4.2.2 Greylisted", RCPT, Reason.GREYLISTED, T),
    (
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example.org",
        RCPT, Reason.BLOCKLISTED, M,
    ),
    ("552 too many recipients", RCPT, Reason.RECIPIENTS_ABOVE_SERVER_LIMIT, TH),
    ("550 User unknown", RCPT, Reason.RECIPIENT_UNKNOWN, P),
    ("552 5.2.2 mailbox full", RCPT, Reason.RECIPIENT_MAILBOX_FULL, P),
    # Code and stage alone
    ("554 no", EHLO, Reason.SERVICE_REFUSED, M),
    ("421 no", EHLO, Reason.SERVER_BUSY, T),
    ("454 no", TLS, Reason.STARTTLS_REFUSED_FOR_NOW, T),
    ("502 no", TLS, Reason.STARTTLS_UNAVAILABLE, M),
    ("454 no", AUTH, Reason.AUTH_UNAVAILABLE, T),
    ("535 no", AUTH, Reason.AUTH_REJECTED, M),
    ("530 no", MAIL, Reason.AUTH_REQUIRED, M),
    ("550 no", MAIL, Reason.SENDER_REFUSED, P),
    ("550 no", RCPT, Reason.RECIPIENT_REFUSED, P),
    ("550 no", DATA, Reason.MESSAGE_REFUSED, P),
    ("552 no", DATA, Reason.TOO_LARGE, P),
    ("471 no", DATA, Reason.REFUSED_FOR_NOW, T),
    ("550 5.1.1 no", RCPT, Reason.RECIPIENT_UNKNOWN, P),
    ("550 5.1.8 no", MAIL, Reason.SENDER_DOMAIN_INVALID, M),
    ("554 5.3.4 no", DATA, Reason.TOO_LARGE, P),
    ("550 5.7.26 no", DATA, Reason.DOMAIN_UNAUTHENTICATED, M),
    ("432 4.7.12 no", AUTH, Reason.PASSWORD_EXPIRED, M),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "stage", "reason", "kind"), REPLIES)
def test_given_a_known_reply_when_explained_then_reason_and_kind_are_exact(
    reply: str, stage: Stage, reason: Reason, kind: FailureKind
) -> None:
    failure = explain(evidence(reply, stage))

    assert (failure.reason, failure.kind, failure.stage) == (reason, kind, stage)


@pytest.mark.parametrize(("reply", "stage", "reason", "kind"), REPLIES)
@pytest.mark.parametrize("change", [str.upper, lambda text: text.replace("192.0.2.1", "203.0.113.77") + " [id 8d7f]"])
def test_given_a_variant_of_a_known_reply_when_explained_then_it_is_still_known(
    reply: str, stage: Stage, reason: Reason, kind: FailureKind, change: object
) -> None:
    failure = explain(evidence(change(reply), stage))  # type: ignore[operator]

    assert (failure.reason, failure.kind) == (reason, kind)


@given(
    st.integers(min_value=400, max_value=599),
    st.from_regex(r"\A([245]\.\d{1,3}\.\d{1,3})?\Z"),
    st.text(max_size=300),
    st.sampled_from(SMTP_STAGES),
    st.booleans(),
)
def test_given_any_reply_when_explained_then_there_is_a_cause_a_next_step_and_a_kind_that_fits(
    code: int, enhanced: str, text: str, stage: Stage, past_no_return: bool
) -> None:
    met = Evidence(
        surface=Surface.SMTP, stage=stage, code=code, enhanced_code=enhanced, text=text, past_no_return=past_no_return
    )

    failure = explain(met)

    assert failure.cause
    assert failure.remedy
    assert failure.kind is not FailureKind.IN_DOUBT
    assert code >= 500 or failure.kind is not FailureKind.PERMANENT
    assert str(code) in failure.provider_code
    assert len(failure.provider_reply) <= 1024


@given(st.sampled_from(Symptom), st.sampled_from(SMTP_STAGES), st.text(max_size=50))
def test_given_any_symptom_after_the_point_of_no_return_when_explained_then_nobody_knows(
    symptom: Symptom, stage: Stage, detail: str
) -> None:
    failure = explain(Evidence(surface=Surface.SMTP, stage=stage, symptom=symptom, detail=detail, past_no_return=True))

    assert (failure.reason, failure.kind) == (Reason.OUTCOME_UNKNOWN, FailureKind.IN_DOUBT)


@pytest.mark.parametrize("symptom", list(Symptom))
def test_given_any_symptom_when_explained_then_an_entry_of_its_own_does_it(symptom: Symptom) -> None:
    failure = explain(Evidence(surface=Surface.SMTP, stage=DATA, symptom=symptom, host="mx.example.com", port=25))

    entry = next(entry for entry in CATALOGUE if entry.symptom is symptom)
    assert failure.reason is entry.reason
    assert "{" not in failure.cause + failure.remedy


@pytest.mark.parametrize("surface", [Surface.DNS, Surface.CONNECT, Surface.TLS])
def test_given_a_surface_without_symptom_or_reply_when_explained_then_there_is_a_next_step(surface: Surface) -> None:
    failure = explain(Evidence(surface=surface, stage=Stage(surface.upper())))

    assert failure.kind is not FailureKind.PERMANENT
    assert failure.cause.startswith("The ")
    assert failure.remedy


@pytest.mark.parametrize(
    ("symptom", "value"),
    [(Symptom.PLAINTEXT_INSTEAD_OF_TLS, "STARTTLS"), (Symptom.TLS_INSTEAD_OF_PLAINTEXT, "IMPLICIT_TLS")],
)
def test_given_the_wrong_tls_mode_when_explained_then_the_other_one_is_the_fix(symptom: Symptom, value: str) -> None:
    """F14."""
    failure = explain(Evidence(surface=Surface.TLS, stage=TLS, symptom=symptom))

    assert (failure.reason, failure.kind) == (Reason.TLS_MODE_MISMATCH, M)
    assert failure.fixes == (Fix("settings.smtp.security", value),)


@pytest.mark.parametrize(("security", "reason"), [("NONE", Reason.TLS_REQUIRED), ("STARTTLS", Reason.AUTH_REQUIRED)])
def test_given_a_demand_for_starttls_when_explained_then_it_depends_on_what_is_configured(
    security: str, reason: Reason
) -> None:
    met = evidence("530-5.7.0 Must issue a STARTTLS command first.\n530 5.7.0 x", MAIL, security=security)

    assert explain(met).reason is reason


def test_given_a_known_pause_when_explained_then_the_retry_time_counts_from_when_it_was_met() -> None:
    met = evidence("550 5.4.5 Daily user sending limit exceeded.", DATA, met_time=NOW)

    assert explain(met).retry_time == NOW + timedelta(hours=4)


def test_given_a_wish_of_the_peer_when_explained_then_it_counts_more_than_a_known_pause() -> None:
    asked = NOW + timedelta(days=1)
    met = evidence("550 5.4.5 Daily user sending limit exceeded.", DATA, met_time=NOW, retry_time=asked)

    assert explain(met).retry_time == asked


def test_given_braces_in_a_reply_when_explained_then_they_are_only_words() -> None:
    failure = explain(evidence("554 {server} {0} {", DATA, detail="{because}"))

    assert '"{server} {0} {"' in failure.cause


def test_given_an_ipv6_host_when_explained_then_its_port_can_be_told_from_it() -> None:
    met = Evidence(surface=Surface.CONNECT, stage=CONNECT, symptom=Symptom.REFUSED, host="2001:db8::1", port=25)

    assert "[2001:db8::1]:25" in explain(met).cause


@pytest.mark.parametrize("host", ["", "smtp.example.com"])
def test_given_a_server_without_a_name_when_explained_then_the_sentences_are_well_formed(host: str) -> None:
    """Many causes name it first, some in their midst."""
    for symptom in Symptom:
        failure = explain(Evidence(surface=Surface.SMTP, stage=Stage.EHLO, symptom=symptom, host=host))

        assert "The server" not in failure.cause[1:]
        assert failure.cause[:1].isupper() or failure.cause.startswith(host or " ")
