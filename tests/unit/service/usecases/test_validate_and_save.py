"""ValidateAndSave: a real mail proves the draft; in every other case nothing at all has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

import pytest

from domain.configuration import Configuration
from domain.delivery import DeliveryState
from domain.errors import (
    AuthorizationRequired,
    ConcurrentChange,
    DeadlineTooShort,
    InputInvalid,
    MailportError,
    NotFound,
    NotReady,
    ProviderRefused,
    SecretUnreadable,
    Unavailable,
)
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from service.usecases.validate_and_save import ValidateAndSave
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_caller,
    a_configuration,
    a_delivery,
    a_draft,
    a_failure,
    a_graph_transport,
    a_revision,
    an_address,
    an_oauth_authentication,
    some_settings,
    some_written_settings,
)
from tests.fakes.storage import FakeUnitOfWork
from tests.fakes.transport import Answer
from tests.fakes.vault import FakeVault
from tests.unit.service.world import CALLER, MINUTE, World

NEW = some_settings(from_name="New")


def both() -> Configuration:
    """An active revision 1 and a draft 2."""
    return a_configuration(draft=a_revision(number=2, settings=NEW), last_revision=2)


async def test_given_a_draft_when_the_server_takes_the_mail_then_it_is_active() -> None:
    world = World()
    await world.given(both())

    validated = await world.validated()

    assert validated.view.draft is None
    assert validated.view.active is not None
    assert validated.view.active.revision.settings == NEW
    assert validated.view.active.revision.validate_time == world.clock.now()
    assert validated.trace.steps
    assert (await world.get_configuration(CALLER, CONFIGURATION_ID)) == validated.view


async def test_given_a_draft_when_proven_then_the_mail_goes_to_the_user_with_the_draft() -> None:
    world = World()
    await world.given(both())

    validated = await world.validated()

    (mail,) = world.transport.accepted
    assert mail.settings == NEW
    assert mail.envelope.recipients == (an_address("olga@example.com"),)
    assert validated.recipient == an_address("olga@example.com")
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in mail.content


async def test_given_user_email_when_proven_then_it_goes_before_the_callers_claim() -> None:
    world = World()
    await world.given(both())

    validated = await world.validated(user_email="carl@example.com")

    assert str(validated.recipient) == "carl@example.com"


@pytest.mark.parametrize("state", [DeliveryState.HELD, DeliveryState.RETRYING])
async def test_given_waiting_deliveries_when_proven_then_they_are_due(state: DeliveryState) -> None:
    world = World()
    await world.given(both())
    waiting = await world.accepted(a_delivery(state=state, next_attempt_time=None))

    await world.validated()

    assert (await world.claim()).delivery.delivery_id == waiting.delivery_id


@pytest.mark.parametrize(
    "answer",
    [
        Answer(failure=a_failure(FailureKind.MISCONFIGURED, reason=Reason.AUTH_REJECTED, stage=Stage.AUTH)),
        Answer(failure=a_failure(FailureKind.TRANSIENT, reason=Reason.GREYLISTED, stage=Stage.MAIL_FROM)),
        Answer(failure=a_failure(FailureKind.IN_DOUBT, reason=Reason.CONNECTION_LOST)),
        Answer(refused=((an_address("olga@example.com"), a_failure(stage=Stage.RCPT_TO)),)),
    ],
    ids=["sign-in", "F21 greylisted", "in doubt", "F20 recipient"],
)
async def test_given_a_server_that_refuses_when_proven_then_everything_stored_is_as_it_was(answer: Answer) -> None:
    world = World()
    await world.given(both())
    await world.accepted(a_delivery(state=DeliveryState.RETRYING))
    before = world.snapshot()
    world.transport.answers.append(answer)

    with pytest.raises(ProviderRefused) as refused:
        await world.validated()

    expected = answer.failure or answer.refused[0][1]
    assert refused.value.failure == expected
    assert refused.value.trace is not None
    assert world.snapshot() == before


async def test_given_no_address_of_the_user_when_proven_then_asks_for_one_and_connects_nowhere() -> None:
    world = World()
    await world.given(both())

    with pytest.raises(NotReady) as refused:
        await world.validate_and_save(
            a_caller(email=""), CONFIGURATION_ID, user_email="", require_confirmation=False, etag="", time_left=MINUTE
        )

    assert refused.value.reason is Reason.USER_EMAIL_MISSING
    assert world.transport.submitted == []


async def test_given_a_user_email_that_is_none_when_proven_then_is_refused_and_connects_nowhere() -> None:
    world = World()
    await world.given(both())

    with pytest.raises(InputInvalid) as refused:
        await world.validated(user_email="a@example.com\r\nRCPT TO:<eve@example.net>")

    assert refused.value.violations[0].field == "user_email"
    assert world.transport.submitted == []


@pytest.mark.parametrize(
    ("configuration", "family", "reason"),
    [
        (a_configuration(), NotReady, Reason.NO_DRAFT),
        (
            a_draft(settings=some_settings(authentication=an_oauth_authentication())),
            AuthorizationRequired,
            Reason.NEEDS_AUTHORIZATION,
        ),
        (
            a_draft(settings=some_settings(transport=a_graph_transport(), authentication=an_oauth_authentication())),
            AuthorizationRequired,
            Reason.NEEDS_AUTHORIZATION,
        ),
        (a_draft(tenant=OTHER_TENANT), NotFound, Reason.NOT_FOUND),
    ],
    ids=["no draft", "oauth", "graph", "foreign"],
)
async def test_given_what_cannot_be_proven_when_called_then_connects_nowhere_and_changes_nothing(
    configuration: Configuration, family: type[MailportError], reason: Reason
) -> None:
    world = World()
    await world.given(configuration)
    before = world.snapshot()

    with pytest.raises(family) as refused:
        await world.validated()

    assert refused.value.reason is reason
    assert world.transport.submitted == []
    assert world.snapshot() == before


async def test_given_a_lost_key_when_proven_then_says_so_and_never_tries_an_empty_password() -> None:
    """F42."""
    world = World()
    await world.given(both())
    world.store.vault = FakeVault(keys=[2])
    before = world.snapshot()

    with pytest.raises(SecretUnreadable) as refused:
        await world.validated()

    assert refused.value.reason is Reason.SECRET_UNREADABLE
    assert refused.value.metadata == {"field": "settings.basic.password"}
    assert world.transport.submitted == []
    assert world.snapshot() == before


async def test_given_a_stale_etag_when_proven_then_connects_nowhere() -> None:
    world = World()
    await world.given(both())

    with pytest.raises(ConcurrentChange):
        await world.validated(etag='"1"')

    assert world.transport.submitted == []


async def test_given_a_draft_changed_while_it_was_proven_when_stored_then_the_change_stays_and_nothing_is_saved() -> (
    None
):
    world = World()
    await world.given(both())
    waiting = await world.accepted(a_delivery(state=DeliveryState.RETRYING, next_attempt_time=None))

    async def somebody_writes() -> None:
        await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_name="Newer"))

    world.transport.while_sending = somebody_writes

    with pytest.raises(ConcurrentChange):
        await world.validated()

    view = await world.get_configuration(CALLER, CONFIGURATION_ID)
    assert view.draft is not None
    assert view.draft.revision.settings.from_name == "Newer"
    assert view.configuration.active == both().active
    assert world.store.delivery(waiting.delivery_id) == waiting


async def test_given_a_database_away_after_the_mail_when_stored_then_the_call_fails_and_nothing_is_half_saved() -> None:
    """F46."""
    world = World()
    await world.given(both())
    before = world.snapshot()
    world.store.fail_next("commit")

    with pytest.raises(Unavailable):
        await world.validated()

    assert world.snapshot() == before


async def test_given_time_used_up_by_the_store_when_proven_then_the_server_gets_what_is_left() -> None:
    """P25: an explained answer has to come before the caller's deadline."""
    world = World()
    await world.given(both())

    class SlowUnit(FakeUnitOfWork):
        async def __aenter__(self) -> Self:
            world.clock.advance(timedelta(seconds=2))
            return await super().__aenter__()

    validate_and_save = ValidateAndSave(
        uow=lambda: SlowUnit(world.store),
        prove=world.prove,
        sources=world.sources,
        clock=world.clock,
        entropy=world.entropy,
        vault=world.vault,
    )

    await validate_and_save(
        CALLER, CONFIGURATION_ID, user_email="", require_confirmation=False, etag="", time_left=MINUTE
    )

    (mail,) = world.transport.submitted
    assert timedelta(seconds=57) < mail.patience.total < timedelta(seconds=58)


