"""What every Consents does (domain.ports.consents)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.consent import ConsentRecord, ConsentSession, ConsentState
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.failures.failure import Failure
from tests.builders import CONFIGURATION_ID, NOW, OTHER_TENANT, TENANT, a_configuration, a_failure
from tests.consent_builders import a_basis, a_consent_session
from tests.contract.conftest import Storage


async def begun(storage: Storage, session: ConsentSession) -> ConsentSession:
    """Stores a session, and the configuration it is for if need be."""
    async with storage.uow() as work:
        if await work.configurations.find(session.tenant, session.configuration_id) is None:
            await work.configurations.add(
                a_configuration(tenant=session.tenant, configuration_id=session.configuration_id)
            )
        await work.consents.add(session)
        await work.commit()
    return session


async def taken(
    storage: Storage, session: ConsentSession, *, tenant: str | None = TENANT, digest: bytes = b""
) -> ConsentSession | None:
    async with storage.uow() as work:
        found = await work.consents.take(digest or session.state_digest, tenant=tenant)
        await work.commit()
    return found


async def latest(storage: Storage) -> ConsentRecord | None:
    async with storage.uow() as work:
        return (await work.consents.latest(TENANT, [CONFIGURATION_ID])).get(CONFIGURATION_ID)


async def ended(storage: Storage, digest: bytes) -> ConsentRecord | None:
    async with storage.uow() as work:
        return await work.consents.ended(digest)


async def concluded(storage: Storage, session: ConsentSession, failure: Failure | None) -> None:
    async with storage.uow() as work:
        await work.consents.conclude(session, failure)
        await work.commit()


@pytest.mark.parametrize("tenant", [TENANT, None])
async def test_given_a_session_when_taken_then_it_comes_back_as_it_was_and_only_once(
    storage: Storage, tenant: str | None
) -> None:
    session = await begun(
        storage,
        a_consent_session(
            nonce="n-1",
            save=True,
            scopes=("https://mail.google.com/", "openid", "email"),
            basis=a_basis(scopes=frozenset({"https://mail.google.com/"}), username="Ünï@example.com"),
        ),
    )

    first = await taken(storage, session, tenant=tenant)
    second = await taken(storage, session, tenant=tenant)

    assert first == session
    assert second is None


async def test_given_f33_parallel_sessions_when_taken_then_each_state_has_its_own(storage: Storage) -> None:
    first = await begun(storage, a_consent_session())
    second = await begun(storage, a_consent_session(redirect_url="https://other.example.com/cb"))
    foreign = await begun(storage, a_consent_session(configuration_id="other"))

    assert await taken(storage, foreign) == foreign
    assert await taken(storage, second) == second
    assert await taken(storage, first) == first
    assert await taken(storage, first, digest=b"\x00" * 32) is None


async def test_given_another_tenant_when_it_takes_then_none_and_the_owner_still_can(storage: Storage) -> None:
    session = await begun(storage, a_consent_session())

    foreign = await taken(storage, session, tenant=OTHER_TENANT)

    assert foreign is None
    assert await taken(storage, session) == session


async def test_given_many_callers_at_once_when_they_take_then_one_gets_it(storage: Storage) -> None:
    session = await begun(storage, a_consent_session())

    found = await asyncio.gather(*(taken(storage, session) for _ in range(12)))

    assert [each for each in found if each is not None] == [session]


async def test_given_a_taker_that_rolls_back_when_another_waited_then_it_gets_the_session(storage: Storage) -> None:
    session = await begun(storage, a_consent_session())
    first = storage.uow()
    async with first as work:
        assert await work.consents.take(session.state_digest, tenant=TENANT) == session
        waiting = asyncio.create_task(taken(storage, session))
        await asyncio.sleep(0)

    assert await waiting == session


async def test_given_an_expired_session_when_taken_then_it_comes_so_that_the_caller_can_say_so(
    storage: Storage,
) -> None:
    session = await begun(storage, a_consent_session(now=NOW - timedelta(days=1)))

    assert await taken(storage, session) == session


async def test_given_expired_sessions_when_purged_then_only_they_are_gone(storage: Storage) -> None:
    old = await begun(storage, a_consent_session(now=NOW - timedelta(hours=1)))
    fresh = await begun(storage, a_consent_session())

    async with storage.uow() as work:
        purged = await work.consents.purge_expired(NOW)
        await work.commit()

    assert purged == 1
    assert await taken(storage, old) is None
    assert await taken(storage, fresh) == fresh


async def test_given_sessions_that_wait_when_abandoned_then_none_can_be_taken_and_none_is_pending(
    storage: Storage,
) -> None:
    session = await begun(storage, a_consent_session())
    other = await begun(storage, a_consent_session(configuration_id="other"))

    async with storage.uow() as work:
        abandoned = await work.consents.abandon(TENANT, CONFIGURATION_ID)
        again = await work.consents.abandon(TENANT, CONFIGURATION_ID)
        await work.commit()

    assert (abandoned, again) == (1, 0)
    assert await latest(storage) is None
    assert await taken(storage, session) is None
    assert await taken(storage, other) == other


async def test_given_a_session_that_brought_a_grant_when_abandoned_then_nobody_hears_of_it_any_more(
    storage: Storage,
) -> None:
    session = await begun(storage, a_consent_session())
    await taken(storage, session)
    await concluded(storage, session, None)

    async with storage.uow() as work:
        await work.consents.abandon(TENANT, CONFIGURATION_ID)
        await work.commit()

    assert await latest(storage) is None
    assert await ended(storage, session.state_digest) is None


async def test_given_a_session_that_was_refused_when_abandoned_then_its_record_stays(storage: Storage) -> None:
    session = await begun(storage, a_consent_session())
    await taken(storage, session)
    await concluded(storage, session, a_failure())
    before = await latest(storage)

    async with storage.uow() as work:
        await work.consents.abandon(TENANT, CONFIGURATION_ID)
        await work.commit()

    assert before is not None
    assert await latest(storage) == before


async def test_given_no_configuration_when_a_session_is_added_then_concurrent_change(storage: Storage) -> None:
    async with storage.uow() as work:
        with pytest.raises(ConcurrentChange) as refused:
            await work.consents.add(a_consent_session())

    assert refused.value.metadata == {"configuration_id": CONFIGURATION_ID}


async def test_given_a_configuration_when_deleted_then_its_sessions_and_record_are_gone(storage: Storage) -> None:
    session = await begun(storage, a_consent_session())
    other = await begun(storage, a_consent_session(configuration_id="other"))

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        await work.commit()

    assert await taken(storage, session) is None
    assert await taken(storage, other) == other
    async with storage.uow() as work:
        assert await work.consents.latest(TENANT, [CONFIGURATION_ID]) == {}


async def test_given_f42_a_lost_key_when_taken_then_the_verifier_alone_is_unreadable(storage: Storage) -> None:
    session = await begun(storage, a_consent_session())
    storage.use_keys(2)

    found = await taken(storage, session)

    assert found is not None
    assert (found.redirect_url, found.basis) == (session.redirect_url, session.basis)
    with pytest.raises(SecretUnreadable):
        found.verifier.reveal()


@pytest.mark.parametrize("is_refused", [False, True])
async def test_given_a_session_that_ended_when_looked_at_then_its_outcome_is_recorded(
    storage: Storage, is_refused: bool
) -> None:
    session = await begun(storage, a_consent_session())
    failure = a_failure() if is_refused else None

    before = await latest(storage)
    await concluded(storage, session, failure)

    after = await latest(storage)
    assert before is not None
    assert after is not None
    assert before.state is ConsentState.PENDING
    assert (before.expire_time, before.redirect_url) == (session.expire_time, session.redirect_url)
    assert after.state is (ConsentState.REFUSED if is_refused else ConsentState.AUTHORIZED)
    assert after.failure == failure


async def test_given_a_later_session_when_an_earlier_one_ends_then_the_record_stays_the_later_ones(
    storage: Storage,
) -> None:
    earlier = await begun(storage, a_consent_session())
    await concluded(storage, earlier, a_failure())
    later = await begun(storage, a_consent_session(now=NOW + timedelta(minutes=1)))

    await concluded(storage, earlier, None)

    record = await latest(storage)
    assert record is not None
    assert (record.state, record.create_time, record.failure) == (ConsentState.PENDING, later.create_time, None)


@pytest.mark.parametrize("configuration_id", ["missing", "nul\0"])
async def test_given_no_session_ever_when_looked_at_then_none(storage: Storage, configuration_id: str) -> None:
    async with storage.uow() as work:
        assert await work.consents.latest(TENANT, [configuration_id]) == {}


@pytest.mark.parametrize("is_refused", [False, True])
async def test_given_a_session_that_ended_when_asked_for_by_its_state_then_its_outcome_comes(
    storage: Storage, is_refused: bool
) -> None:
    session = await begun(storage, a_consent_session(tenant=OTHER_TENANT))
    other = await begun(storage, a_consent_session())
    pending = await ended(storage, session.state_digest)
    await taken(storage, session, tenant=None)
    under_way = await ended(storage, session.state_digest)

    await concluded(storage, session, a_failure() if is_refused else None)

    record = await ended(storage, session.state_digest)
    assert (pending, under_way) == (None, None)
    assert record is not None
    assert record.state is (ConsentState.REFUSED if is_refused else ConsentState.AUTHORIZED)
    assert record.failure == (a_failure() if is_refused else None)
    assert (record.expire_time, record.redirect_url) == (session.expire_time, session.redirect_url)
    assert await ended(storage, other.state_digest) is None
    assert await ended(storage, b"\x00" * 32) is None


async def test_given_a_later_session_when_an_ended_one_is_asked_for_then_it_is_not_known_any_more(
    storage: Storage,
) -> None:
    earlier = await begun(storage, a_consent_session())
    await concluded(storage, earlier, None)
    await begun(storage, a_consent_session())

    assert await ended(storage, earlier.state_digest) is None
