"""ConfirmValidation: the mailed code, a few tries, half an hour, this draft and no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from domain.configuration import CONFIRMATION_LIFETIME, CONFIRMATION_TRIES, Configuration
from domain.delivery import DeliveryState
from domain.errors import InputInvalid, MailportError, NotFound, NotReady, Violation
from domain.reasons import Reason
from service.usecases.validate_and_save import code_digest
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_caller,
    a_configuration,
    a_delivery,
    a_draft,
    a_revision,
    some_written_settings,
)
from tests.fakes.vault import FakeVault
from tests.unit.service.world import CALLER, World

CODE = "12345678"


async def a_world_that_waits_for_the_code() -> World:
    world = World()
    await world.given(a_configuration(draft=a_revision(number=2), last_revision=2))
    world.entropy.codes.append(CODE)
    await world.validated(require_confirmation=True)
    return world


@pytest.mark.parametrize("typed", [CODE, "1234 5678", " 12345678\n"])
async def test_given_the_code_when_it_comes_back_then_the_draft_is_active_and_mail_released(typed: str) -> None:
    world = await a_world_that_waits_for_the_code()
    waiting = await world.accepted(a_delivery(state=DeliveryState.HELD, next_attempt_time=None))

    view = await world.confirm_validation(CALLER, CONFIGURATION_ID, typed)

    assert view.draft is None
    assert view.active is not None
    assert view.active.revision.number == 2
    assert view.active.revision.confirmation is None
    assert (await world.claim()).delivery.delivery_id == waiting.delivery_id


async def test_given_a_wrong_code_when_it_comes_back_then_one_try_is_used_up_for_good() -> None:
    world = await a_world_that_waits_for_the_code()
    waiting = await world.accepted(a_delivery(state=DeliveryState.HELD, next_attempt_time=None))

    with pytest.raises(InputInvalid) as refused:
        await world.confirm_validation(CALLER, CONFIGURATION_ID, "00000000")

    view = await world.get_configuration(CALLER, CONFIGURATION_ID)
    assert refused.value.reason is Reason.CONFIRMATION_CODE_WRONG
    assert view.configuration.active == a_configuration().active
    assert view.draft is not None
    assert view.draft.revision.confirmation is not None
    assert view.draft.revision.confirmation.tries_left == CONFIRMATION_TRIES - 1
    assert world.store.delivery(waiting.delivery_id) == waiting


async def test_given_all_tries_used_when_the_right_code_comes_then_it_is_too_late() -> None:
    world = await a_world_that_waits_for_the_code()

    for _ in range(CONFIRMATION_TRIES):
        with pytest.raises(InputInvalid):
            await world.confirm_validation(CALLER, CONFIGURATION_ID, "00000000")
    with pytest.raises(NotReady) as refused:
        await world.confirm_validation(CALLER, CONFIGURATION_ID, CODE)

    assert refused.value.reason is Reason.CONFIRMATION_EXPIRED


async def test_given_many_guesses_at_once_when_they_arrive_then_no_more_are_judged_than_there_are_tries() -> None:
    world = await a_world_that_waits_for_the_code()

    results = await asyncio.gather(
        *(world.confirm_validation(CALLER, CONFIGURATION_ID, f"{guess:08}") for guess in range(40)),
        return_exceptions=True,
    )

    reasons = Counter(result.reason for result in results if isinstance(result, MailportError))
    assert reasons == {Reason.CONFIRMATION_CODE_WRONG: CONFIRMATION_TRIES, Reason.CONFIRMATION_EXPIRED: 35}


async def test_given_the_code_many_times_at_once_when_it_comes_back_then_one_call_activates_and_no_other() -> None:
    world = await a_world_that_waits_for_the_code()

    results = await asyncio.gather(
        *(world.confirm_validation(CALLER, CONFIGURATION_ID, CODE) for _ in range(10)), return_exceptions=True
    )

    reasons = Counter(result.reason if isinstance(result, MailportError) else "active" for result in results)
    assert reasons == {"active": 1, Reason.NO_CONFIRMATION_PENDING: 9}


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", Reason.FIELD_REQUIRED),
        (" \t\n", Reason.FIELD_REQUIRED),
        ("1234567", Reason.VALUE_MALFORMED),
        ("123456789", Reason.VALUE_MALFORMED),
        ("1234-5678", Reason.VALUE_MALFORMED),
        ("\u0661" * 8, Reason.VALUE_MALFORMED),
    ],
)
async def test_given_what_is_no_code_when_it_comes_then_says_so_and_no_try_is_used_up(
    typed: str, reason: Reason
) -> None:
    world = await a_world_that_waits_for_the_code()
    before = world.snapshot()

    with pytest.raises(InputInvalid) as refused:
        await world.confirm_validation(CALLER, CONFIGURATION_ID, typed)

    assert [(v.field, v.reason) for v in refused.value.violations] == [("code", reason)]
    assert world.snapshot() == before


@pytest.mark.parametrize(("typed", "fields"), [("", ["configuration_id", "code"]), (CODE, ["configuration_id"])])
async def test_given_what_is_wrong_already_when_confirmed_then_is_named_beside_the_code(
    typed: str, fields: list[str]
) -> None:
    world = await a_world_that_waits_for_the_code()
    already = Violation("configuration_id", Reason.FIELD_REQUIRED, "no", "yes")

    with pytest.raises(InputInvalid) as refused:
        await world.confirm_validation(CALLER, "", typed, found=[already])

    assert [v.field for v in refused.value.violations] == fields


async def test_given_half_an_hour_over_when_the_code_comes_then_it_is_too_late() -> None:
    world = await a_world_that_waits_for_the_code()
    world.clock.advance(CONFIRMATION_LIFETIME)

    with pytest.raises(NotReady) as refused:
        await world.confirm_validation(CALLER, CONFIGURATION_ID, CODE)

    assert refused.value.reason is Reason.CONFIRMATION_EXPIRED


async def test_given_the_draft_was_written_anew_when_its_former_code_comes_then_nothing_waits_for_it() -> None:
    world = await a_world_that_waits_for_the_code()
    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_name="Newer"))

    with pytest.raises(NotReady) as refused:
        await world.confirm_validation(CALLER, CONFIGURATION_ID, CODE)

    assert refused.value.reason is Reason.NO_CONFIRMATION_PENDING


async def test_given_a_newer_mail_for_another_draft_when_the_former_code_comes_then_it_is_wrong() -> None:
    world = await a_world_that_waits_for_the_code()
    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_name="Newer"))
    world.entropy.codes.append("99999999")
    await world.validated(require_confirmation=True)

    with pytest.raises(InputInvalid):
        await world.confirm_validation(CALLER, CONFIGURATION_ID, CODE)
    view = await world.confirm_validation(CALLER, CONFIGURATION_ID, "99999999")

    assert view.active is not None
    assert view.active.revision.settings.from_name == "Newer"


async def test_given_nothing_mailed_when_a_code_comes_then_nothing_waits_for_it() -> None:
    world = World()
    await world.given()

    with pytest.raises(NotReady) as refused:
        await world.confirm_validation(CALLER, CONFIGURATION_ID, CODE)

    assert refused.value.reason is Reason.NO_CONFIRMATION_PENDING


async def test_given_another_tenant_when_it_brings_the_code_then_finds_no_configuration() -> None:
    world = await a_world_that_waits_for_the_code()
    before = world.snapshot()

    with pytest.raises(NotFound):
        await world.confirm_validation(a_caller(tenant=OTHER_TENANT), CONFIGURATION_ID, CODE)

    assert world.snapshot() == before


@pytest.mark.parametrize(
    "other",
    [
        a_draft(tenant=OTHER_TENANT),
        a_draft(configuration_id="billing"),
        replace(a_draft(), draft=a_revision(number=2)),
    ],
    ids=["tenant", "configuration", "draft"],
)
def test_given_a_code_when_hashed_then_it_fits_one_draft_of_one_configuration_alone(other: Configuration) -> None:
    vault = FakeVault()

    assert code_digest(vault, other, CODE) != code_digest(vault, a_draft(), CODE)
    assert code_digest(vault, a_draft(), CODE) == code_digest(vault, a_draft(), CODE)
