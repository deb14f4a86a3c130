"""T9: attacks on a consent, each refused for the right reason and without a call to the token endpoint (P13)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

import grpc
import pytest
import pytest_asyncio

from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as api
from service.web.callback import CALLBACK_PATH
from tests.end_to_end.consent_site import OURS, THEIRS, Site, Waiting, a_site
from tests.integration.rpc.edge import Refusal, refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOUBLES: Final = int(os.environ.get("MAILPORT_TESTS_DOUBLE_CALLBACKS", "100"))
AT_ONCE: Final = 8
Pairs = list[tuple[str, str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, postgres_server: str, _template: str) -> AsyncIterator[Site]:
    async with a_site(tmp_path_factory.mktemp("site"), server=postgres_server, template=_template) as running:
        yield running


async def refused(site: Site, request: api.CompleteAuthRequest, *, tenant: str = OURS) -> Refusal:
    return await refusal(site.call("CompleteAuth", request, tenant=tenant))


def at(waiting: Waiting, query: str = "") -> api.CompleteAuthRequest:
    """The callback as an address, by default the genuine one."""
    base = waiting.landed.partition("?")[0]
    return api.CompleteAuthRequest(callback_url=f"{base}?{query}" if query else waiting.landed)


async def is_pending(site: Site, waiting: Waiting) -> bool:
    found = await site.configuration(waiting.configuration_id, tenant=waiting.tenant)
    assert not found.HasField("grant")
    return bool(found.consent.state == configuration_pb2.CONSENT_STATE_PENDING)


async def completes(site: Site, waiting: Waiting) -> bool:
    """Brings the genuine callback."""
    completed = await site.call("CompleteAuth", at(waiting), tenant=waiting.tenant)
    return bool(completed.authorized)


def changed(**values: str) -> Callable[[Pairs], str]:
    """Puts other values in the place of the genuine ones."""
    return lambda pairs: urlencode([(name, values.get(name, value)) for name, value in pairs])


def altered(name: str, change: Callable[[str], str]) -> Callable[[Pairs], str]:
    """Changes one value."""
    return lambda pairs: urlencode([(each, change(value) if each == name else value) for each, value in pairs])


def without(name: str) -> Callable[[Pairs], str]:
    return lambda pairs: urlencode([each for each in pairs if each[0] != name])


def first(name: str, value: str = "") -> Callable[[Pairs], str]:
    """Puts a second parameter of that name before the genuine ones; the same value by default."""
    return lambda pairs: urlencode([(name, value or dict(pairs)[name]), *pairs])


def raw(name: str, encoded: str) -> Callable[[Pairs], str]:
    """Puts octets as they are in the place of one value."""
    return lambda pairs: f"{urlencode([each for each in pairs if each[0] != name])}&{name}={encoded}"


def near(state: str) -> str:
    return state[:-1] + ("A" if state[-1] != "A" else "B")


KEEPS_STATE: Final[dict[str, tuple[Callable[[Pairs], str], str]]] = {
    "a random state": (changed(state="S" * 43), "STATE_INVALID"),
    "a state that differs in its last letter": (altered("state", near), "STATE_INVALID"),
    "a state in other case": (altered("state", str.swapcase), "STATE_INVALID"),
    "the beginning of a state": (altered("state", lambda state: state[:-1]), "STATE_INVALID"),
    "more than a state": (altered("state", lambda state: f"{state}A"), "STATE_INVALID"),
    "blanks around a state": (altered("state", lambda state: f" {state} "), "STATE_INVALID"),
    "a state encoded twice": (altered("state", lambda state: f"%{ord(state[0]):02x}{state[1:]}"), "STATE_INVALID"),
    "a NUL after the state": (altered("state", lambda state: f"{state}\0"), "STATE_INVALID"),
    "SQL in the state": (changed(state="' or true --"), "STATE_INVALID"),
    "a state without end": (changed(state="S" * 513), "STATE_INVALID"),
    "an empty state": (changed(state=""), "STATE_INVALID"),
    "no state": (without("state"), "STATE_INVALID"),
    "the name of the state in other case": (lambda p: urlencode(p).replace("state=", "State="), "STATE_INVALID"),
    "the state as an array": (lambda p: urlencode(p).replace("state=", "state[]="), "STATE_INVALID"),
    "semicolons between": (lambda p: f"state={dict(p)['state']};code={dict(p)['code']}", "FIELD_REQUIRED"),
    "the state twice": (first("state"), "VALUE_MALFORMED"),
    "another state before": (first("state", "S" * 43), "VALUE_MALFORMED"),
    "the code twice": (first("code"), "VALUE_MALFORMED"),
    "a code of the attacker before": (first("code", "attackers-code"), "VALUE_MALFORMED"),
    "an empty code before": (lambda pairs: f"code=&{urlencode(pairs)}", "VALUE_MALFORMED"),
    "the issuer twice": (first("iss"), "VALUE_MALFORMED"),
    "another issuer before": (first("iss", "https://evil.example.com"), "VALUE_MALFORMED"),
    "two errors": (lambda pairs: f"error=a&error=b&{urlencode(pairs)}", "VALUE_MALFORMED"),
    "an empty code": (changed(code=""), "FIELD_REQUIRED"),
    "no code": (without("code"), "FIELD_REQUIRED"),
    "a NUL in the code": (raw("code", "abc%00def"), "CONTROL_CHARACTER"),
    "a line break in the code": (raw("code", "abc%0d%0aX-Evil:%201"), "CONTROL_CHARACTER"),
    "a control character in the code": (raw("code", "abc%1b%5b2J"), "CONTROL_CHARACTER"),
    "a code without end": (changed(code="c" * 8193), "VALUE_TOO_LONG"),
    "an address without end": (lambda pairs: f"{urlencode(pairs)}&x={'x' * 16_384}", "VALUE_TOO_LONG"),
    "a code that is no UTF-8": (raw("code", "abc%ff%fe"), "URL_INVALID"),
    "a state that is no UTF-8": (raw("state", "%c0%80"), "URL_INVALID"),
    "parameters without end": (lambda pairs: f"{urlencode(pairs)}{'&x=1' * 101}", "URL_INVALID"),
}
USES_STATE_UP: Final[dict[str, tuple[Callable[[Pairs], str], str]]] = {
    "another issuer": (changed(iss="https://evil.example.com"), "ISSUER_MISMATCH"),
    "an issuer that begins alike": (
        altered("iss", lambda iss: iss.replace("/sandbox", ".evil.example")),
        "ISSUER_MISMATCH",
    ),
    "an issuer as user info": (
        altered("iss", lambda iss: iss.replace("/sandbox", "@evil.example/")),
        "ISSUER_MISMATCH",
    ),
    "an issuer that is no URL": (changed(iss="javascript:alert(1)"), "ISSUER_MISMATCH"),
    "an error beside the code": (lambda pairs: f"error=access_denied&{urlencode(pairs)}", "AUTHORIZATION_DENIED"),
}


@pytest.mark.parametrize(("attack", "reason"), KEEPS_STATE.values(), ids=KEEPS_STATE)
async def test_given_an_address_that_was_tampered_with_when_it_comes_then_it_is_refused_and_the_genuine_one_stays_good(
    site: Site, attack: Callable[[Pairs], str], reason: str
) -> None:
    waiting = await site.waiting()
    query = attack(parse_qsl(waiting.query, keep_blank_values=True))

    with site.token_calls_made(0):
        answer = await refused(site, at(waiting, query))
        status = await site.open_page(query)
        assert await is_pending(site, waiting)

    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert status == 400
    assert await completes(site, waiting)


@pytest.mark.parametrize("through", ["rpc", "page"])
@pytest.mark.parametrize(("attack", "reason"), USES_STATE_UP.values(), ids=USES_STATE_UP)
async def test_given_a_callback_that_is_not_to_be_believed_when_it_comes_then_the_state_is_used_up_without_an_exchange(
    site: Site, attack: Callable[[Pairs], str], reason: str, through: str
) -> None:
    waiting = await site.waiting()
    query = attack(parse_qsl(waiting.query))

    with site.token_calls_made(0):
        if through == "rpc":
            assert (await refused(site, at(waiting, query))).reason == reason
        else:
            assert await site.open_page(query) == 400
        replayed = await refused(site, at(waiting))

    found = await site.configuration(waiting.configuration_id)
    assert replayed.reason == "STATE_INVALID"
    assert found.consent.state == configuration_pb2.CONSENT_STATE_REFUSED
    assert found.consent.failure.reason == reason
    assert not found.HasField("grant")


async def test_given_a_callback_that_was_completed_when_it_is_replayed_then_nothing_is_exchanged_again(
    site: Site,
) -> None:
    waiting = await site.waiting()

    with site.token_calls_made(1):
        assert await completes(site, waiting)
        again = await refused(site, at(waiting))
        status = await site.open_page(waiting.query)
        other_code = await refused(site, api.CompleteAuthRequest(state=waiting.state, code="another"))

    assert (again.reason, other_code.reason) == ("STATE_INVALID", "STATE_INVALID")
    assert status == 200  # the page says what came of it, to whoever reloads it
    found = await site.configuration(waiting.configuration_id)
    assert found.consent.state == configuration_pb2.CONSENT_STATE_AUTHORIZED


async def test_given_another_tenants_state_when_it_is_brought_then_it_is_unknown_and_stays_good_for_its_owner(
    site: Site,
) -> None:
    waiting = await site.waiting(tenant=THEIRS)

    with site.token_calls_made(0):
        stolen = await refused(site, at(waiting), tenant=OURS)
        invented = await refused(site, at(waiting, "state=invented&code=c"), tenant=OURS)

    assert (stolen.code, stolen.reason, stolen.message) == (invented.code, "STATE_INVALID", invented.message)
    assert await completes(site, waiting)


async def test_given_nobody_or_a_caller_without_the_role_when_a_state_is_brought_then_it_is_not_even_looked_up(
    site: Site,
) -> None:
    waiting = await site.waiting()

    with site.token_calls_made(0):
        anonymous = await refusal(site.mailport.stub.CompleteAuth(at(waiting)))
        without_role = await refusal(site.call("CompleteAuth", at(waiting), roles="send read"))

    assert (anonymous.reason, without_role.reason) == ("CALLER_UNAUTHENTICATED", "ROLE_MISSING")
    assert await completes(site, waiting)


async def test_given_a_user_who_comes_back_too_late_when_it_comes_then_it_is_refused_as_expired(site: Site) -> None:
    by_rpc, by_page = await site.waiting(), await site.waiting()
    await site.expire(by_rpc)
    await site.expire(by_page)

    with site.token_calls_made(0):
        late = await refused(site, at(by_rpc))
        status = await site.open_page(by_page.query)

    assert (late.code, late.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE_EXPIRED")
    assert status == 400
    for waiting in (by_rpc, by_page):
        assert not (await site.configuration(waiting.configuration_id)).HasField("grant")


async def test_given_the_code_of_one_session_when_it_comes_with_the_state_of_another_then_pkce_gives_no_grant(
    site: Site,
) -> None:
    """Only the provider can tell, so that one call is inevitable."""
    ours, attackers = await site.waiting(), await site.waiting()
    code = dict(parse_qsl(attackers.query))["code"]

    with site.token_calls_made(1):
        swapped = await refused(site, api.CompleteAuthRequest(state=ours.state, code=code))

    assert swapped.code is not grpc.StatusCode.OK
    assert swapped.reason
    for waiting in (ours, attackers):
        assert not (await site.configuration(waiting.configuration_id)).HasField("grant")


async def test_given_an_error_when_a_code_follows_with_its_state_then_it_is_used_up(site: Site) -> None:
    waiting = await site.waiting()

    with site.token_calls_made(0):
        denied = await refused(site, api.CompleteAuthRequest(state=waiting.state, error="access_denied"))
        followed = await refused(site, at(waiting))

    assert (denied.reason, followed.reason) == ("AUTHORIZATION_DENIED", "STATE_INVALID")


@pytest.mark.parametrize("field", ["state", "code", "error", "error_description", "iss"])
async def test_given_an_address_beside_its_parameters_when_they_come_then_nobody_guesses(
    site: Site, field: str
) -> None:
    waiting = await site.waiting()
    both = api.CompleteAuthRequest(callback_url=waiting.landed, **{field: "x"})

    with site.token_calls_made(0):
        answer = await refused(site, both)

    assert answer.reason == "FIELD_CONFLICT"
    assert await completes(site, waiting)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda waiting: api.CompleteAuthRequest(callback_url=waiting.landed.replace("?", "#")),
        lambda waiting: api.CompleteAuthRequest(callback_url=waiting.landed.partition("?")[0]),
        lambda waiting: api.CompleteAuthRequest(callback_url="javascript:alert(1)"),
        lambda waiting: api.CompleteAuthRequest(state=waiting.landed, code="c"),
        lambda waiting: api.CompleteAuthRequest(state=quote(waiting.state + "="), code="c"),
        lambda waiting: api.CompleteAuthRequest(state=waiting.state, code="c\0"),
        lambda waiting: api.CompleteAuthRequest(state=waiting.state, code="c\r\nd"),
        lambda waiting: api.CompleteAuthRequest(state=waiting.state, code="c" * 8193),
        lambda waiting: api.CompleteAuthRequest(state=waiting.state, code="c", iss="i" * 16_385),
        lambda waiting: api.CompleteAuthRequest(state=waiting.state),
        lambda waiting: api.CompleteAuthRequest(code=dict(parse_qsl(waiting.query))["code"]),
        lambda waiting: api.CompleteAuthRequest(),
    ],
    ids=[
        "fragment",
        "no query",
        "no address",
        "the address as state",
        "a state encoded",
        "NUL",
        "line break",
        "code without end",
        "issuer without end",
        "state alone",
        "code alone",
        "nothing",
    ],
)
async def test_given_a_request_that_is_no_callback_when_it_comes_then_the_genuine_one_stays_good(
    site: Site, request_of: Callable[[Waiting], api.CompleteAuthRequest]
) -> None:
    waiting = await site.waiting()

    with site.token_calls_made(0):
        answer = await refused(site, request_of(waiting))

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert waiting.state not in answer.message
    assert await completes(site, waiting)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("GET", {"Sec-Purpose": "prefetch"}, 503),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, 503),
        ("GET", {"Purpose": "prefetch"}, 503),
        ("GET", {"X-Moz": "prefetch"}, 503),
        ("GET", {"X-Purpose": "preview"}, 503),
        ("POST", {}, 405),
        ("PUT", {}, 405),
        ("OPTIONS", {}, 405),
    ],
)
async def test_given_a_request_that_no_person_made_when_it_opens_the_page_then_the_persons_own_still_works(
    site: Site, method: str, headers: dict[str, str], status: int
) -> None:
    waiting = await site.waiting()

    with site.token_calls_made(0):
        assert await site.open_page(waiting.query, method=method, headers=headers) == status
        assert await is_pending(site, waiting)

    assert await site.open_page(waiting.query) == 200


async def test_given_a_page_of_another_path_when_opened_with_the_callback_then_nothing_is_completed(
    site: Site,
) -> None:
    waiting = await site.waiting()
    base = site.mailport.service.web_url

    with site.token_calls_made(0):
        for path in (f"{CALLBACK_PATH}/x", f"/{CALLBACK_PATH.strip('/').upper()}", "/oauth"):
            assert (await site.browser.get(f"{base}{path}?{waiting.query}")).status_code == 404
        assert await is_pending(site, waiting)


async def test_given_a_revoked_consent_when_its_callback_is_replayed_then_nothing_comes_back(site: Site) -> None:
    waiting = await site.waiting()
    await completes(site, waiting)
    await site.call("RevokeAuth", api.RevokeAuthRequest(configuration_id=waiting.configuration_id))

    with site.token_calls_made(0):
        answer = await refused(site, at(waiting))
        status = await site.open_page(waiting.query)

    assert (answer.reason, status) == ("STATE_INVALID", 400)
    assert not (await site.configuration(waiting.configuration_id)).HasField("grant")


@pytest.mark.parametrize("is_made_anew", [False, True])
async def test_given_a_deleted_configuration_when_its_user_comes_back_then_there_is_nothing_also_when_made_anew(
    site: Site, is_made_anew: bool
) -> None:
    waiting = await site.waiting()
    await site.call("DeleteConfiguration", api.DeleteConfigurationRequest(configuration_id=waiting.configuration_id))
    if is_made_anew:
        await site.configured(waiting.configuration_id)

    with site.token_calls_made(0):
        answer = await refused(site, at(waiting))
        status = await site.open_page(waiting.query)

    assert (answer.reason, status) == ("STATE_INVALID", 400)


@pytest.mark.parametrize("through", ["rpc", "page"])
async def test_given_a_client_that_was_changed_meanwhile_when_the_user_comes_back_then_the_code_goes_nowhere(
    site: Site, through: str
) -> None:
    """Neither the old client's code nor the new one's secret reaches anybody."""
    waiting = await site.waiting()
    settings = site.settings()
    settings.oauth.client_id = "another-client"
    request = api.ConfigureRequest(configuration_id=waiting.configuration_id, settings=settings)
    await site.call("Configure", request)

    with site.token_calls_made(0):
        if through == "rpc":
            assert (await refused(site, at(waiting))).reason == "NOT_CONFIGURED"
        else:
            assert await site.open_page(waiting.query) == 400

    found = await site.configuration(waiting.configuration_id)
    assert found.consent.failure.reason == "NOT_CONFIGURED"
    assert not found.HasField("grant")


@pytest.mark.parametrize(
    "redirect_url",
    [
        "http://app.example.com/back",
        "http://127.0.0.1.evil.example/back",
        "http://localhost.evil.example/back",
        "https://user:password@app.example.com/back",
        "https://mail.example.com@evil.example/back",
        "https://app.example.com/back#fragment",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/back",
        "/back",
        "https://",
        "https://app.example.com/\r\nX-Evil: 1",
        "https://app.example.com/a b",
        "https:\\\\evil.example\\back",
        "file:///etc/passwd",
    ],
)
async def test_given_a_redirect_url_that_is_no_place_for_a_code_when_authorized_then_no_session_begins(
    site: Site, redirect_url: str
) -> None:
    name = await site.configured()
    request = api.AuthorizeRequest(configuration_id=name, redirect_url=redirect_url)

    answer = await refusal(site.call("Authorize", request))

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.reason
    assert not (await site.configuration(name)).HasField("consent")


async def test_given_a_login_hint_that_injects_parameters_when_authorized_then_it_is_one_value(site: Site) -> None:
    name = await site.configured()
    hint = "a@b.example&redirect_uri=https://evil.example&state=x#y"

    begun = await site.call("Authorize", api.AuthorizeRequest(configuration_id=name, login_hint=hint))

    parameters = parse_qs(begun.authorization_url.partition("?")[2], strict_parsing=True)
    assert parameters["login_hint"] == [hint]
    assert parameters["state"] == [begun.state]
    assert parameters["redirect_uri"] == [begun.redirect_url]
    assert "#" not in begun.authorization_url


async def test_given_a_login_hint_with_a_line_break_when_authorized_then_no_session_begins(site: Site) -> None:
    name = await site.configured()
    request = api.AuthorizeRequest(configuration_id=name, login_hint="a\r\nX-Evil: 1")

    answer = await refusal(site.call("Authorize", request))

    assert answer.reason == "CONTROL_CHARACTER"
    assert not (await site.configuration(name)).HasField("consent")


async def test_given_double_callbacks_when_both_arrive_at_once_then_each_state_is_exchanged_exactly_once(
    site: Site,
) -> None:
    """By RPC and through the page in parallel; `MAILPORT_TESTS_DOUBLE_CALLBACKS` says how many."""
    shares = [DOUBLES // AT_ONCE + (number < DOUBLES % AT_ONCE) for number in range(AT_ONCE)]

    async def doubles(times: int) -> None:
        name = await site.configured()
        for _ in range(times):
            waiting = await site.waiting(name)
            by_rpc = asyncio.ensure_future(site.call("CompleteAuth", at(waiting)))
            by_page, _ = await asyncio.gather(site.open_page(waiting.query), asyncio.wait([by_rpc]))
            if by_rpc.exception() is None:
                assert by_rpc.result().authorized
                assert by_page == 400
            else:
                assert (await refusal(by_rpc)).reason == "STATE_INVALID"
                assert by_page == 200
        found = await site.configuration(name)
        assert found.consent.state == configuration_pb2.CONSENT_STATE_AUTHORIZED
        assert found.HasField("grant")

    with site.token_calls_made(DOUBLES):
        await asyncio.gather(*(doubles(share) for share in shares))
