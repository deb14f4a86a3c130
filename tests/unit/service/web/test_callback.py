"""The page that a browser lands on after consent."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette

from service import logs
from service.web.callback import CALLBACK_PATH, CallbackOutcome, callback_route

CODE, STATE = "4/0AbC+dE!x*.y~_-", "st4te-of-256-bits"
QUERY = "code=4%2F0AbC%2BdE%21x*.y~_-&state=st4te-of-256-bits&scope=a%20b&session_state=zz"
AUTHORIZED = CallbackOutcome(ok=True, title="SMTP Settings Authorized", message=("robot@example.com may send.",))
REFUSED = CallbackOutcome(
    ok=False, title="Not authorized", message=("The consent was refused.",), remedy="Start again, and allow it."
)


class Complete:
    """Remembers the URLs it was called with."""

    def __init__(self, answer: CallbackOutcome | Exception) -> None:
        self.urls: list[str] = []
        self._answer = answer

    async def __call__(self, callback_url: str) -> CallbackOutcome:
        self.urls.append(callback_url)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def open_page(
    complete: Complete, *, query: str = QUERY, method: str = "GET", headers: dict[str, str] | None = None
) -> httpx2.Response:
    app = Starlette(routes=[callback_route(complete=complete)])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        return await client.request(method, f"{CALLBACK_PATH}?{query}", headers=headers)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    noisy = {name: logging.getLogger(name).level for name in logs._NOISY}
    stream = io.StringIO()
    logs.set_up_logs(level="debug", form="json", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in noisy.items():
        logging.getLogger(name).setLevel(former)


async def test_given_a_consent_when_the_browser_lands_then_it_is_completed_with_the_url_as_it_was_sent() -> None:
    """F32."""
    complete = Complete(AUTHORIZED)

    answer = await open_page(complete)

    assert answer.status_code == 200
    assert complete.urls == [f"http://127.0.0.1:8080{CALLBACK_PATH}?{QUERY}"]
    assert "<h1>SMTP Settings Authorized</h1>" in answer.text
    assert "robot@example.com may send." in answer.text
    assert "What to do" not in answer.text


async def test_given_a_refused_consent_when_the_browser_lands_then_the_page_says_why_and_what_to_do() -> None:
    """F31."""
    answer = await open_page(Complete(REFUSED), query="error=access_denied&state=S1")

    assert answer.status_code == 400
    assert "<h1>Not authorized</h1>" in answer.text
    assert "The consent was refused." in answer.text
    assert "Start again, and allow it." in answer.text


@pytest.mark.parametrize("outcome", [AUTHORIZED, REFUSED, RuntimeError("x")])
async def test_given_any_outcome_when_shown_then_the_page_runs_nothing_stays_nowhere_and_tells_nobody(
    outcome: CallbackOutcome | Exception,
) -> None:
    answer = await open_page(Complete(outcome))

    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy.pop("style-src").startswith("'nonce-")
    assert policy.pop("img-src") == "data:"
    assert set(policy.values()) == {"'none'"}
    assert set(policy) == {"default-src", "form-action", "base-uri", "frame-ancestors"}
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert "http" not in answer.text


async def test_given_texts_that_hold_code_or_state_when_shown_then_they_are_struck_out() -> None:
    told = CallbackOutcome(ok=False, title=f"Bad {CODE}", message=(f"state {STATE}",), remedy=f"not {CODE}")

    answer = await open_page(Complete(told))

    assert CODE not in answer.text
    assert STATE not in answer.text
    assert "Bad ***" in answer.text


async def test_given_markup_in_a_providers_words_when_shown_then_it_is_escaped() -> None:
    told = CallbackOutcome(ok=False, title="<img src=x>", message=("<script>alert(1)</script>",))

    answer = await open_page(Complete(told))

    assert "<img" not in answer.text
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    ("method", "headers", "status_code"),
    [
        ("HEAD", {}, 200),
        ("POST", {}, 405),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, 503),
        ("GET", {"Purpose": "prefetch"}, 503),
        ("GET", {"X-Moz": "prefetch"}, 503),
        ("GET", {"X-Purpose": "preview"}, 503),
    ],
)
async def test_given_a_request_that_no_person_made_when_it_comes_then_nothing_is_completed(
    method: str, headers: dict[str, str], status_code: int
) -> None:
    complete = Complete(AUTHORIZED)

    answer = await open_page(complete, method=method, headers=headers)

    assert answer.status_code == status_code
    assert complete.urls == []


async def test_given_a_fault_of_ours_when_completing_then_the_page_says_so_and_the_log_holds_nothing_of_the_url(
    log: io.StringIO,
) -> None:
    answer = await open_page(Complete(RuntimeError(f"failed for {CODE} and {STATE}")))

    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert '"event": "callback_failed"' in log.getvalue()
    for canary in (CODE, STATE, QUERY, "4%2F0AbC"):
        assert canary not in log.getvalue()
        assert canary not in answer.text
