"""What the callback page says of a consent."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from domain.consent import CONSENT_LIFETIME
from domain.reasons import Reason
from domain.secret import Secret
from service.web.callback import CallbackOutcome
from service.web.consent_page import AUTHORIZED, NOT_AUTHORIZED, completes_consents
from tests.builders import a_configuration, a_draft, a_failure
from tests.fakes.authorization import Question, a_refusal
from tests.fakes.transport import Answer
from tests.unit.service.consenting import begun, callback_url, oauth_settings
from tests.unit.service.world import World

CALLBACK = "https://mail.example.com/oauth/callback"


async def a_world() -> World:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    return world


async def landed(world: World, url: Secret) -> CallbackOutcome:
    return await completes_consents(world.complete_auth)(url.reveal())


def words(outcome: CallbackOutcome) -> str:
    return " ".join([outcome.title, *outcome.message, outcome.remedy])


async def test_given_a_consent_to_a_draft_when_shown_then_the_page_says_who_consented_and_what_remains() -> None:
    world = await a_world()

    outcome = await landed(world, callback_url(await begun(world)))

    assert (outcome.ok, outcome.title) == (True, "SMTP Settings Authorized")
    assert outcome.message == ("robot@example.com consented for the configuration alerts.",)
    assert "validate and save" in outcome.remedy


@pytest.mark.parametrize("save", [True, False])
async def test_given_a_consent_that_leaves_nothing_to_do_when_shown_then_the_window_may_be_closed(save: bool) -> None:
    world = World()
    settings = oauth_settings()
    await world.given(a_draft(settings=settings) if save else a_configuration(settings=settings))

    outcome = await landed(world, callback_url(await begun(world, save=save)))

    assert (outcome.ok, outcome.remedy) == (True, "")
    assert outcome.message[-1] == "You can close this window."


async def test_given_an_account_that_could_not_be_proven_when_shown_then_the_page_warns_and_says_what_to_do() -> None:
    world = await a_world()
    world.server.account = ""
    world.transport.answers.append(Answer(failure=a_failure(reason=Reason.CONNECT_FAILED)))

    outcome = await landed(world, callback_url(await begun(world)))

    assert outcome.ok
    assert outcome.title == AUTHORIZED
    assert outcome.message[0] == "The consent is stored for the configuration alerts."
    assert "does not tell who consented" in outcome.message[1]
    assert "ValidateAndSave" in outcome.remedy


async def test_given_a_user_who_cancelled_when_shown_then_the_page_says_so_without_the_state() -> None:
    world = await a_world()
    authorization = await begun(world)
    query = urlencode({"state": authorization.state, "error": "access_denied"})

    outcome = await landed(world, Secret(f"{CALLBACK}?{query}"))

    assert (outcome.ok, outcome.title) == (False, NOT_AUTHORIZED)
    assert outcome.remedy
    assert authorization.state not in words(outcome)


@pytest.mark.parametrize("query", ["state=unknown-state&code=secret-code", "code=secret-code", "", "state=a&state=b"])
async def test_given_no_session_when_shown_then_the_page_says_what_to_do_in_words_for_a_person(query: str) -> None:
    """Without the name of a field, the state, or the code."""
    world = await a_world()

    outcome = await landed(world, Secret(f"{CALLBACK}?{query}"))

    assert (outcome.ok, outcome.title) == (False, NOT_AUTHORIZED)
    assert outcome.remedy
    for hidden in ("unknown-state", "secret-code", "callback_url:"):
        assert hidden not in words(outcome)


async def test_given_a_user_who_is_too_late_when_shown_then_the_page_says_so() -> None:
    world = await a_world()
    url = callback_url(await begun(world))
    world.clock.advance(CONSENT_LIFETIME)

    outcome = await landed(world, url)

    assert (outcome.ok, outcome.title) == (False, NOT_AUTHORIZED)
    assert "ten minutes" in words(outcome)


async def test_given_a_provider_that_refuses_the_code_when_shown_then_the_page_has_its_cause_and_remedy() -> None:
    world = await a_world()
    told = a_refusal("invalid_client", status=401)
    world.server.answers.append(told)

    outcome = await landed(world, callback_url(await begun(world)))

    assert outcome.message == (told.failure.cause,)
    assert outcome.remedy.startswith(told.failure.remedy)


async def test_given_a_store_that_is_away_when_shown_then_reloading_the_page_completes_the_consent() -> None:
    world = await a_world()
    url = callback_url(await begun(world))
    world.store.away = True

    away = await landed(world, url)
    world.store.away = False
    reloaded = await landed(world, url)

    assert (away.ok, away.title) == (False, NOT_AUTHORIZED)
    assert "Reload this page" in away.remedy
    assert reloaded.ok
    assert len(world.server.questions(Question.EXCHANGE)) == 1


async def test_given_a_consent_that_is_complete_when_the_page_is_reloaded_then_nothing_is_exchanged_again() -> None:
    world = await a_world()
    url = callback_url(await begun(world))

    first, again = await landed(world, url), await landed(world, url)

    assert (first.ok, again.ok) == (True, False)
    assert len(world.server.questions(Question.EXCHANGE)) == 1
