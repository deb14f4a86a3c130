from __future__ import annotations

from datetime import timedelta

import pytest

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Fields, Folder, Item
from service.sandbox.graph.mailboxes import Mailboxes
from tests.unit.service.sandbox.identity.client import Clock

BOX = "robot@sandbox.example"


def code_of(mailboxes: Mailboxes, item_id: str, mailbox: str = BOX) -> str:
    try:
        mailboxes.find(mailbox, item_id)
    except GraphError as error:
        return error.code
    return ""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mailboxes(clock: Clock) -> Mailboxes:
    return Mailboxes(now=clock.now)


def a_draft(mailboxes: Mailboxes) -> Item:
    return mailboxes.add(BOX, Fields(subject="x"))


def test_given_a_draft_when_it_was_sent_then_only_the_immutable_id_still_finds_it(mailboxes: Mailboxes) -> None:
    draft = a_draft(mailboxes)
    before, immutable = draft.folder_id, draft.immutable_id

    mailboxes.keep_sent(draft)

    assert code_of(mailboxes, before) == "ErrorItemNotFound"
    assert code_of(mailboxes, immutable) == ""
    assert code_of(mailboxes, draft.folder_id) == ""
    assert not draft.is_draft
    assert mailboxes.list(BOX, Folder.DRAFTS) == []
    assert mailboxes.list(BOX, Folder.SENT_ITEMS) == [draft]


def test_given_a_late_copy_when_looked_for_then_it_is_nowhere_until_its_time(
    mailboxes: Mailboxes, clock: Clock
) -> None:
    draft = a_draft(mailboxes)

    mailboxes.keep_sent(draft, copy_delay=timedelta(seconds=3))

    assert code_of(mailboxes, draft.immutable_id) == "ErrorItemNotFound"
    assert mailboxes.list(BOX) == []
    clock.move(seconds=3)
    assert code_of(mailboxes, draft.immutable_id) == ""
    assert mailboxes.list(BOX) == [draft]


def test_given_a_draft_when_deleted_twice_then_it_is_in_deleted_items_and_then_gone(mailboxes: Mailboxes) -> None:
    draft = a_draft(mailboxes)

    mailboxes.delete(draft)
    deleted = mailboxes.list(BOX, Folder.DELETED_ITEMS)
    counts = mailboxes.counts()
    mailboxes.delete(draft)

    assert deleted == [draft]
    assert counts == {BOX: {"deleteditems": 1}}
    assert code_of(mailboxes, draft.immutable_id) == "ErrorItemNotFound"
    assert mailboxes.counts() == {}


def test_given_another_mailbox_when_looked_for_then_its_messages_are_not_found(mailboxes: Mailboxes) -> None:
    draft = a_draft(mailboxes)

    assert code_of(mailboxes, draft.immutable_id, "other@sandbox.example") == "ErrorItemNotFound"
    assert code_of(mailboxes, "short") == "ErrorInvalidIdMalformed"


def test_given_drafts_when_made_then_each_has_a_message_id_from_the_start(mailboxes: Mailboxes) -> None:
    made = [a_draft(mailboxes), mailboxes.add(BOX, Fields(internet_message_id="<own@x.test>"))]

    assert made[0].fields.internet_message_id.endswith("@sandbox.example>")
    assert made[1].fields.internet_message_id == "<own@x.test>"
