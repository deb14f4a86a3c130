"""What every Grants does (domain.ports.grants)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.errors import ConcurrentChange, SecretUnreadable
from domain.grant import Grant, GrantKey, GrantState
from domain.ports.grants import RefreshLease
from domain.resource import GRAPH, OUTLOOK
from domain.secret import Secret, UnreadableSecret
from tests.builders import CONFIGURATION_ID, NOW, OTHER_TENANT, TENANT, a_configuration
from tests.consent_builders import a_basis, a_grant, a_token_failure, an_access_token
from tests.contract.conftest import Storage

_MINUTE: Final = timedelta(minutes=1)
_LAPSED: Final = timedelta(0)
KEY: Final = a_grant().key
GRANTS: Final = {
    "plain": a_grant(),
    "no_access_token": a_grant(access_tokens=()),
    "two_resources": a_grant(
        granted_scopes=("https://graph.microsoft.com/Mail.Send", "https://outlook.office.com/SMTP.Send"),
        access_tokens=(
            an_access_token(resource=GRAPH, token=Secret("graph token"), generation=3),
            an_access_token(resource=OUTLOOK, token=Secret("outlook token"), generation=4),
        ),
        generation=4,
    ),
    "long_token_beyond_ascii": a_grant(refresh_token=Secret("ü€" * 3000)),
    "dead": a_grant(
        state=GrantState.REAUTHORIZATION_REQUIRED,
        access_tokens=(),
        failure=a_token_failure(),
        failing_since=NOW,
        failure_count=3,
    ),
    "everything": a_grant(
        basis=a_basis(scopes=frozenset({"a", "b"}), username="Ünï@example.com"),
        account="",
        granted_scopes=(),
        refresh_time=NOW + _MINUTE,
        refresh_token_expire_time=NOW + timedelta(days=7),
        state=GrantState.REFRESH_IN_DOUBT,
        failure=a_token_failure(),
        failing_since=NOW,
        failure_count=2,
        retry_time=NOW + timedelta(seconds=4),
    ),
}


async def kept(storage: Storage, grant: Grant) -> Grant:
    """Stores the first grant of a configuration, and the configuration."""
    async with storage.uow() as work:
        await work.configurations.add(a_configuration(tenant=grant.tenant, configuration_id=grant.configuration_id))
        await work.grants.save(grant, expected_generation=0)
        await work.commit()
    return grant


async def saved(storage: Storage, grant: Grant, *, expected_generation: int) -> Grant:
    async with storage.uow() as work:
        await work.grants.save(grant, expected_generation=expected_generation)
        await work.commit()
    return grant


async def found(storage: Storage, configuration_id: str = CONFIGURATION_ID, *, tenant: str = TENANT) -> Grant | None:
    async with storage.uow() as work:
        return await work.grants.find(GrantKey(tenant, configuration_id, KEY.grant_id))


async def held(storage: Storage, *configuration_ids: str, tenant: str = TENANT) -> dict[str, list[str]]:
    async with storage.uow() as work:
        grants = await work.grants.of(tenant, configuration_ids)
    return {name: [grant.grant_id for grant in those] for name, those in grants.items()}


async def leased(storage: Storage, *, generation: int = 1, lease: timedelta = _MINUTE) -> RefreshLease | None:
    async with storage.uow() as work:
        given = await work.grants.lease_refresh(KEY, generation=generation, lease=lease)
        await work.commit()
    return given


async def due(storage: Storage, *, days: int, limit: int = 10) -> list[str]:
    async with storage.uow() as work:
        names = await work.grants.due_for_keeping(NOW + timedelta(days=days), limit)
    return [name.configuration_id for name in names]


@pytest.mark.parametrize("grant", GRANTS.values(), ids=GRANTS.keys())
async def test_given_a_grant_when_stored_then_it_comes_back_as_it_was(storage: Storage, grant: Grant) -> None:
    await kept(storage, grant)

    assert await found(storage) == grant


async def test_given_a_grant_that_takes_no_person_when_stored_then_its_empty_refresh_token_opens(
    storage: Storage,
) -> None:
    """An unreadable secret is equal to an empty one, so that comparing the grants would not show it."""
    grant = await kept(storage, a_grant(refresh_token=Secret("")))

    stored = await found(storage, grant.configuration_id)

    assert stored is not None
    assert stored.refresh_token.reveal() == ""


async def test_given_another_tenant_or_name_when_looked_for_then_none(storage: Storage) -> None:
    await kept(storage, a_grant())

    assert await found(storage, tenant=OTHER_TENANT) is None
    assert await found(storage, "missing") is None
    assert await found(storage, "nul\0") is None


async def test_given_two_grants_of_a_configuration_when_looked_for_then_each_is_itself_and_the_latest_comes_first(
    storage: Storage,
) -> None:
    first = await kept(storage, a_grant(grant_id="a"))
    second = a_grant(grant_id="b", authorize_time=NOW + _MINUTE, refresh_token=Secret("RT-b"))
    await saved(storage, second, expected_generation=0)
    await kept(storage, a_grant(configuration_id="other", grant_id="c"))

    async with storage.uow() as work:
        assert await work.grants.of(TENANT, [CONFIGURATION_ID]) == {CONFIGURATION_ID: (second, first)}
    assert await held(storage, "other", CONFIGURATION_ID, "missing", "nul\0") == {
        "other": ["c"],
        CONFIGURATION_ID: ["b", "a"],
    }
    assert await held(storage, CONFIGURATION_ID, tenant=OTHER_TENANT) == {}
    assert await held(storage) == {}


async def test_given_two_grants_when_one_is_leased_or_deleted_then_the_other_is_untouched(storage: Storage) -> None:
    await kept(storage, a_grant())
    await saved(storage, a_grant(grant_id="other"), expected_generation=0)

    given = await leased(storage)
    async with storage.uow() as work:
        of_other = await work.grants.lease_refresh(replace(KEY, grant_id="other"), generation=1, lease=_MINUTE)
        await work.grants.delete(KEY)
        await work.commit()

    assert given is not None
    assert of_other is not None
    assert await held(storage, CONFIGURATION_ID) == {CONFIGURATION_ID: ["other"]}


async def test_given_p12_leases_of_a_dead_process_when_ended_then_the_next_one_need_not_wait(storage: Storage) -> None:
    await kept(storage, a_grant())
    await leased(storage)

    async with storage.uow() as work:
        ended = await work.grants.end_leases()
        await work.commit()

    given = await leased(storage)
    assert ended == 1
    assert given is not None
    assert given.in_doubt


async def test_given_a_new_generation_when_saved_then_it_replaces_grant_and_tokens(storage: Storage) -> None:
    old = await kept(storage, GRANTS["two_resources"])
    new = replace(
        old,
        generation=5,
        refresh_token=Secret("RT2"),
        access_tokens=(an_access_token(resource=GRAPH, token=Secret("newer"), generation=5),),
        refresh_time=NOW + _MINUTE,
    )

    await saved(storage, new, expected_generation=4)

    assert await found(storage) == new


@pytest.mark.parametrize("stale", [0, 1, 3])
async def test_given_f26_another_generation_than_expected_when_saved_then_concurrent_change_and_nothing_changes(
    storage: Storage, stale: int
) -> None:
    grant = await kept(storage, a_grant(generation=2))

    async with storage.uow() as work:
        with pytest.raises(ConcurrentChange) as refused:
            await work.grants.save(a_grant(generation=9, refresh_token=Secret("RT9")), expected_generation=stale)

    assert await found(storage) == grant
    assert refused.value.metadata == {"configuration_id": CONFIGURATION_ID}


async def test_given_many_at_once_when_they_save_from_the_same_generation_then_one_wins(storage: Storage) -> None:
    await kept(storage, a_grant())
    news = [a_grant(generation=2, refresh_token=Secret(f"RT-{number}")) for number in range(8)]

    outcomes = await asyncio.gather(
        *(saved(storage, new, expected_generation=1) for new in news), return_exceptions=True
    )

    winners = [outcome for outcome in outcomes if isinstance(outcome, Grant)]
    assert len(winners) == 1
    assert await found(storage) == winners[0]
    assert all(isinstance(outcome, ConcurrentChange) for outcome in outcomes if outcome not in winners)


async def test_given_a_state_change_when_saved_under_the_same_generation_then_it_is_stored(storage: Storage) -> None:
    grant = await kept(storage, a_grant())
    doubtful = replace(grant, state=GrantState.REFRESH_IN_DOUBT, failure=a_token_failure(), failure_count=1)

    await saved(storage, doubtful, expected_generation=1)

    assert await found(storage) == doubtful


async def test_given_no_configuration_when_a_grant_is_saved_then_concurrent_change(storage: Storage) -> None:
    async with storage.uow() as work:
        with pytest.raises(ConcurrentChange):
            await work.grants.save(a_grant(), expected_generation=0)


async def test_given_a_grant_when_deleted_then_it_is_gone_once(storage: Storage) -> None:
    await kept(storage, a_grant())

    async with storage.uow() as work:
        first = await work.grants.delete(KEY)
        second = await work.grants.delete(KEY)
        await work.commit()

    assert (first, second) == (True, False)
    assert await found(storage) is None
    await saved(storage, a_grant(generation=1), expected_generation=0)


async def test_given_a_configuration_when_deleted_then_its_grant_goes_with_it(storage: Storage) -> None:
    await kept(storage, a_grant())

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        await work.commit()

    assert await found(storage) is None
    with pytest.raises(ConcurrentChange):
        await saved(storage, a_grant(generation=2), expected_generation=1)


async def test_given_changed_settings_when_the_configuration_is_saved_then_the_grant_is_untouched(
    storage: Storage,
) -> None:
    grant = await kept(storage, a_grant())

    async with storage.uow() as work:
        configuration = await work.configurations.find(TENANT, CONFIGURATION_ID)
        assert configuration is not None
        await work.configurations.save(replace(configuration, version=3), expected_version=2)
        await work.commit()

    assert await found(storage) == grant


async def test_given_f26_many_callers_when_they_lease_then_one_may_refresh(storage: Storage) -> None:
    await kept(storage, a_grant())

    given = await asyncio.gather(*(leased(storage) for _ in range(12)))

    winners = [each for each in given if each is not None]
    assert len(winners) == 1
    assert winners[0].in_doubt is False
    assert await leased(storage) is None


@pytest.mark.parametrize("case", ["generation", "dead", "gone"])
async def test_given_nothing_to_refresh_when_leased_then_none(storage: Storage, case: str) -> None:
    if case != "gone":
        await kept(storage, GRANTS["dead"] if case == "dead" else a_grant())

    assert await leased(storage, generation=2 if case == "generation" else 1) is None


async def test_given_a_lease_when_rolled_back_then_it_was_never_given(storage: Storage) -> None:
    await kept(storage, a_grant())

    async with storage.uow() as work:
        assert await work.grants.lease_refresh(KEY, generation=1, lease=_MINUTE)

    given = await leased(storage)
    assert given is not None
    assert not given.in_doubt


async def test_given_p12_a_holder_that_died_when_its_lease_lapses_then_the_next_one_knows_of_the_doubt(
    storage: Storage,
) -> None:
    await kept(storage, a_grant())
    first = await leased(storage, lease=_LAPSED)

    second = await leased(storage)

    assert first is not None
    assert second is not None
    assert second.in_doubt
    grant = await found(storage)
    assert grant is not None
    assert grant.state is GrantState.REFRESH_IN_DOUBT
    assert grant.refresh_token == Secret("RT1")


async def test_given_a_lease_that_was_ended_when_leased_again_then_there_is_no_doubt(storage: Storage) -> None:
    await kept(storage, a_grant())
    first = await leased(storage)
    assert first is not None

    async with storage.uow() as work:
        await work.grants.end_lease(KEY, first)
        await work.commit()

    second = await leased(storage)
    assert second is not None
    assert not second.in_doubt
    assert second.token != first.token


async def test_given_a_former_lease_when_ended_then_the_present_one_holds(storage: Storage) -> None:
    await kept(storage, a_grant())
    former = await leased(storage, lease=_LAPSED)
    assert former is not None
    await leased(storage)

    async with storage.uow() as work:
        await work.grants.end_lease(KEY, former)
        await work.commit()

    assert await leased(storage) is None


async def test_given_a_lease_when_the_next_generation_is_saved_then_that_one_can_be_leased(storage: Storage) -> None:
    grant = await kept(storage, a_grant())
    await leased(storage)

    await saved(storage, replace(grant, generation=2), expected_generation=1)

    assert await leased(storage, generation=1) is None
    given = await leased(storage, generation=2)
    assert given is not None
    assert not given.in_doubt


async def test_given_p10_a_lapsed_lease_that_another_took_when_its_holder_tells_of_a_refusal_then_the_other_holds(
    storage: Storage,
) -> None:
    grant = await kept(storage, a_grant())
    former = await leased(storage, lease=_LAPSED)
    assert former is not None
    present = await leased(storage)
    assert present is not None

    async with storage.uow() as work:
        with pytest.raises(ConcurrentChange):
            await work.grants.save(
                replace(grant, failure=a_token_failure(), failure_count=1), expected_generation=1, lease=former
            )
    async with storage.uow() as work:
        assert await work.grants.holds(KEY, present)
        assert not await work.grants.holds(KEY, former)
    assert await leased(storage) is None


async def test_given_a_lapsed_lease_that_nobody_took_when_its_holder_tells_of_a_refusal_then_it_is_stored(
    storage: Storage,
) -> None:
    grant = await kept(storage, a_grant())
    lease = await leased(storage, lease=_LAPSED)
    assert lease is not None
    troubled = replace(grant, failure=a_token_failure(), failure_count=1)

    async with storage.uow() as work:
        await work.grants.save(troubled, expected_generation=1, lease=lease)
        await work.commit()

    assert await found(storage) == troubled
    async with storage.uow() as work:
        assert not await work.grants.holds(KEY, lease)


@pytest.mark.parametrize(
    ("other", "is_shared"),
    [
        (a_grant(configuration_id="other"), True),
        (a_grant(tenant=OTHER_TENANT), True),
        (a_grant(configuration_id="other", basis=a_basis(username="ROBOT@example.com")), True),
        (a_grant(configuration_id="other", basis=a_basis(username="eve@example.com")), False),
        (a_grant(configuration_id="other", basis=a_basis(client_id="client-2")), False),
        (a_grant(configuration_id="other", basis=a_basis(token_endpoint="https://id2.example.com/token")), False),
        (replace(GRANTS["dead"], configuration_id="other"), False),
    ],
)
async def test_given_another_grant_when_asked_whether_it_is_shared_then_client_endpoint_and_user_count(
    storage: Storage, other: Grant, is_shared: bool
) -> None:
    grant = await kept(storage, a_grant())
    await kept(storage, other)

    async with storage.uow() as work:
        assert await work.grants.is_shared(grant) is is_shared


async def test_given_p11_a_lapsed_lease_when_its_holder_stores_late_then_the_new_pair_is_kept(
    storage: Storage,
) -> None:
    grant = await kept(storage, a_grant())
    await leased(storage, lease=_LAPSED)
    rotated = replace(grant, generation=2, refresh_token=Secret("RT2"))

    await saved(storage, rotated, expected_generation=1)

    assert await found(storage) == rotated


async def test_given_grants_when_asked_which_to_keep_then_idle_living_ones_come_earliest_first(
    storage: Storage,
) -> None:
    await kept(storage, a_grant(configuration_id="second", authorize_time=NOW + timedelta(hours=1)))
    await kept(storage, a_grant(configuration_id="first"))
    await kept(storage, a_grant(configuration_id="used", refresh_time=NOW + timedelta(days=6)))
    await kept(storage, a_grant(configuration_id="short", refresh_token_expire_time=NOW + timedelta(days=2)))
    await kept(storage, replace(GRANTS["dead"], configuration_id="dead"))

    assert await due(storage, days=0) == []
    assert await due(storage, days=2) == ["short"]
    assert await due(storage, days=8) == ["short", "first", "second"]
    assert await due(storage, days=8, limit=2) == ["short", "first"]
    assert await due(storage, days=14) == ["short", "first", "second", "used"]


async def test_given_a_grant_under_a_lease_when_asked_which_to_keep_then_it_is_left_out(storage: Storage) -> None:
    await kept(storage, a_grant())

    before = await due(storage, days=8)
    await leased(storage)

    assert before == [CONFIGURATION_ID]
    assert await due(storage, days=8) == []


async def test_given_grants_of_all_tenants_when_paged_then_each_comes_once_in_order(storage: Storage) -> None:
    names = [(TENANT, "a"), (TENANT, "b-1"), (TENANT, "b0"), (OTHER_TENANT, "a")]
    for tenant, configuration_id in reversed(names):
        await kept(storage, a_grant(tenant=tenant, configuration_id=configuration_id))

    async with storage.uow() as work:
        first = await work.grants.page(after=None, limit=3)
        rest = await work.grants.page(after=first[-1], limit=3)

    assert first == tuple(GrantKey(*name, KEY.grant_id) for name in names[:3])
    assert rest == (GrantKey(*names[3], KEY.grant_id),)


async def test_given_f42_a_lost_key_when_read_then_the_refresh_token_is_unreadable_and_access_tokens_are_gone(
    storage: Storage,
) -> None:
    await kept(storage, a_grant())
    storage.use_keys(2)

    grant = await found(storage)

    assert grant is not None
    assert isinstance(grant.refresh_token, UnreadableSecret)
    assert grant.access_tokens == ()
    assert grant.account == "robot@example.com"


async def test_given_f42_an_unreadable_refresh_token_when_saved_then_refused_and_nothing_overwritten(
    storage: Storage,
) -> None:
    original = await kept(storage, a_grant())
    storage.use_keys(2)
    grant = await found(storage)
    assert grant is not None

    with pytest.raises(SecretUnreadable):
        await saved(storage, replace(grant, generation=2), expected_generation=1)

    storage.use_keys(2, 1)
    assert await found(storage) == original
