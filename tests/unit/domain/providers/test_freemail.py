"""Whose mailboxes a freemail domain is made of."""

from __future__ import annotations

import pytest

from domain.providers import PROVIDERS, freemail
from domain.providers.freemail import freemail_provider_of, is_same_company


def test_given_every_domain_in_the_table_when_looked_up_then_it_has_the_preset_of_that_id() -> None:
    for provider_id, domains in freemail._DOMAINS.items():
        for domain in domains:
            owner = freemail_provider_of(domain)

            assert owner is not None
            assert owner.provider_id == provider_id


@pytest.mark.parametrize("domain", ["corp.de", "mail.gmail.com", "gmail.co", "yahoo.co.jp", ""])
def test_given_a_domain_of_others_when_looked_up_then_it_is_nobodys(domain: str) -> None:
    assert freemail_provider_of(domain) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("microsoft-personal", "microsoft", True),
        ("gmx", "gmx-net", True),
        ("yahoo", "aol", True),
        ("google", "google", True),
        ("google", "microsoft", False),
        ("gmx", "google", False),
        ("icloud", "sendgrid", False),
    ],
)
def test_given_two_presets_when_compared_then_one_company_is_told_from_two(
    one: str, other: str, expected: bool
) -> None:
    presets = {preset.provider_id: preset for preset in PROVIDERS}

    assert is_same_company(presets[one], presets[other]) is expected
    assert is_same_company(presets[other], presets[one]) is expected
