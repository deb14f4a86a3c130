"""Configure: the draft alone changes, secrets are kept, nothing half-right is stored."""

from __future__ import annotations

import asyncio

import pytest

from domain.configuration import Configuration
from domain.errors import ConcurrentChange, ConfigInvalid, InputInvalid, Violation
from domain.reasons import Reason
from domain.settings.model import BasicAuthentication
from domain.settings.written import WrittenBasic, WrittenSettings, WrittenSmtp
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    some_written_settings,
)
from tests.fakes.vault import FakeVault
from tests.unit.service.world import CALLER, World

WITHOUT_PASSWORD = WrittenBasic(username="robot@example.com")


async def stored(world: World) -> Configuration:
    async with world.uow() as work:
        found = await work.configurations.find(TENANT, CONFIGURATION_ID)
    assert found is not None
    return found


def password_of(configuration: Configuration) -> str:
    assert configuration.draft is not None
    authentication = configuration.draft.settings.authentication
    assert isinstance(authentication, BasicAuthentication)
    return authentication.password.reveal()


async def test_given_nothing_when_configured_then_there_is_a_draft_and_nothing_active() -> None:
    world = World()

    view = await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())

    assert view.draft is not None
    assert view.draft.state == "READY_TO_VALIDATE"
    assert view.active is None
    assert await stored(world) == view.configuration


async def test_given_an_active_revision_when_configured_then_it_stays_as_it_was() -> None:
    world = World()
    before = await world.given()

    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_address="new@example.com"))

    after = await stored(world)
    assert after.active == before.active
    assert after.draft is not None
    assert str(after.draft.settings.from_address) == "new@example.com"


async def test_given_a_stored_password_when_it_is_left_unset_then_is_kept() -> None:
    world = World()
    await world.given()

    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(authentication=WITHOUT_PASSWORD))

    assert password_of(await stored(world)) == "correct horse"


async def test_given_a_stored_password_when_the_account_changes_then_is_asked_for_again() -> None:
    """Nobody can have a password that he does not know sent to a host of his own."""
    world = World()
    await world.given()
    before = world.snapshot()
    elsewhere = some_written_settings(
        transport=WrittenSmtp(host="evil.example.net", port=587), authentication=WITHOUT_PASSWORD
    )

    with pytest.raises(ConfigInvalid) as refused:
        await world.configure(CALLER, CONFIGURATION_ID, elsewhere)

    assert [v.field for v in refused.value.violations] == ["settings.basic.password"]
    assert world.snapshot() == before


async def test_given_several_mistakes_when_configured_then_all_are_named_and_nothing_is_stored() -> None:
    world = World()
    wrong = WrittenSettings(
        from_address="nobody", transport=WrittenSmtp(host="https://x", port=70000), authentication=WrittenBasic()
    )

    with pytest.raises(ConfigInvalid) as refused:
        await world.configure(CALLER, CONFIGURATION_ID, wrong)

    fields = {violation.field for violation in refused.value.violations}
    assert fields == {
        "settings.from_address",
        "settings.smtp.host",
        "settings.smtp.port",
        "settings.basic.username",
        "settings.basic.password",
    }
    assert all(violation.remedy for violation in refused.value.violations)
    assert world.snapshot() == World().snapshot()


@pytest.mark.parametrize("name", ["Bob\nX-A: 1", "Bob\r\nBcc: eve@example.net", "Bob\x00"])
async def test_given_a_line_break_in_the_senders_name_when_configured_then_is_refused(name: str) -> None:
    """F04."""
    world = World()

    with pytest.raises(ConfigInvalid) as refused:
        await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_name=name))

    assert [v.field for v in refused.value.violations] == ["settings.from_name"]
    assert world.store.configurations == {}


async def test_given_a_stale_etag_when_configured_then_nothing_is_stored() -> None:
    world = World()
    first = await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())
    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_name="Second"))
    before = world.snapshot()

    with pytest.raises(ConcurrentChange) as refused:
        await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(), etag=first.configuration.etag)

    assert refused.value.reason is Reason.ETAG_MISMATCH
    assert world.snapshot() == before


