"""What every Configurations does (domain.ports.configurations)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.account import Account
from domain.configuration import Configuration, activated, awaiting_confirmation, confirmed, with_draft
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import BasicAuthentication, DataCenterPolicy, GrantType, MailSettings, unreadable_secrets
from tests.builders import (
    CONFIGURATION_ID,
    CONTENT,
    NOW,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    a_delivery,
    a_draft,
    a_graph_transport,
    a_mailbox,
    a_revision,
    a_warning,
    an_address,
    an_oauth_authentication,
    an_smtp_transport,
    some_basic_authentication,
    some_settings,
)
from tests.contract.conftest import Storage
from tests.storing import accept_one

LATER = NOW + timedelta(minutes=1)
MOMENT = 0.1
"""Seconds in which a unit that does not wait for a lock would be through."""
WITHIN = 5
SETTINGS = {
    "password": some_settings(),
    "no_authentication": some_settings(authentication=None),
    "empty_password": some_settings(authentication=some_basic_authentication(password=Secret(""))),
    "password_beyond_ascii": some_settings(authentication=some_basic_authentication(password=Secret("pässwörd € 🔑"))),
    "oauth": some_settings(
        authentication=an_oauth_authentication(client_secret_expire_time=datetime(2027, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
    ),
    "without_person": some_settings(
        authentication=an_oauth_authentication(
            grant_type=GrantType.JWT_BEARER, authorization_endpoint="", client_secret=Secret("-----BEGIN\n…")
        )
    ),
    "graph": some_settings(transport=a_graph_transport(), authentication=an_oauth_authentication()),
    "shared_mailbox": some_settings(
        transport=a_graph_transport(mailbox=an_address("team@example.com"), save_to_sent_items=False),
        authentication=an_oauth_authentication(),
    ),
    "mailbox": some_settings(mailbox=a_mailbox()),
    "mailbox_by_oauth": some_settings(
        authentication=an_oauth_authentication(), mailbox=a_mailbox(password=None, use_oauth=True)
    ),
    "everything": some_settings(
        transport=an_smtp_transport(ca_certificates="-----BEGIN CERTIFICATE-----\n", ehlo_name="mail.example.com"),
        from_name="Alerts ✉",
        allowed_from=(an_address('"a@b"@example.com'), an_address("postmaster@[192.0.2.1]")),
        data_center="eu-1",
        data_center_policy=DataCenterPolicy.STRICT,
    ),
}


async def stored(storage: Storage, configuration: Configuration) -> Configuration:
    async with storage.uow() as work:
        await work.configurations.add(configuration)
        await work.commit()
    return configuration


async def saved(storage: Storage, configuration: Configuration, *, expected_version: int) -> Configuration:
    async with storage.uow() as work:
        await work.configurations.save(configuration, expected_version=expected_version)
        await work.commit()
    return configuration


async def found(storage: Storage, configuration_id: str = CONFIGURATION_ID, *, tenant: str = TENANT) -> Configuration:
    async with storage.uow() as work:
        configuration = await work.configurations.find(tenant, configuration_id)
    assert configuration is not None
    return configuration


async def is_there(storage: Storage, configuration_id: str = CONFIGURATION_ID, *, tenant: str = TENANT) -> bool:
    async with storage.uow() as work:
        return await work.configurations.find(tenant, configuration_id) is not None


def password_of(settings: MailSettings) -> Secret:
    assert isinstance(settings.authentication, BasicAuthentication)
    return settings.authentication.password


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
async def test_given_settings_when_stored_then_they_come_back_as_they_were(
    storage: Storage, settings: MailSettings
) -> None:
    configuration = await stored(storage, a_configuration(settings=settings))

    assert await found(storage) == configuration


async def test_given_a_draft_beside_the_active_revision_when_stored_then_both_come_back(storage: Storage) -> None:
    both = with_draft(a_configuration(), some_settings(from_name="New"), (a_warning(),), at=LATER)

    await stored(storage, both)

    assert await found(storage) == both


async def test_given_a_configuration_without_revisions_when_stored_then_it_comes_back(storage: Storage) -> None:
    empty = await stored(storage, a_draft(draft=None, last_revision=7))

    assert await found(storage) == empty


async def test_given_a_pending_confirmation_when_stored_and_a_try_is_lost_then_it_comes_back(storage: Storage) -> None:
    waiting = await stored(storage, awaiting_confirmation(a_draft(), b"\x00digest\xff", at=NOW))
    before = await found(storage)
    poorer = confirmed(before, matches=False, at=LATER)

    await saved(storage, poorer, expected_version=waiting.version)

    assert before == waiting
    assert await found(storage) == poorer


@pytest.mark.parametrize("missing", ["other", "", "ALERTS", "alerts ", "al\0erts", "é", "x" * 10_000, "' or 1=1 --"])
async def test_given_no_configuration_of_that_id_when_looked_for_then_none(storage: Storage, missing: str) -> None:
    await stored(storage, a_configuration())

    assert not await is_there(storage, missing)


async def test_given_another_tenant_when_it_looks_then_it_sees_and_changes_only_its_own(storage: Storage) -> None:
    ours = await stored(storage, a_configuration())
    foreign_only = await stored(storage, a_configuration(tenant=OTHER_TENANT, configuration_id="theirs"))

    async with storage.uow() as work:
        page = await work.configurations.page(TENANT, after="", limit=10)
        with pytest.raises(ConcurrentChange):
            await work.configurations.delete(TENANT, "theirs", expected_version=foreign_only.version)
        with pytest.raises(ConcurrentChange):
            await work.configurations.save(replace(foreign_only, tenant=TENANT), expected_version=foreign_only.version)
        await work.commit()

    assert page == (ours,)
    assert not await is_there(storage, tenant=OTHER_TENANT)
    assert await found(storage, "theirs", tenant=OTHER_TENANT) == foreign_only


async def test_given_two_tenants_with_the_same_id_when_one_deletes_then_the_other_keeps_its_own(
    storage: Storage,
) -> None:
    ours = await stored(storage, a_configuration())
    theirs = await stored(storage, a_configuration(tenant=OTHER_TENANT, settings=some_settings(from_name="Theirs")))

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=ours.version)
        await work.commit()

    assert not await is_there(storage)
    assert await found(storage, tenant=OTHER_TENANT) == theirs


async def test_given_an_id_that_is_taken_when_added_then_concurrent_change_and_the_unit_can_go_on(
    storage: Storage,
) -> None:
    first = await stored(storage, a_configuration())

    async with storage.uow() as work:
        with pytest.raises(ConcurrentChange):
            await work.configurations.add(a_draft(settings=some_settings(from_name="Second")))
        await work.configurations.add(a_draft(configuration_id="another"))
        await work.commit()

    assert await found(storage) == first
    assert await is_there(storage, "another")


async def test_given_two_units_when_both_add_the_same_id_then_one_of_them_is_told(storage: Storage) -> None:
    async def add(name: str) -> None:
        await stored(storage, a_draft(settings=some_settings(from_name=name)))

    outcomes = await asyncio.gather(*(add(f"n{number}") for number in range(5)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConcurrentChange"] * 4 + ["NoneType"]


async def test_given_the_draft_proven_when_saved_then_it_replaces_the_active_revision(storage: Storage) -> None:
    configuration = await stored(storage, a_configuration())
    drafted = await saved(
        storage, with_draft(configuration, some_settings(from_name="New"), (), at=LATER), expected_version=2
    )

    await saved(storage, activated(await found(storage), at=LATER), expected_version=drafted.version)

    after = await found(storage)
    assert after == activated(drafted, at=LATER)
    assert after.active is not None
    assert (after.active.number, after.active.settings.from_name, after.draft) == (2, "New", None)


async def test_given_a_draft_written_twice_when_saved_then_the_second_replaces_the_first(storage: Storage) -> None:
    first = await stored(storage, a_draft())

    second = await saved(
        storage, with_draft(first, some_settings(from_name="Second"), (), at=LATER), expected_version=first.version
    )

    assert await found(storage) == second


@pytest.mark.parametrize("stale", [0, 1, 3])
async def test_given_another_version_than_expected_when_saved_then_concurrent_change_and_nothing_changes(
    storage: Storage, stale: int
) -> None:
    configuration = await stored(storage, a_configuration())
    changed = with_draft(configuration, some_settings(from_name="New"), (), at=LATER)

    async with storage.uow() as work:
        with pytest.raises(ConcurrentChange) as refused:
            await work.configurations.save(changed, expected_version=stale)
        await work.commit()

    assert await found(storage) == configuration
    assert refused.value.metadata == {"configuration_id": CONFIGURATION_ID}


async def test_given_two_units_when_both_save_from_the_same_version_then_one_of_them_is_told(storage: Storage) -> None:
    configuration = await stored(storage, a_configuration())

    async def change(name: str) -> None:
        changed = with_draft(configuration, some_settings(from_name=name), (), at=LATER)
        await saved(storage, changed, expected_version=configuration.version)

    outcomes = await asyncio.gather(*(change(f"n{number}") for number in range(5)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConcurrentChange"] * 4 + ["NoneType"]
    assert (await found(storage)).version == configuration.version + 1


@pytest.mark.parametrize("configuration_id", [CONFIGURATION_ID, "missing"])
async def test_given_a_stale_version_or_none_when_deleted_then_concurrent_change_and_it_stays(
    storage: Storage, configuration_id: str
) -> None:
    configuration = await stored(storage, a_configuration())

    async with storage.uow() as work:
        with pytest.raises(ConcurrentChange):
            await work.configurations.delete(TENANT, configuration_id, expected_version=1)
        await work.commit()

    assert await found(storage) == configuration


async def test_given_a_configuration_when_deleted_then_saving_it_is_refused_and_the_id_is_free(
    storage: Storage,
) -> None:
    configuration = await stored(storage, a_configuration())

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        await work.commit()

    with pytest.raises(ConcurrentChange):
        await saved(storage, configuration, expected_version=2)
    anew = await stored(storage, a_draft(settings=some_settings(from_name="Anew")))
    assert await found(storage) == anew


async def test_given_deliveries_when_their_configuration_is_deleted_then_they_keep_their_record(
    storage: Storage,
) -> None:
    await stored(storage, a_configuration())
    delivery = a_delivery(now=storage.now())

    async with storage.uow() as work:
        await accept_one(work, delivery)
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        await work.commit()

    async with storage.uow() as work:
        assert await work.deliveries.find(TENANT, delivery.delivery_id) == delivery
        assert await work.deliveries.content(delivery) == CONTENT


async def test_given_many_when_paged_then_each_comes_once_in_the_order_of_code_points(storage: Storage) -> None:
    ids = ["a", "a-b", "a0", "a_b", "aa", "ab", "b", "z9"]
    for configuration_id in reversed(ids):
        await stored(storage, a_configuration(configuration_id=configuration_id, draft=a_revision(number=2)))

    pages: list[tuple[Configuration, ...]] = []
    after = ""
    for _ in ids:
        async with storage.uow() as work:
            page = await work.configurations.page(TENANT, after=after, limit=3)
        if not page:
            break
        pages.append(page)
        after = page[-1].configuration_id

    assert [[each.configuration_id for each in page] for page in pages] == [ids[:3], ids[3:6], ids[6:]]
    assert all(each.draft and each.active for page in pages for each in page)


@pytest.mark.parametrize(("after", "first"), [("a", "b"), ("a\0", "b"), ("a\0z", "b"), ("b", None), ("\0", "a")])
async def test_given_whatever_position_when_paged_then_what_lies_above_it_follows(
    storage: Storage, after: str, first: str | None
) -> None:
    await stored(storage, a_configuration(configuration_id="a"))
    await stored(storage, a_configuration(configuration_id="b"))

    async with storage.uow() as work:
        page = await work.configurations.page(TENANT, after=after, limit=1)

    assert [each.configuration_id for each in page] == ([first] if first else [])


async def test_given_f42_a_key_added_when_read_then_everything_opens(storage: Storage) -> None:
    settings = some_settings(mailbox=a_mailbox())
    old = await stored(storage, a_configuration(settings=settings))
    storage.use_keys(1, 2)

    new = await stored(storage, a_configuration(configuration_id="new", settings=settings))

    assert await found(storage) == old
    storage.use_keys(2)
    assert await found(storage, "new") == new


@pytest.mark.parametrize(
    ("settings", "unreadable"),
    [
        (some_settings(mailbox=a_mailbox()), ("settings.basic.password", "settings.mailbox.password")),
        (some_settings(authentication=an_oauth_authentication()), ("settings.oauth.client_secret",)),
    ],
)
@pytest.mark.parametrize("how", ["key_lost", "corrupted"])
async def test_given_f42_secrets_that_do_not_open_when_read_then_the_rest_is_there_and_others_work(
    storage: Storage, settings: MailSettings, unreadable: tuple[str, ...], how: str
) -> None:
    broken = await stored(storage, a_configuration(settings=settings))
    if how == "key_lost":
        storage.use_keys(2)
    else:
        await storage.corrupt_secrets(CONFIGURATION_ID)
    healthy = await stored(storage, a_configuration(configuration_id="healthy"))

    read = await found(storage)
    async with storage.uow() as work:
        page = await work.configurations.page(TENANT, after="", limit=10)

    assert read.active is not None
    assert unreadable_secrets(read.active.settings) == unreadable
    assert read.active.settings.transport == settings.transport
    assert (read.version, read.active.number, read.create_time) == (broken.version, 1, broken.create_time)
    assert page[1] == await found(storage, "healthy") == healthy


async def test_given_f42_a_lost_key_when_other_things_are_saved_then_nothing_is_overwritten(storage: Storage) -> None:
    await stored(storage, a_configuration())
    storage.use_keys(2)
    read = await found(storage)

    await saved(storage, with_draft(read, some_settings(from_name="New"), (), at=LATER), expected_version=read.version)

    storage.use_keys(2, 1)
    after = await found(storage)
    assert after.active == a_configuration().active
    assert after.draft is not None
    assert after.draft.settings.from_name == "New"


async def test_given_f42_a_lost_key_when_the_secret_is_entered_again_then_it_is_repaired(storage: Storage) -> None:
    await stored(storage, a_configuration())
    storage.use_keys(2)
    read = await found(storage)
    again = some_settings(authentication=some_basic_authentication(password=Secret("entered again")))

    repaired = activated(with_draft(read, again, (), at=LATER), at=LATER)
    await saved(storage, repaired, expected_version=read.version)

    after = await found(storage)
    assert after.active is not None
    assert password_of(after.active.settings) == Secret("entered again")


async def test_given_f42_an_unreadable_secret_when_saved_in_a_new_revision_then_refused_and_nothing_stored(
    storage: Storage,
) -> None:
    configuration = await stored(storage, a_configuration())
    spoilt = some_settings(authentication=some_basic_authentication(password=UnreadableSecret()))

    with pytest.raises(SecretUnreadable):
        await saved(storage, with_draft(configuration, spoilt, (), at=LATER), expected_version=2)

    assert await found(storage) == configuration


async def test_given_a_configuration_when_locked_then_it_is_as_find_gives_it_and_nothing_where_there_is_none(
    storage: Storage,
) -> None:
    configuration = await stored(storage, a_configuration())

    async with storage.uow() as work:
        assert await work.configurations.lock(TENANT, CONFIGURATION_ID) == configuration
        assert await work.configurations.lock(OTHER_TENANT, CONFIGURATION_ID) is None
        assert await work.configurations.lock(TENANT, "another") is None
        assert await work.configurations.lock(TENANT, "a\0b") is None


async def test_given_a_locked_configuration_when_locked_by_another_unit_then_that_waits_and_sees_what_was_left(
    storage: Storage,
) -> None:
    configuration = await stored(storage, a_configuration())
    changed = with_draft(configuration, some_settings(from_name="New"), (), at=LATER)

    async def lock() -> Configuration | None:
        async with storage.uow() as other:
            return await other.configurations.lock(TENANT, CONFIGURATION_ID)

    async with storage.uow() as work:
        await work.configurations.lock(TENANT, CONFIGURATION_ID)
        waiting = asyncio.create_task(lock())
        done, _ = await asyncio.wait([waiting], timeout=MOMENT)
        assert not done
        assert await found(storage) == configuration  # who only reads does not wait
        await work.configurations.save(changed, expected_version=2)
        await work.commit()

    assert await asyncio.wait_for(waiting, WITHIN) == changed


async def test_given_a_locked_configuration_when_saved_or_deleted_by_another_unit_then_that_waits(
    storage: Storage,
) -> None:
    configuration = await stored(storage, a_configuration())
    changed = with_draft(configuration, some_settings(from_name="New"), (), at=LATER)

    async def delete() -> None:
        async with storage.uow() as other:
            await other.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=changed.version)
            await other.commit()

    for change in (lambda: saved(storage, changed, expected_version=2), delete):
        async with storage.uow() as work:
            await work.configurations.lock(TENANT, CONFIGURATION_ID)
            waiting = asyncio.ensure_future(change())
            done, _ = await asyncio.wait([waiting], timeout=MOMENT)
            assert not done
        await asyncio.wait_for(waiting, WITHIN)

    assert not await is_there(storage)


async def test_given_a_configuration_that_is_deleted_when_a_unit_waits_for_it_then_that_finds_none(
    storage: Storage,
) -> None:
    await stored(storage, a_configuration())

    async def lock() -> Configuration | None:
        async with storage.uow() as other:
            return await other.configurations.lock(TENANT, CONFIGURATION_ID)

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        waiting = asyncio.create_task(lock())
        await asyncio.wait([waiting], timeout=MOMENT)
        await work.commit()

    assert await asyncio.wait_for(waiting, WITHIN) is None


OAUTH = some_settings(authentication=an_oauth_authentication())
WITHOUT_PERSON = some_settings(
    authentication=an_oauth_authentication(grant_type=GrantType.CLIENT_CREDENTIALS, authorization_endpoint="")
)


async def with_oauth(storage: Storage, *, after: Account | None = None, limit: int = 10) -> list[tuple[str, str]]:
    async with storage.uow() as work:
        accounts = await work.configurations.with_oauth(after=after, limit=limit)
    return [(account.tenant, account.configuration_id) for account in accounts]


async def test_given_settings_when_those_with_oauth_are_listed_then_the_active_ones_decide_and_then_the_draft(
    storage: Storage,
) -> None:
    oauth_draft, password_draft = a_revision(number=2, settings=OAUTH), a_revision(number=2)
    expected = {
        "active": a_configuration(settings=OAUTH),
        "active-and-draft": a_configuration(settings=OAUTH, draft=oauth_draft, last_revision=2),
        "active-beside-a-password": a_configuration(settings=OAUTH, draft=password_draft, last_revision=2),
        "draft": a_draft(settings=OAUTH),
        "without-person": a_configuration(settings=WITHOUT_PERSON),
    }
    others = {
        "beside-an-active-password": a_configuration(draft=oauth_draft, last_revision=2),
        "draft-with-a-password": a_draft(),
        "no-authentication": a_draft(settings=some_settings(authentication=None)),
        "password": a_configuration(),
    }
    for name, configuration in (expected | others).items():
        await stored(storage, replace(configuration, configuration_id=name))

    assert await with_oauth(storage) == [(TENANT, name) for name in expected]


async def test_given_many_tenants_when_those_with_oauth_are_listed_then_all_come_in_order_page_by_page(
    storage: Storage,
) -> None:
    """Letters are compared by their code points, whatever the database's language."""
    names = [(TENANT, "B"), (TENANT, "a"), (TENANT, "a-1"), (OTHER_TENANT, "A"), (OTHER_TENANT, "b")]
    for tenant, name in reversed(names):
        await stored(storage, a_draft(settings=OAUTH, tenant=tenant, configuration_id=name))
    await stored(storage, a_draft(tenant=TENANT, configuration_id="b"))

    pages: list[list[tuple[str, str]]] = []
    after: Account | None = None
    while page := await with_oauth(storage, after=after, limit=2):
        pages.append(page)
        after = Account(*page[-1])

    assert pages == [names[:2], names[2:4], names[4:]]
    assert await with_oauth(storage, after=Account(TENANT, "a-2")) == names[3:]
    assert await with_oauth(storage, limit=0) == []