async def test_given_hardly_any_time_when_proven_then_is_refused_and_connects_nowhere() -> None:
    """P25: less than 100 ms left is refused."""
    world = World()
    await world.given(both())

    with pytest.raises(DeadlineTooShort):
        await world.validate_and_save(
            CALLER,
            CONFIGURATION_ID,
            user_email="",
            require_confirmation=False,
            etag="",
            time_left=timedelta(milliseconds=99),
        )

    assert world.transport.submitted == []


async def test_given_confirmation_wanted_when_the_mail_is_taken_then_the_draft_waits_and_nothing_else_changes() -> None:
    world = World()
    await world.given(both())
    waiting = await world.accepted(a_delivery(state=DeliveryState.RETRYING, next_attempt_time=None))
    world.entropy.codes.append("04711234")

    validated = await world.validated(require_confirmation=True)

    assert validated.view.draft is not None
    assert validated.view.draft.state == "AWAITING_CONFIRMATION"
    assert validated.view.configuration.active == both().active
    assert validated.confirmation_expire_time == world.clock.now() + timedelta(minutes=30)
    assert b" 04711234\r\n" in world.transport.accepted[0].content
    assert world.store.delivery(waiting.delivery_id) == waiting
    assert b"04711234" not in repr(world.snapshot()).encode(), "the code is stored nowhere"