async def test_given_the_present_etag_when_configured_then_it_is_replaced() -> None:
    world = World()
    first = await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())

    second = await world.configure(
        CALLER, CONFIGURATION_ID, some_written_settings(from_name="Second"), etag=first.configuration.etag
    )

    assert second.configuration.etag != first.configuration.etag


async def test_given_no_configuration_when_an_etag_is_given_then_is_not_created() -> None:
    world = World()

    with pytest.raises(ConcurrentChange):
        await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(), etag='"1"')

    assert world.store.configurations == {}


@pytest.mark.parametrize("name", ["", "Alerts", "-alerts", "a b", "a/b", "ä", "a" * 64, "alerts\n"])
async def test_given_an_id_that_is_none_when_configured_then_is_refused(name: str) -> None:
    world = World()

    with pytest.raises(InputInvalid) as refused:
        await world.configure(CALLER, name, some_written_settings())

    assert refused.value.violations[0].field == "configuration_id"
    assert world.store.configurations == {}


async def test_given_another_tenants_configuration_when_configured_then_that_one_is_not_touched() -> None:
    world = World()
    await world.given(a_configuration(tenant=OTHER_TENANT))
    foreign = world.store.configurations[OTHER_TENANT, CONFIGURATION_ID]

    view = await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())

    assert view.active is None
    assert world.store.configurations[OTHER_TENANT, CONFIGURATION_ID] == foreign


async def test_given_a_password_that_does_not_open_when_written_anew_then_the_draft_is_usable() -> None:
    """F42: a new secret repairs what lost its key."""
    world = World()
    await world.given()
    world.store.vault = FakeVault(keys=[2])

    with pytest.raises(ConfigInvalid) as refused:
        await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(authentication=WITHOUT_PASSWORD))
    view = await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())

    assert [v.field for v in refused.value.violations] == ["settings.basic.password"]
    assert view.draft is not None
    assert view.draft.unreadable == ()
    assert view.active is not None
    assert view.active.unreadable == ("settings.basic.password",)


@pytest.mark.parametrize("is_there", [False, True])
async def test_given_many_calls_at_once_without_an_etag_when_configured_then_all_are_taken_and_the_last_one_stands(
    is_there: bool,
) -> None:
    world = World()
    before = (await world.given()).last_revision if is_there else 0

    views = await asyncio.gather(
        *(world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_name=f"N{n}")) for n in range(30))
    )

    last = max(views, key=lambda view: view.configuration.version)
    assert await stored(world) == last.configuration
    assert sorted(view.configuration.last_revision - before for view in views) == list(range(1, 31))


async def test_given_many_calls_at_once_with_the_same_etag_when_configured_then_one_wins_and_the_others_are_told() -> (
    None
):
    world = World()
    etag = (await world.given()).etag

    results = await asyncio.gather(
        *(
            world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_name=f"N{n}"), etag=etag)
            for n in range(5)
        ),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in results) == ["ConcurrentChange"] * 4 + ["ConfigurationView"]


async def test_given_what_is_wrong_already_when_configured_then_is_named_beside_all_else_and_nothing_is_stored() -> (
    None
):
    world = World()
    await world.given()
    before = world.snapshot()
    already = Violation("settings.oauth.x", Reason.VALUE_OUT_OF_RANGE, "no", "yes")

    with pytest.raises(ConfigInvalid) as refused:
        await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(from_address="nobody"), found=[already])

    assert [v.field for v in refused.value.violations] == ["settings.oauth.x", "settings.from_address"]
    assert world.snapshot() == before


async def test_given_a_wrong_id_and_wrong_settings_when_configured_then_all_is_named_at_once() -> None:
    world = World()

    with pytest.raises(InputInvalid) as refused:
        await world.configure(CALLER, "Alerts!", some_written_settings(from_address="nobody"))

    fields = {violation.field for violation in refused.value.violations}
    assert {"configuration_id", "settings.from_address"} <= fields
