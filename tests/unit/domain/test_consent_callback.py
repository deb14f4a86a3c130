"""What the browser came back with: F31, F32, and RFC 9207's issuer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.consent_callback import CallbackCode, CallbackError, WrittenCallback, read_callback
from domain.consent_issuer import check_issuer
from domain.consent_refusal import callback_refused
from domain.errors import InputInvalid, ProviderRefused
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from domain.secret import Secret
from tests.canary import Scanner

CODE = "4/0AbC+dE!x*.y~_-"


def at(query: str) -> WrittenCallback:
    return WrittenCallback(callback_url=Secret(f"https://mail.example.com/oauth/callback?{query}"))


def apart(**parameters: Any) -> WrittenCallback:
    code = Secret(parameters.pop("code", ""))
    return WrittenCallback(code=code, **parameters)


def refusals(written: WrittenCallback) -> set[tuple[str, Reason]]:
    with pytest.raises(InputInvalid) as refused:
        read_callback(written)
    return {(violation.field, violation.reason) for violation in refused.value.violations}


@pytest.mark.parametrize(
    "query",
    [
        "code=4%2F0AbC%2BdE%21x*.y~_-&state=S1&scope=a%20b&session_state=zz",
        "scope=a+b&state=S1&code=4/0AbC%2BdE!x*.y~_-",
        "code=4%2F0AbC%2BdE%21x*.y~_-&state=S1#",
        "code=4%2F0AbC%2BdE%21x*.y~_-&state=S1#_=_",
        "code=4%2F0AbC%2BdE%21x*.y~_-&state=S1&error=",
    ],
)
def test_given_f32_a_callback_url_when_read_then_its_code_is_decoded_exactly_once(query: str) -> None:
    assert read_callback(at(query)) == CallbackCode(state="S1", code=Secret(CODE))


@pytest.mark.parametrize("code", [CODE, "4%2F0AbC", "a+b c", "x" * 2500, "x" * 8192])
def test_given_f32_a_code_handed_over_decoded_when_read_then_it_stays_as_it_is(code: str) -> None:
    assert read_callback(apart(state="S1", code=code)) == CallbackCode(state="S1", code=Secret(code))


@given(
    code=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=50),
    quoting=st.sampled_from([quote, quote_plus]),
)
def test_given_f32_any_code_when_a_browser_brings_it_then_it_comes_out_as_it_was(code: str, quoting: Any) -> None:
    read = read_callback(at(f"state=S1&code={quoting(code, safe='')}"))

    assert read == CallbackCode(state="S1", code=Secret(code))


@given(st.text(max_size=60))
def test_given_anything_when_read_then_it_is_read_or_invalid_input(text: str) -> None:
    for written in (WrittenCallback(callback_url=Secret(text)), at(text), apart(state=text, code=text)):
        try:
            assert read_callback(written).state
        except InputInvalid:
            continue


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            at("error=access_denied&error_description=User+cancelled&state=S1"),
            CallbackError(state="S1", error="access_denied", description="User cancelled"),
        ),
        (apart(state="S1", error="access_denied"), CallbackError(state="S1", error="access_denied")),
        (at("error=access_denied&code=abc&state=S1"), CallbackError(state="S1", error="access_denied")),
        (
            apart(state="S1", error="x", code="abc", iss="https://i"),
            CallbackError(state="S1", error="x", iss="https://i"),
        ),
        (
            at("error=a%0D%0Ab&error_description=c%00d%E2%80%AEe&state=S1"),
            CallbackError(state="S1", error="a b", description="cde"),
        ),
    ],
)
def test_given_f31_an_error_when_read_then_it_wins_over_a_code_and_is_made_printable(
    written: WrittenCallback, expected: CallbackError
) -> None:
    assert read_callback(written) == expected


def test_given_f31_a_description_without_end_when_read_then_it_is_cut() -> None:
    read = read_callback(apart(state="S1", error="e" * 5000, error_description="d" * 5000))

    assert isinstance(read, CallbackError)
    assert (len(read.error), len(read.description)) == (256, 1024)


@pytest.mark.parametrize(
    "disguise",
    [
        str,
        lambda secret: quote(secret, safe=""),
        lambda secret: secret.encode().hex(),
        lambda secret: b64encode(b"x" + secret.encode()).decode(),
        lambda secret: f"{secret[:9]}\0{secret[9:]}",
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_given_a_refusal_that_repeats_state_and_code_when_read_then_neither_is_left(
    disguise: Callable[[str], str], is_whole: bool
) -> None:
    """P15: the words are kept and shown, and a state or code in them may still be good for something."""
    state, code = "St8-0123456789/+0123456789", "4/0A-0123456789/+0123456789="
    told = f"no {disguise(code)} with {disguise(state)} "
    parameters = {
        "state": state,
        "code": code,
        "error": told,
        "error_description": told * 20,
        "iss": f"https://i/{code}",
    }

    read = read_callback(at(urlencode(parameters)) if is_whole else apart(**parameters))

    assert isinstance(read, CallbackError)
    assert (
        Scanner({"state": state, "code": code}).hits(f"{read.error} {read.description} {read.iss}".encode(), "") == []
    )
    assert read.error.startswith("no ")
    assert "***" in read.description


def test_given_a_short_code_when_read_then_the_issuer_stays_whole() -> None:
    read = read_callback(at("code=id&state=S1&iss=https%3A%2F%2Fid.example.com"))

    assert isinstance(read, CallbackCode)
    assert read.iss == "https://id.example.com"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (at("error=access_denied"), {("callback_url", Reason.STATE_INVALID)}),
        (at("code=abc&state="), {("callback_url", Reason.STATE_INVALID)}),
        (apart(error="access_denied"), {("state", Reason.STATE_INVALID)}),
        (apart(code="abc"), {("state", Reason.STATE_INVALID)}),
        (apart(state="s" * 513, code="abc"), {("state", Reason.STATE_INVALID)}),
        (apart(), {("state", Reason.STATE_INVALID)}),
        (at("state=S1"), {("callback_url", Reason.FIELD_REQUIRED)}),
        (at("code=&state=S1"), {("callback_url", Reason.FIELD_REQUIRED)}),
        (apart(state="S1"), {("code", Reason.FIELD_REQUIRED)}),
        (at("code=a&code=b&state=S1"), {("callback_url", Reason.VALUE_MALFORMED)}),
        (at("code=a&code=&state=S1"), {("callback_url", Reason.VALUE_MALFORMED)}),
        (at("code=a&state=S1&state=S2"), {("callback_url", Reason.VALUE_MALFORMED)}),
        (at("error=a&error=b&state=S1"), {("callback_url", Reason.VALUE_MALFORMED)}),
        (at("code=a&state=S1&iss=a&iss=b"), {("callback_url", Reason.VALUE_MALFORMED)}),
        (at("code=%ff&state=S1"), {("callback_url", Reason.URL_INVALID)}),
        (at("&".join(f"p{number}=" for number in range(101))), {("callback_url", Reason.URL_INVALID)}),
        (at(""), {("callback_url", Reason.URL_INVALID)}),
        (WrittenCallback(callback_url=Secret("https://a.example/#code=a")), {("callback_url", Reason.URL_INVALID)}),
        (at("code=a&state=S1&x=" + "x" * 17_000), {("callback_url", Reason.VALUE_TOO_LONG)}),
        (at("code=a%0Ab&state=S1"), {("callback_url", Reason.CONTROL_CHARACTER)}),
        (apart(state="S1", code="x" * 8193), {("code", Reason.VALUE_TOO_LONG)}),
        (apart(state="S1", code="a\nb"), {("code", Reason.CONTROL_CHARACTER)}),
        (apart(state="S1", code="a", iss="i" * 17_000), {("iss", Reason.VALUE_TOO_LONG)}),
        (
            apart(state="S1", code="a", callback_url=Secret("https://a.example/?code=b&state=S1")),
            {("state", Reason.FIELD_CONFLICT), ("code", Reason.FIELD_CONFLICT)},
        ),
    ],
)
def test_given_f31_a_callback_that_cannot_be_meant_when_read_then_invalid_input(
    written: WrittenCallback, expected: set[tuple[str, Reason]]
) -> None:
    assert refusals(written) == expected


def test_given_a_code_when_refused_then_nothing_of_it_is_in_the_error() -> None:
    written = apart(state="S1", code="c4nary\n" * 3)

    with pytest.raises(InputInvalid) as refused:
        read_callback(written)

    assert "c4nary" not in f"{refused.value} {refused.value.violations} {written!r}"


@pytest.mark.parametrize(
    ("error", "reason", "kind"),
    [
        ("access_denied", Reason.AUTHORIZATION_DENIED, FailureKind.REAUTHORIZE),
        ("login_required", Reason.AUTHORIZATION_DENIED, FailureKind.REAUTHORIZE),
        ("unauthorized_client", Reason.CLIENT_CONFIG, FailureKind.MISCONFIGURED),
        ("invalid_scope", Reason.SCOPE_INVALID, FailureKind.MISCONFIGURED),
    ],
)
def test_given_f31_an_error_callback_when_explained_then_by_its_word_with_the_description_quoted(
    error: str, reason: Reason, kind: FailureKind
) -> None:
    failure = callback_refused(CallbackError(state="S1", error=error, description="The user said no")).failure

    assert (failure.reason, failure.kind, failure.stage) == (reason, kind, Stage.CONSENT)
    assert failure.provider_code.startswith(error)
    assert "The user said no" in failure.provider_reply
    assert failure.remedy


GOOGLE = "https://accounts.google.com/o/oauth2/v2/auth"
COMMON = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize"
GUID = "11111111-2222-3333-4444-555555555555"
OWN = f"https://login.microsoftonline.com/{GUID}/oauth2/v2.0/authorize"
CUSTOM = "https://id.example.com:8443/realms/mail/authorize?x=1"


@pytest.mark.parametrize(
    ("endpoint", "iss"),
    [
        (GOOGLE, ""),
        (GOOGLE, "https://accounts.google.com"),
        (COMMON, f"https://login.microsoftonline.com/{GUID}/v2.0"),
        (COMMON, f"https://login.windows.net/{GUID}/v2.0"),
        (OWN, f"https://login.microsoftonline.com/{GUID.upper()}/v2.0"),
        (CUSTOM, "https://id.example.com:8443"),
        (CUSTOM, "https://ID.example.com:8443/realms/mail"),
        ("https://id.example.com/authorize", "https://id.example.com:443/"),
        ("http://127.0.0.1:9000/authorize", "http://127.0.0.1:9000"),
    ],
)
def test_given_the_issuer_that_was_asked_when_checked_then_it_passes(endpoint: str, iss: str) -> None:
    check_issuer(iss, authorization_endpoint=endpoint)


@pytest.mark.parametrize(
    ("endpoint", "iss"),
    [
        (GOOGLE, "https://accounts.google.com/"),
        (GOOGLE, "http://accounts.google.com"),
        (GOOGLE, "https://accounts.google.com.evil.example"),
        (COMMON, "https://accounts.google.com"),
        (COMMON, f"https://login.microsoftonline.us/{GUID}/v2.0"),
        (COMMON, f"http://login.microsoftonline.com/{GUID}/v2.0"),
        (COMMON, "https://login.microsoftonline.com/v2.0"),
        (OWN, "https://login.microsoftonline.com/99999999-2222-3333-4444-555555555555/v2.0"),
        (CUSTOM, "https://id.example.com"),
        (CUSTOM, "http://id.example.com:8443"),
        (CUSTOM, "https://evil.example"),
        (CUSTOM, "https://id.example.com:8443@evil.example"),
        (CUSTOM, "evil"),
        (CUSTOM, "https://evil.example/\x00\nforged"),
        ("http://127.0.0.1:9000/authorize", "http://127.0.0.1:9001"),
    ],
)
def test_given_a_mix_up_when_checked_then_refused(endpoint: str, iss: str) -> None:
    with pytest.raises(ProviderRefused) as refused:
        check_issuer(iss, authorization_endpoint=endpoint)

    assert refused.value.reason is Reason.ISSUER_MISMATCH
    assert "\n" not in refused.value.message
