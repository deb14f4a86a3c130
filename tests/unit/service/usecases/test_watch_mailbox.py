"""WatchMailbox: each message once per stream, over one connection for all who watch, and never just quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import AuthorizationRequired, MailportError, NotFound, NotReady, ProviderRefused, Unavailable
from domain.failures.failure import FailureKind
from domain.mailbox_names import WatchCursor
from domain.ports.mailbox import News, RawSource
from domain.reasons import Reason
from service.usecases.folder_hub import MOST_CATCHING_UP, MOST_KEPT
from service.usecases.folder_hubs import FolderHubs
from service.usecases.watch_mailbox import WatchedMail, WatchMailbox
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_caller,
    a_configuration,
    a_delivery,
    a_draft,
    a_mailbox,
    a_report,
    a_revision,
    an_oauth_authentication,
    some_settings,
)
from tests.fakes.mailbox import a_mailbox_failure
from tests.unit.service.world import CALLER, World, until

SOON = 5.0


def raw(number: int, **fields: str) -> bytes:
    """Returns a message whose subject is *number*."""
    written = {"From": "zoe@example.org", "Subject": str(number), "Message-ID": f"<{number}@example.org>", **fields}
    return "".join(f"{name}: {value}\r\n" for name, value in written.items()).encode() + b"\r\nHello.\r\n"


async def a_world(**changes: Any) -> World:
    world = World()
    await world.given(a_configuration(settings=some_settings(mailbox=a_mailbox(), **changes)))
    return world


@asynccontextmanager
async def a_watch(
    world: World, *, cursor: str = "", folder: str = "INBOX"
) -> AsyncIterator[AsyncGenerator[WatchedMail]]:
    watch = world.watch_mailbox(CALLER, CONFIGURATION_ID, folder, cursor=cursor)
    async with aclosing(watch):
        yield watch


async def following(watch: AsyncGenerator[WatchedMail]) -> WatchedMail:
    """The next answer, which comes soon."""
    async with asyncio.timeout(SOON):
        return await anext(watch)


async def subjects(watch: AsyncGenerator[WatchedMail], count: int) -> list[str]:
    return [each.mail.header.subject if (each := await following(watch)).mail else "" for _ in range(count)]


async def test_given_a_watch_when_mail_arrives_then_it_stands_first_and_each_message_comes_once_with_its_cursor() -> (
    None
):
    world = await a_world()
    world.mailbox.deliver(raw(0))
    async with a_watch(world) as watch:
        stands = await following(watch)
        world.mailbox.deliver(raw(1))
        first = await following(watch)
        world.mailbox.deliver(raw(2))
        second = await following(watch)

    assert (stands.mail, stands.cursor.last_uid) == (None, 1)
    assert first.mail is not None
    assert second.mail is not None
    assert [first.mail.header.subject, second.mail.header.subject] == ["1", "2"]
    assert [first.cursor.last_uid, second.cursor.last_uid] == [2, 3]
    assert str(first.mail.message.id) != str(second.mail.message.id)


async def test_given_three_watchers_of_a_folder_when_mail_arrives_then_one_connection_brings_it_to_all() -> None:
    world = await a_world()
    async with a_watch(world) as one, a_watch(world) as two, a_watch(world) as three:
        for watch in (one, two, three):
            await following(watch)
        world.mailbox.deliver(raw(1))
        told = [await subjects(watch, 1) for watch in (one, two, three)]
        connections = world.mailbox.following

    assert told == [["1"]] * 3
    assert connections == 1
    assert world.mailbox.following == 0
    assert world.events.followed == (0, 0)


async def test_given_two_folders_when_watched_then_each_has_its_own_and_their_cursors_do_not_fit() -> None:
    world = await a_world()
    async with a_watch(world) as inbox, a_watch(world, folder="Sent") as sent:
        stands = await following(inbox)
        await following(sent)
        world.mailbox.deliver(raw(1), folder="Sent")
        told = await subjects(sent, 1)

    assert told == ["1"]
    with pytest.raises(NotReady) as refused:
        async with a_watch(world, folder="Sent", cursor=str(stands.cursor)) as watch:
            await following(watch)
    assert refused.value.reason is Reason.CURSOR_INVALID


@pytest.mark.parametrize("others", [False, True], ids=["alone", "while another watches"])
async def test_given_a_watch_that_broke_when_resumed_then_nothing_is_missing_and_nothing_comes_twice(
    others: bool,
) -> None:
    world = await a_world()
    async with a_watch(world) as other:
        if others:
            await following(other)
        async with a_watch(world) as watch:
            await following(watch)
            world.mailbox.deliver(raw(1))
            handled = await following(watch)
        for number in (2, 3, 4):
            world.mailbox.deliver(raw(number))
        if others:
            await subjects(other, 4)

        async with a_watch(world, cursor=str(handled.cursor)) as watch:
            stands = await following(watch)
            missed = await subjects(watch, 3)
            world.mailbox.deliver(raw(5))
            later = await subjects(watch, 1)
            connections = world.mailbox.following

    assert stands == WatchedMail(handled.cursor)
    assert (missed, later) == (["2", "3", "4"], ["5"])
    assert connections == 1, "what was missed came over a connection that has ended"


async def test_given_missed_messages_that_were_expunged_when_resumed_then_what_comes_next_comes() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        stands = await following(watch)
    uids = [world.mailbox.deliver(raw(number)) for number in (1, 2)]
    for uid in uids:
        world.mailbox.expunge(uid)

    async with a_watch(world, cursor=str(stands.cursor)) as watch:
        await following(watch)
        coming = asyncio.ensure_future(following(watch))
        await until(lambda: world.mailbox.following == 2)
        world.mailbox.prove_alive()
        await until(lambda: world.mailbox.following == 1)
        world.mailbox.deliver(raw(3))
        told = await coming

    assert told.mail is not None
    assert told.mail.header.subject == "3"


async def test_given_a_batch_that_goes_before_it_is_fetched_when_resumed_then_what_is_behind_it_comes() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        stands = await following(watch)
    uids = [world.mailbox.deliver(raw(number)) for number in range(3)]
    standing = world.mailbox.follow

    async def without_the_first(
        *arguments: Any, cursor: WatchCursor | None = None, **named: Any
    ) -> AsyncIterator[News]:
        async for news in standing(*arguments, cursor=cursor, **named):
            if cursor is not None and news.messages:
                yield News(replace(news.cursor, last_uid=uids[0]))
                news = replace(news, messages=news.messages[1:])
            yield news

    async with a_watch(world) as other:
        await following(other)  # so that the hub begins behind them
        world.mailbox.follow = without_the_first  # type: ignore[method-assign]
        async with a_watch(world, cursor=str(stands.cursor)) as watch:
            await following(watch)
            told = await subjects(watch, 2)

    assert told == ["1", "2"]


async def test_given_watchers_that_take_nothing_when_all_turns_are_theirs_then_another_one_catches_up() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        stands = await following(watch)
    for number in range(5):
        world.mailbox.deliver(raw(number))

    async with AsyncExitStack() as stack:
        await following(await stack.enter_async_context(a_watch(world)))  # so that the hub begins behind them
        stalled = [
            await stack.enter_async_context(a_watch(world, cursor=str(stands.cursor))) for _ in range(MOST_CATCHING_UP)
        ]
        for watch in stalled:
            await following(watch)
            await subjects(watch, 1)
        await until(lambda: world.mailbox.following == 1 + MOST_CATCHING_UP)
        async with a_watch(world, cursor=str(stands.cursor)) as watch:
            await following(watch)
            told = await subjects(watch, 5)
        later = await subjects(stalled[0], 4)

    assert told == ["0", "1", "2", "3", "4"]
    assert later == ["1", "2", "3", "4"]


async def test_given_cuts_when_mail_arrives_meanwhile_then_all_of_it_comes_once_and_the_operator_sees_the_cuts() -> (
    None
):
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        told = []
        for number in range(20):
            world.mailbox.cut()
            world.mailbox.deliver(raw(number))
            told += await subjects(watch, 1)

    assert told == [str(number) for number in range(20)]
    breaks = [reason for _, reason in world.events.watches if reason is not None]
    assert breaks == [Reason.CONNECTION_LOST] * 20


async def test_given_a_server_that_stays_away_when_watched_then_the_stream_ends_with_its_failure_in_bounded_time() -> (
    None
):
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        world.mailbox.usual_failure = a_mailbox_failure()
        world.mailbox.cut()
        coming = asyncio.ensure_future(following(watch))
        await until(lambda: world.events.followed == (0, 1))
        world.clock.advance(timedelta(minutes=10))
        with pytest.raises(ProviderRefused) as refused:
            await coming

    assert refused.value.failure.kind is FailureKind.TRANSIENT
    assert world.events.watches_ended[-1][1] is Reason.CONNECTION_LOST
    assert world.mailbox.following == 0


async def test_given_a_quiet_connection_when_it_breaks_before_it_is_renewed_then_the_watch_goes_on_f40() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        for number in range(3):
            world.clock.advance(timedelta(minutes=4, seconds=50))  # IDLE is renewed every five
            world.mailbox.cut()
            await until(lambda: world.mailbox.following == 0)
            world.mailbox.deliver(raw(number))
            assert await subjects(watch, 1) == [str(number)]


@pytest.mark.parametrize(
    ("reason", "after"),
    [(Reason.CONNECTION_LOST, timedelta(seconds=2)), (Reason.SERVER_SILENT, timedelta(seconds=61))],
)
async def test_given_a_message_over_which_each_connection_breaks_when_watched_then_the_stream_ends_and_is_not_quiet(
    reason: Reason, after: timedelta
) -> None:
    world = await a_world()
    impatient = replace(world.following, blind=timedelta(seconds=10))
    world.watch_mailbox = WatchMailbox(hubs=FolderHubs(following=impatient), following=impatient)
    async with a_watch(world) as watch:
        await following(watch)
        standing = world.mailbox.follow

        async def break_over_it(*arguments: Any, **named: Any) -> AsyncIterator[News]:
            followed = standing(*arguments, **named)
            yield await anext(followed)
            await followed.aclose()  # type: ignore[attr-defined]
            world.clock.advance(after)
            raise ProviderRefused(a_mailbox_failure(reason=reason))

        world.mailbox.follow = break_over_it  # type: ignore[method-assign]
        world.mailbox.cut()
        with pytest.raises(ProviderRefused) as refused:
            await following(watch)

    assert refused.value.reason is reason


async def test_given_a_report_that_cannot_be_fetched_at_first_when_watched_then_its_bounce_is_recorded() -> None:
    world = await a_world()
    ours = await world.accepted(a_delivery(message_id="<ours@example.com>"))
    async with a_watch(world) as watch:
        await following(watch)
        opened, refused = world.mailbox.open_source, [a_mailbox_failure()] * 4

        async def refuse_at_first(*arguments: Any, **named: Any) -> RawSource:
            if refused:
                raise ProviderRefused(refused.pop())
            return await opened(*arguments, **named)

        world.mailbox.open_source = refuse_at_first  # type: ignore[method-assign]
        world.mailbox.deliver(a_report("<ours@example.com>"))
        told = await following(watch)

    view = await world.get_delivery(CALLER, ours.delivery_id)
    assert told.mail is not None
    assert told.mail.delivery_id == ours.delivery_id
    assert [bounce.address for bounce in view.bounces] == ["anna@example.com"]


async def test_given_a_report_that_can_never_be_fetched_when_watched_then_it_holds_back_nothing() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)

        async def refuse(*arguments: Any, **named: Any) -> RawSource:
            raise ProviderRefused(a_mailbox_failure())

        world.mailbox.open_source = refuse  # type: ignore[method-assign]
        world.mailbox.deliver(a_report("<ours@example.com>"))
        world.mailbox.deliver(raw(1))
        told = await subjects(watch, 2)

    assert told == ["Undelivered", "1"]


@pytest.mark.parametrize("kind", [FailureKind.REAUTHORIZE, FailureKind.MISCONFIGURED, FailureKind.PERMANENT])
async def test_given_a_failure_that_waiting_does_not_heal_when_met_then_all_watches_end_with_it(
    kind: FailureKind,
) -> None:
    world = await a_world()
    async with a_watch(world) as one, a_watch(world) as two:
        await following(one)
        await following(two)
        world.mailbox.cut(a_mailbox_failure(kind, reason=Reason.AUTH_REJECTED))
        ends = []
        for watch in (one, two):
            with pytest.raises(ProviderRefused) as refused:
                await following(watch)
            ends.append(refused.value.failure.kind)

    assert ends == [kind, kind]


async def test_given_a_server_that_refuses_at_once_when_watched_then_the_refusal_is_the_answer() -> None:
    world = await a_world()
    world.mailbox.failures.append(a_mailbox_failure())

    async with a_watch(world) as watch:
        with pytest.raises(ProviderRefused):
            await following(watch)
    async with a_watch(world) as again:
        stands = await following(again)

    assert stands.mail is None


async def test_given_a_folder_that_is_rebuilt_when_watched_then_what_came_is_given_and_the_cursor_is_void_f39() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        world.mailbox.deliver(raw(1))
        handled = await following(watch)
        world.mailbox.rebuild()
        with pytest.raises(NotReady) as ended:
            await following(watch)
    with pytest.raises(NotReady) as resumed:
        async with a_watch(world, cursor=str(handled.cursor)) as watch:
            await following(watch)
    async with a_watch(world) as watch:
        anew = await following(watch)

    assert ended.value.reason is resumed.value.reason is Reason.CURSOR_INVALID
    assert anew.cursor.uid_validity != handled.cursor.uid_validity


@pytest.mark.parametrize("cursor", ["nonsense", "x" * 5000])
async def test_given_no_cursor_of_ours_when_watched_then_refused(cursor: str) -> None:
    world = await a_world()

    async with a_watch(world, cursor=cursor) as watch:
        with pytest.raises(NotReady) as refused:
            await following(watch)

    assert refused.value.reason is Reason.CURSOR_INVALID
    assert world.mailbox.following == 0


async def test_given_a_cursor_of_another_account_when_watched_then_refused() -> None:
    world = await a_world()
    foreign = WatchCursor("ab" * 12, "INBOX", 111, 1)

    async with a_watch(world, cursor=str(foreign)) as watch:
        with pytest.raises(NotReady) as refused:
            await following(watch)

    assert refused.value.reason is Reason.CURSOR_INVALID


async def test_given_nothing_new_when_time_passes_then_signs_of_life_carry_the_last_cursor() -> None:
    world = await a_world()
    quick = WatchMailbox(hubs=world.hubs, following=world.following, alive_every=timedelta(milliseconds=5))
    watch = quick(CALLER, CONFIGURATION_ID, "INBOX", cursor="")
    async with aclosing(watch):
        stands = await following(watch)
        signs = [await following(watch) for _ in range(3)]
        world.mailbox.deliver(raw(1))
        while (told := await following(watch)).mail is None:
            pass

    assert signs == [stands] * 3
    assert told.mail.header.subject == "1"


async def test_given_a_watcher_that_takes_nothing_when_thousands_arrive_then_memory_is_bounded_and_it_gets_all() -> (
    None
):
    world = await a_world()
    count = 3 * MOST_KEPT
    async with a_watch(world) as slow, a_watch(world) as quick:
        await following(slow)
        await following(quick)
        for number in range(count):
            world.mailbox.deliver(raw(number))
        told = await subjects(quick, count)
        (followed,) = world.hubs.followed()
        kept = followed.kept
        late = await subjects(slow, count)

    assert kept <= MOST_KEPT
    assert told == late == [str(number) for number in range(count)]


async def test_given_settings_that_name_another_mailbox_when_saved_then_the_watch_ends_with_a_void_cursor() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        await replace_active(world, mailbox=a_mailbox(email=a_mailbox().email.__class__("other", "example.com")))
        world.mailbox.cut()
        with pytest.raises(NotReady) as ended:
            await following(watch)

    assert ended.value.reason is Reason.CURSOR_INVALID


async def test_given_settings_without_a_mailbox_when_saved_then_the_watch_ends_with_mailbox_disabled() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        await replace_active(world, mailbox=None)
        world.mailbox.cut()
        with pytest.raises(NotReady) as ended:
            await following(watch)

    assert ended.value.reason is Reason.MAILBOX_DISABLED


async def test_given_a_new_password_when_saved_then_the_watch_goes_on_with_it() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        await replace_active(world, mailbox=a_mailbox(port=1143))
        world.mailbox.cut()
        world.mailbox.deliver(raw(1))
        told = await subjects(watch, 1)

    assert told == ["1"]


async def test_given_a_configuration_that_is_deleted_when_watched_then_the_watch_ends_with_not_found() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        async with world.uow() as work:
            await work.configurations.delete(
                CALLER.tenant, CONFIGURATION_ID, expected_version=a_configuration().version
            )
            await work.commit()
        world.mailbox.cut()
        with pytest.raises(NotFound):
            await following(watch)


async def test_given_a_store_that_is_away_for_a_moment_when_mail_arrives_then_it_comes_all_the_same() -> None:
    world = await a_world()
    async with a_watch(world) as watch:
        await following(watch)
        world.store.fail_next("enter", Unavailable("away", retry_after=timedelta(0)))
        world.mailbox.deliver(raw(1, **{"In-Reply-To": "<x@example.org>"}))
        told = await subjects(watch, 1)

    assert told == ["1"]


@pytest.mark.parametrize(
    ("configuration", "family", "reason"),
    [
        (None, NotFound, Reason.NOT_FOUND),
        (a_configuration(tenant=OTHER_TENANT), NotFound, Reason.NOT_FOUND),
        (a_draft(), NotReady, Reason.NOT_CONFIGURED),
        (a_configuration(), NotReady, Reason.MAILBOX_DISABLED),
        (
            a_configuration(
                settings=some_settings(
                    authentication=an_oauth_authentication(), mailbox=a_mailbox(password=None, use_oauth=True)
                )
            ),
            AuthorizationRequired,
            Reason.NEEDS_AUTHORIZATION,
        ),
    ],
    ids=["none", "foreign", "draft", "no mailbox", "no consent"],
)
async def test_given_no_mailbox_to_open_when_watched_then_refused_by_name(
    configuration: Any, family: type[MailportError], reason: Reason
) -> None:
    world = World()
    if configuration is not None:
        await world.given(configuration)

    async with a_watch(world) as watch:
        with pytest.raises(family) as refused:
            await following(watch)

    assert refused.value.reason is reason


async def test_given_another_tenant_when_it_names_the_configuration_then_it_is_not_there() -> None:
    world = await a_world()

    with pytest.raises(NotFound):
        await anext(world.watch_mailbox(a_caller(tenant=OTHER_TENANT), CONFIGURATION_ID, "INBOX", cursor=""))


async def replace_active(world: World, **changes: Any) -> None:
    """Saves other settings, as ValidateAndSave does."""
    async with world.uow() as work:
        current = await work.configurations.find(CALLER.tenant, CONFIGURATION_ID)
        assert current is not None
        assert current.active is not None
        settings = replace(current.active.settings, **changes)
        active = a_revision(number=current.active.number + 1, settings=settings)
        changed = replace(current, version=current.version + 1, active=active, last_revision=active.number)
        await work.configurations.save(changed, expected_version=current.version)
        await work.commit()
