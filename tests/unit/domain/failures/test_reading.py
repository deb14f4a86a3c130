"""What a person has at hand is read, whatever it is, in bounded time."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.failures.catalogue import CATALOGUE
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import explain, explain_fully
from domain.failures.failure import FailureKind, Fix, Stage
from domain.failures.reading import LONGEST_ANSWER, read_answer
from domain.failures.wording import alike
from domain.reasons import Reason

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "surface", "stage", "code", "enhanced"),
    [
        ("535 5.7.139", Surface.SMTP, Stage.AUTH, 535, "5.7.139"),
        ("5.7.139", Surface.SMTP, Stage.AUTH, 0, "5.7.139"),
        ("550-5.1.1 The email account\r\n550 5.1.1 does not exist", Surface.SMTP, Stage.RCPT_TO, 550, "5.1.1"),
        ("553 sorry, no relay (#5.7.1)", Surface.SMTP, Stage.RCPT_TO, 553, "5.7.1"),
        ("550 #5.1.0 Address rejected.", Surface.SMTP, Stage.RCPT_TO, 550, "5.1.0"),
        ("host mx.example.com said: 550 5.1.1 User unknown", Surface.SMTP, Stage.RCPT_TO, 550, "5.1.1"),
        ("smtplib.SMTPDataError: (554, b'5.7.1 Spam')", Surface.SMTP, Stage.DATA, 554, "5.7.1"),
        ("S: 250 ok\nC: RCPT TO:<bob@example.org>\nS: 550 5.1.1 no", Surface.SMTP, Stage.RCPT_TO, 550, "5.1.1"),
        ("530 5.7.0 Must issue a STARTTLS command first", Surface.SMTP, Stage.MAIL_FROM, 530, "5.7.0"),
    ],
)
def test_given_a_reply_when_read_then_codes_and_step_are_found(
    text: str, surface: Surface, stage: Stage, code: int, enhanced: str
) -> None:
    evidence = read_answer(text)

    assert (evidence.surface, evidence.stage) == (surface, stage)
    assert (evidence.code, evidence.enhanced_code) == (code, enhanced)


@pytest.mark.parametrize(
    ("text", "surface", "error", "subcode"),
    [
        ("AADSTS50173", Surface.OAUTH_TOKEN, "", "AADSTS50173"),
        ("aadsts50173: the provided grant", Surface.OAUTH_TOKEN, "", "AADSTS50173"),
        ('{"error":"invalid_grant","error_description":"AADSTS70008: x"}', Surface.OAUTH_TOKEN, "invalid_grant",
         "AADSTS70008"),
        ("invalid_grant", Surface.OAUTH_TOKEN, "invalid_grant", ""),
        ("https://x/cb?error=access_denied&state=1", Surface.OAUTH_AUTHORIZE, "access_denied", ""),
        ('{"error":{"code":"ErrorAccessDenied","message":"no"}}', Surface.GRAPH, "ErrorAccessDenied", ""),
        ('{"error":{"code":"ErrorAccessDenied","message":"cut in the mid', Surface.GRAPH, "ErrorAccessDenied", ""),
        ("ErrorSendAsDenied", Surface.GRAPH, "ErrorSendAsDenied", ""),
        ("A1 NO [AUTHENTICATIONFAILED] no", Surface.IMAP, "AUTHENTICATIONFAILED", "NO"),
        ("NO [AUTHENTICATIONFAILED]", Surface.IMAP, "AUTHENTICATIONFAILED", "NO"),
        ("* BYE [UNAVAILABLE] later", Surface.IMAP, "UNAVAILABLE", "BYE"),
    ],
)  # fmt: skip
def test_given_other_surfaces_when_read_then_their_words_are_found(
    text: str, surface: Surface, error: str, subcode: str
) -> None:
    evidence = read_answer(text)

    assert (evidence.surface, evidence.error, evidence.subcode) == (surface, error, subcode)


def test_given_the_challenge_of_a_refused_token_when_read_then_it_is_opened() -> None:
    evidence = read_answer("334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=")

    assert (evidence.code, evidence.stage) == (334, Stage.AUTH)
    assert '"status": "401"' in evidence.text
    assert explain(evidence).kind is FailureKind.REAUTHORIZE


def test_given_what_is_known_besides_when_read_then_it_counts_more_than_a_guess() -> None:
    evidence = read_answer("550 no", surface=Surface.SMTP, provider="google", stage=Stage.MAIL_FROM, http_status=0)

    assert (evidence.provider, evidence.stage) == ("google", Stage.MAIL_FROM)
    assert explain(evidence).reason is Reason.SENDER_REFUSED


def test_given_a_lost_connection_at_data_when_read_then_nobody_knows_the_outcome() -> None:
    evidence = read_answer("Connection unexpectedly closed", surface=Surface.SMTP, stage=Stage.DATA)

    assert evidence.symptom is Symptom.LOST
    assert explain(evidence).kind is FailureKind.IN_DOUBT


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("X BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", timedelta(seconds=92.415)),
        ("451 4.7.1 Greylisted, try again in 300 seconds", timedelta(seconds=300)),
        ("421 Rate limit exceeded, retry after 5 minutes", timedelta(minutes=5)),
        ("450 4.7.1 Throttled. Please wait 2 hours", timedelta(hours=2)),
        ("450 4.7.1 Throttled. Please wait 900 hours", timedelta(hours=24)),
    ],
)
def test_given_a_pause_in_the_words_when_explained_then_it_is_kept(text: str, pause: timedelta) -> None:
    evidence = replace(read_answer(text), met_time=NOW)

    assert explain(evidence).retry_time == NOW + pause


def test_given_a_pause_in_a_final_refusal_when_explained_then_nothing_is_waited_for() -> None:
    evidence = replace(read_answer("550 5.1.1 User unknown, try again in 300 seconds"), met_time=NOW)

    assert explain(evidence).retry_time is None


@pytest.mark.parametrize(
    ("text", "surface", "status", "reason"),
    [
        ("503 Service Unavailable", Surface.OAUTH_TOKEN, 503, Reason.AUTH_UNAVAILABLE),
        ("502 Bad Gateway", Surface.OAUTH_TOKEN, 502, Reason.AUTH_UNAVAILABLE),
        ("500 Server Error: Internal for url: https://example.com", Surface.OAUTH_TOKEN, 500, Reason.AUTH_UNAVAILABLE),
        ("401 Unauthorized", Surface.OAUTH_TOKEN, 401, Reason.CLIENT_CONFIG),
        ("403 Forbidden", Surface.OAUTH_TOKEN, 403, Reason.PROTOCOL_ERROR),
        ("404 Not Found", Surface.OAUTH_TOKEN, 404, Reason.PROTOCOL_ERROR),
        ("the endpoint said: 404 Not Found", Surface.OAUTH_TOKEN, 404, Reason.PROTOCOL_ERROR),
        ("HTTP 429", Surface.OAUTH_TOKEN, 429, Reason.THROTTLED),
        ("HTTP status code: 503", Surface.OAUTH_TOKEN, 503, Reason.AUTH_UNAVAILABLE),
        ("429 Too Many Requests", Surface.OAUTH_TOKEN, 429, Reason.THROTTLED),
        ("429 Too Many Requests ApplicationThrottled", Surface.GRAPH, 429, Reason.THROTTLED),
    ],
)
def test_given_an_http_status_when_read_then_it_is_no_mail_servers_verdict(
    text: str, surface: Surface, status: int, reason: Reason
) -> None:
    evidence = read_answer(text)

    assert (evidence.surface, evidence.code) == (surface, status)
    assert explain(evidence).reason is reason


@pytest.mark.parametrize(
    "text",
    [
        "503 5.5.1 Bad sequence",
        "503 5.5.0 503 Service unavailable",
        "554 Service unavailable; blocked",
        "450 4.7.1 429 Too Many Requests",
        "550 blocked, lookup said 404 Not Found",
    ],
)
def test_given_a_mail_servers_reply_when_read_then_it_is_none_of_http(text: str) -> None:
    assert read_answer(text).surface is Surface.SMTP


REFUSED_BY_EXCHANGE = "535 5.7.3 Authentication unsuccessful [LO4P123CA0207.GBRP123.PROD.OUTLOOK.COM]"


@pytest.mark.parametrize(
    ("session", "kind"),
    [
        ("AUTH LOGIN\n334 VXNlcm5hbWU6\n{}", FailureKind.MISCONFIGURED),
        ("C: AUTH PLAIN AGJvYgBzZWNyZXQ=\nS: {}", FailureKind.MISCONFIGURED),
        ("S: 250-AUTH LOGIN XOAUTH2\nC: AUTH LOGIN\nS: {}", FailureKind.MISCONFIGURED),
        ("AUTH XOAUTH2 AGJvYgBzZWNyZXQ=\n{}", FailureKind.REAUTHORIZE),
        ("AUTH LOGIN\n504 5.7.4 no\nAUTH XOAUTH2\n{}", FailureKind.REAUTHORIZE),
        ("250-AUTH LOGIN XOAUTH2\n{}", FailureKind.REAUTHORIZE),
        ("250 AUTH LOGIN\n{}", FailureKind.REAUTHORIZE),
        ("{}", FailureKind.REAUTHORIZE),
    ],
)
def test_given_a_session_when_read_then_its_own_command_tells_a_password_from_a_token(
    session: str, kind: FailureKind
) -> None:
    failure = explain(read_answer(session.format(REFUSED_BY_EXCHANGE)))

    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, kind)
    assert failure.provider_code == "535 5.7.3"
    assert bool(failure.fixes or "consent" in failure.remedy) is (kind is FailureKind.REAUTHORIZE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("550 5.7.30", Reason.BASIC_AUTHENTICATION_RETIRED),
        ("5.7.30", Reason.BASIC_AUTHENTICATION_RETIRED),
        ("550 5.7.705", Reason.SENDING_BLOCKED),
        ("550 5.7.501 Access denied", Reason.SENDING_BLOCKED),
        ("550 5.7.708", Reason.SENDING_BLOCKED),
        ("access_denied", Reason.AUTHORIZATION_DENIED),
        ("Error: access_denied", Reason.AUTHORIZATION_DENIED),
        ("access_denied: Too many requests", Reason.THROTTLED),
        ("Error 403: access_denied The developer hasn\u2019t given you access to this app.", Reason.CLIENT_CONFIG),
    ],
)
def test_given_a_code_alone_when_explained_then_it_means_what_its_provider_means(text: str, reason: Reason) -> None:
    assert explain(read_answer(text)).reason is reason


def test_given_registered_code_with_words_when_read_then_it_is_nobodys_own() -> None:
    assert read_answer("550 5.7.30 REQUIRETLS support required").provider == ""


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", Fix("settings.smtp.security", "STARTTLS")),
        ("503 5.5.4 StartTls command has been already sent.", Fix("settings.smtp.security", "IMPLICIT_TLS")),
        ("530 Must issue a STARTTLS command first", Fix("settings.smtp.security", "STARTTLS")),
        ("AADSTS9002331: use the /consumers endpoint", Fix("settings.oauth.directory_tenant", "consumers")),
        (
            "AADSTS650053: The application asked for scope 'SMTP.Send' that doesn't exist on the resource",
            Fix("settings.oauth.scopes", "https://outlook.office.com/SMTP.Send offline_access"),
        ),
        (
            '{"error":{"code":"InvalidAuthenticationToken","message":"Invalid audience."}}',
            Fix("settings.oauth.scopes", "https://graph.microsoft.com/Mail.Send offline_access"),
        ),
    ],
)
def test_given_a_cure_in_the_settings_when_explained_then_it_can_be_applied_as_it_is(text: str, fix: Fix) -> None:
    assert explain(read_answer(text)).fixes[0] == fix


def test_given_an_answer_that_nobody_knows_when_explained_then_it_says_so_and_names_a_next_step() -> None:
    explanation = explain_fully(read_answer("599 zxqv"))

    assert not explanation.is_recognized
    assert explanation.failure.remedy
    assert explain_fully(read_answer("550 5.1.1 User unknown")).is_recognized


@pytest.mark.parametrize("text", ["250 2.0.0 OK", "250 OK id=1", "221 2.0.0 Bye", "2.1.5", "C: QUIT\nS: 250 OK"])
def test_given_an_acceptance_when_explained_then_nothing_is_said_to_be_wrong(text: str) -> None:
    failure = explain(read_answer(text))

    assert failure.reason is Reason.PROTOCOL_ERROR
    assert "accepted" in failure.cause
    assert "queued" not in failure.remedy


@pytest.mark.parametrize(
    "text", ["hello world", "\x00\x01\xff\xfe", "?", "587", "10:11:12:451", "smtp.example.com:587"]
)
def test_given_no_answer_at_all_when_explained_then_it_asks_for_one(text: str) -> None:
    explanation = explain_fully(read_answer(text))

    assert not explanation.is_recognized
    assert explanation.failure.reason is Reason.PROTOCOL_ERROR
    assert explanation.failure.cause == "No answer of a server was found in this text."
    assert "Paste the line" in explanation.failure.remedy
    assert "queued" not in explanation.failure.remedy


def test_given_a_server_that_was_met_when_its_answer_has_no_meaning_then_its_port_is_doubted() -> None:
    met = replace(read_answer("250 OK"), host="mx.example.com", port=587)

    assert "mx.example.com:587 answered" in explain(met).cause
    assert "host and port" in explain(met).remedy


HOSTILE = {
    "ten megabytes": "550 5.7.1 " + "a" * 10_000_000,
    "many blanks": "550 " + " " * 1_000_000 + "x",
    "many lines": "550-x\n" * 500_000,
    "many codes": "550 5.7.1 " * 300_000,
    "nested objects": '{"error":' * 100_000,
    "nested lists": '{"error":' + "[" * 100_000,
    "many braces": "{" * 1_000_000 + '"' + "}" * 1_000_000,
    "open tags": "<a " * 500_000,
    "quotes": '"error":"' + '\\"' * 500_000,
    "binary": bytes(range(256)).decode("latin-1") * 4_000,
    "surrogates": "\ud800" * 100_000,
    "marks": "e\u0301" * 500_000,
    "wide": "\ufdfa" * 100_000,
    "amps": "error=x" + "&a=b" * 500_000,
    "base64": "334 " + "eyJ" + "A" * 1_000_000,
    "words": "user account mailbox recipient sender address not " * 100_000,
    "almost": "exceed quota mailbox message size limit sending " * 100_000,
    "equals": "password=" * 100_000,
    "dots": "too many " + "." * 1_000_000 + " connections",
    "braces in the template": "554 {server} {0} {because!r} {",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_given_a_hostile_text_when_explained_then_it_is_bounded_in_time_and_size(name: str) -> None:
    start = time.process_time()

    explanation = explain_fully(read_answer(HOSTILE[name]))

    assert time.process_time() - start < 3
    assert len(repr(explanation).encode("utf-8", "replace")) < 8 * 1024
    assert explanation.failure.remedy


@given(st.text(max_size=600), st.sampled_from([None, *Surface]), st.sampled_from([None, *Stage]))
@settings(deadline=None)
def test_given_any_text_when_explained_then_there_is_a_next_step(
    text: str, surface: Surface | None, stage: Stage | None
) -> None:
    failure = explain(read_answer(text, surface=surface, stage=stage))

    assert failure.cause
    assert failure.remedy
    assert "{" not in failure.remedy or "{" in text


def test_given_every_entry_at_once_when_matched_against_the_longest_text_then_none_is_slow() -> None:
    """Each pattern alone, on texts made of the words that patterns begin with."""
    text = alike(("user mailbox account exceed from sender not allowed auth message is too " * 200)[:LONGEST_ANSWER])
    evidence = Evidence(surface=Surface.SMTP, stage=Stage.DATA, code=550, text=text)

    for entry in CATALOGUE:
        start = time.process_time()
        replace(entry, surfaces=frozenset(), stages=frozenset(), code="", enhanced="").fits(evidence, text)
        assert time.process_time() - start < 0.5, entry.text
