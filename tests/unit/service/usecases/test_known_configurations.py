"""Known configurations: as good as read, as long as the version is the store's; and bounded."""

from __future__ import annotations

from domain.account import Account
from domain.configuration import Configuration
from service.usecases.known_configurations import KnownConfigurations
from tests.builders import OTHER_TENANT, TENANT, a_configuration


def an_account(configuration: Configuration) -> Account:
    return Account(configuration.tenant, configuration.configuration_id)


def test_given_a_configuration_when_learned_then_is_known_in_its_version_alone() -> None:
    configuration = a_configuration(version=3)
    known = KnownConfigurations()

    known.learn(configuration)

    account = an_account(configuration)
    assert known.latest(account) is configuration
    assert known.of_version(account, 3) is configuration
    assert known.of_version(account, 2) is None
    assert known.of_version(account, 4) is None


def test_given_a_name_of_another_tenant_when_asked_for_then_is_not_known() -> None:
    configuration = a_configuration()
    known = KnownConfigurations()
    known.learn(configuration)

    assert known.latest(Account(OTHER_TENANT, configuration.configuration_id)) is None


def test_given_a_later_version_when_learned_then_replaces_the_former() -> None:
    known = KnownConfigurations()

    for version in (1, 2):
        known.learn(a_configuration(version=version))

    account = an_account(a_configuration())
    assert known.of_version(account, 1) is None
    assert known.of_version(account, 2) is not None


def test_given_more_than_fit_when_learned_then_the_one_that_was_used_longest_ago_is_forgotten() -> None:
    known = KnownConfigurations(most=2)
    a, b, c = (a_configuration(configuration_id=name) for name in "abc")

    known.learn(a)
    known.learn(b)
    assert known.latest(an_account(a)) is a
    known.learn(c)

    assert known.latest(Account(TENANT, "b")) is None
    assert known.latest(an_account(a)) is a
    assert known.latest(an_account(c)) is c
