"""Proofs with OAuth: a draft is saved only when more tokens will come, and a test leaves no trace on the grant."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.configuration import Configuration
from domain.errors import AuthorizationRequired, ProviderRefused, Unavailable
from domain.failures.failure import Stage
from domain.grant import GrantState
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import GrantType
from domain.settings.written import WrittenSettings
from service.usecases import send_test
from tests.builders import CONFIGURATION_ID, a_configuration, a_draft, a_revision, an_oauth_authentication
from tests.consent_builders import a_grant, a_token_failure
from tests.fakes.authorization import Question, a_refusal
from tests.unit.service.consenting import oauth_settings, some_written_oauth
from tests.unit.service.world import CALLER, MINUTE, World

HOUR = timedelta(hours=1)


def new_secret() -> Configuration:
    """Active settings, and a draft that differs in the client secret alone."""
    draft = a_revision(number=2, settings=oauth_settings(client_secret=Secret("the new one")))
    return a_configuration(settings=oauth_settings(), draft=draft, last_revision=2)


async def tried(world: World, unsaved: WrittenSettings | None = None) -> send_test.TestSent:
    return await world.send_test(CALLER, CONFIGURATION_ID, to="anna@example.com", unsaved=unsaved, time_left=MINUTE)


async def test_given_a_new_client_secret_when_validated_then_the_token_endpoint_is_asked_with_it_first() -> None:
    world = World()
    await world.given(new_secret())
    await world.given_grant()

    validated = await world.validated()

    (asked,) = world.server.questions(Question.REFRESH)
    grant = await world.grant()
    assert asked.client.client_secret.reveal() == "the new one"
    assert validated.view.active is not None
    assert validated.view.active.revision.number == 2
    assert world.transport.signed_in_with == [grant.access_tokens[0].token.reveal()]
    assert (validated.trace.steps[0].stage, validated.trace.steps[0].succeeded) == (Stage.TOKEN, True)
    assert grant.generation == 2
    assert len(world.store.grants) == 1


async def test_given_a_wrong_new_client_secret_when_validated_then_nothing_is_saved_and_the_grant_is_untouched() -> (
    None
):
    """The present token is good for an hour; that alone proves nothing."""
    world = World()
    await world.given(new_secret())
    await world.given_grant()
    world.server.answers.append(a_refusal("invalid_client", status=401))
    before = world.snapshot()

    with pytest.raises(ProviderRefused) as refused:
        await world.validated()

    assert refused.value.failure.stage is Stage.TOKEN
    assert refused.value.trace is not None
    assert [(step.stage, step.succeeded) for step in refused.value.trace.steps] == [(Stage.TOKEN, False)]
    assert world.transport.submitted == []
    assert world.snapshot()[0] == before[0]
    grant = await world.grant()
    assert (grant.state, grant.failure, grant.failure_count, grant.retry_time) == (GrantState.AUTHORIZED, None, 0, None)
    assert (grant.generation, grant.refresh_token) == (1, Secret("RT1"))


async def test_given_a_wrong_new_client_secret_when_it_was_refused_then_the_active_settings_go_on_sending() -> None:
    world = World()
    await world.given(new_secret())
    await world.given_grant()
    world.server.answers.append(a_refusal("invalid_client", status=401))
    with pytest.raises(ProviderRefused):
        await world.validated()
    world.clock.advance(HOUR)
    await world.accepted()

    after = await world.attempted()

    assert after.state.value == "SENT"
    secrets = [asked.client.client_secret.reveal() for asked in world.server.questions(Question.REFRESH)]
    assert secrets == ["the new one", "client secret"]


async def test_given_a_draft_that_nobody_consented_to_when_validated_then_nobody_is_asked_or_connected() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))

    with pytest.raises(AuthorizationRequired) as refused:
        await world.validated()

    assert "Authorize" in refused.value.remedy
    assert world.server.asked == []
    assert world.transport.submitted == []


async def test_given_a_dead_grant_when_validated_then_its_reason_is_told_and_nobody_is_asked() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    failure = a_token_failure()
    await world.given_grant(a_grant(state=GrantState.REAUTHORIZATION_REQUIRED, failure=failure))

    with pytest.raises(ProviderRefused) as refused:
        await world.validated()

    assert refused.value.failure == failure
    assert refused.value.trace is not None
    assert [(step.stage, step.succeeded) for step in refused.value.trace.steps] == [(Stage.TOKEN, False)]
    assert world.server.asked == []
    assert world.transport.submitted == []


async def test_given_a_consent_that_was_withdrawn_when_validated_then_the_grant_is_dead_and_nothing_is_saved() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    await world.given_grant()
    world.server.answers.append(a_refusal("invalid_grant"))

    with pytest.raises(ProviderRefused) as refused:
        await world.validated()

    assert refused.value.reason is Reason.REAUTH_REQUIRED
    assert (await world.grant()).is_dead
    view = await world.get_configuration(CALLER, CONFIGURATION_ID)
    assert view.active is None


async def test_given_a_token_endpoint_that_hangs_when_validated_then_the_caller_hears_in_time() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    await world.given_grant()
    reached = asyncio.Event()

    async def hang() -> None:
        reached.set()
        await asyncio.Event().wait()

    world.server.while_asked = hang

    with pytest.raises(Unavailable) as refused:
        await world.validate_and_save(
            CALLER,
            CONFIGURATION_ID,
            user_email="",
            require_confirmation=False,
            etag="",
            time_left=timedelta(milliseconds=200),
        )

    assert refused.value.reason is Reason.AUTH_UNAVAILABLE
    assert reached.is_set()
    assert world.transport.submitted == []
    await world.fresh_tokens.drain(timedelta(0))


async def test_given_a_good_token_when_tested_then_it_signs_in_and_the_token_endpoint_is_not_asked() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant()
    before = world.snapshot()

    sent = await tried(world)

    assert sent.tested is send_test.Tested.ACTIVE
    assert world.transport.signed_in_with == ["AT1"]
    assert world.server.asked == []
    assert world.snapshot() == before


async def test_given_unsaved_settings_that_the_consent_covers_when_tested_then_its_token_signs_in() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant()
    before = world.snapshot()

    sent = await tried(world, some_written_oauth(from_name="New"))

    assert sent.tested is send_test.Tested.UNSAVED
    assert world.transport.signed_in_with == ["AT1"]
    assert world.transport.accepted[0].settings.from_name == "New"
    assert world.snapshot() == before


@pytest.mark.parametrize("changes", [{"client_id": "client-2"}, {"username": "eve@example.com"}])
async def test_given_unsaved_settings_that_no_consent_covers_when_tested_then_a_consent_is_asked_for(
    changes: dict[str, str],
) -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant()
    before = world.snapshot()

    with pytest.raises(AuthorizationRequired):
        await tried(world, some_written_oauth(an_oauth_authentication(**changes)))

    assert world.server.asked == []
    assert world.transport.submitted == []
    assert world.snapshot() == before


async def test_given_unsaved_settings_with_a_wrong_client_secret_when_tested_then_the_grant_is_untouched() -> None:
    """Their fault is not the grant's: what is in use goes on refreshing."""
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant()
    world.clock.advance(HOUR)
    world.server.answers.append(a_refusal("invalid_client", status=401))

    with pytest.raises(ProviderRefused):
        await tried(world, some_written_oauth(an_oauth_authentication(client_secret=Secret("wrong"))))

    grant = await world.grant()
    assert (grant.state, grant.failure, grant.generation) == (GrantState.AUTHORIZED, None, 1)


async def test_given_unsaved_settings_that_take_no_person_when_tested_then_one_token_is_asked_for_and_none_kept() -> (
    None
):
    world = World()
    client = an_oauth_authentication(grant_type=GrantType.CLIENT_CREDENTIALS, authorization_endpoint="")

    await tried(world, some_written_oauth(client))

    assert [asked.question for asked in world.server.asked] == [Question.ACQUIRE]
    assert world.store.grants == {}
