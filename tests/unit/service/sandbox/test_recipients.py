from __future__ import annotations

import re

import pytest

from service.sandbox.recipients import MAGIC_RECIPIENTS, Behaviour, MagicRecipient, RecipientRules


def magic_of(rules: RecipientRules, recipient: str) -> MagicRecipient:
    magic = rules.find(recipient)
    assert magic is not None
    return magic


@pytest.mark.parametrize("recipient", ["gone@a.test", "GONE@b.test", "gone+case7@c.test"])
def test_given_a_magic_local_part_when_finding_then_domain_case_and_tag_do_not_matter(recipient: str) -> None:
    magic = RecipientRules().find(recipient)

    assert magic is not None
    assert magic.reply == "550 5.1.1 No such user here"


@pytest.mark.parametrize("recipient", ["ann@gone.test", "gone.ann@a.test", "+gone@a.test", "gone"])
def test_given_an_ordinary_address_when_finding_then_there_is_no_magic(recipient: str) -> None:
    assert RecipientRules().find(recipient) is None


def test_given_greylisting_when_asked_again_and_again_then_every_third_passes() -> None:
    rules = RecipientRules()
    magic = magic_of(rules, "greylist@a.test")

    refused = [rules.takes_effect(magic, sender="s@x.test", recipient="greylist@a.test") for _ in range(6)]

    assert refused == [True, True, False, True, True, False]


def test_given_greylisting_when_senders_and_recipients_differ_then_they_are_counted_apart() -> None:
    rules = RecipientRules()
    magic = magic_of(rules, "greylist@a.test")
    pairs = [("s@x.test", "greylist@a.test"), ("t@x.test", "greylist@a.test"), ("s@x.test", "greylist+1@a.test")]

    refused = [rules.takes_effect(magic, sender=s, recipient=r) for _ in range(3) for s, r in pairs]

    assert refused == [True] * 6 + [False] * 3


def test_given_very_many_pairs_when_counting_then_the_oldest_is_forgotten() -> None:
    rules = RecipientRules()
    magic = magic_of(rules, "cut@a.test")
    rules.takes_effect(magic, sender="first@x.test", recipient="cut@a.test")

    for number in range(10_000):
        rules.takes_effect(magic, sender=f"{number}@x.test", recipient="cut@a.test")

    assert rules.takes_effect(magic, sender="first@x.test", recipient="cut@a.test")


@pytest.mark.parametrize("magic", MAGIC_RECIPIENTS, ids=lambda magic: magic.local_part)
def test_given_a_magic_recipient_when_reading_its_reply_then_it_agrees_with_its_behaviour(
    magic: MagicRecipient,
) -> None:
    refuses = magic.behaviour in {Behaviour.REFUSE_RECIPIENT, Behaviour.REFUSE_MESSAGE}

    match = re.fullmatch(r"([45])\d\d (\d)\.\d\.\d .+", magic.reply)

    assert bool(match) is refuses
    assert match is None or match[1] == match[2]
