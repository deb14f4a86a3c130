"""Names of messages, places in lists and in time: opaque, strict, bound to account, folder and UIDVALIDITY."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address import EmailAddress
from domain.connection import ConnectionSecurity
from domain.errors import InputInvalid, NotReady
from domain.host import Host
from domain.mailbox import MessageQuery
from domain.mailbox_names import (
    LARGEST_NUMBER,
    MailboxMessageId,
    PagePosition,
    WatchCursor,
    account_of,
    query_digest,
    read_cursor,
    read_message_id,
    read_position,
)
from domain.reasons import Reason
from domain.settings.model import MailboxSettings

BOX = MailboxSettings(
    email=EmailAddress("ann", "example.com"),
    host=Host("imap.example.com"),
    port=993,
    security=ConnectionSecurity.IMPLICIT_TLS,
)
ACCOUNT = account_of(BOX)
FOLDERS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60)
NUMBERS = st.integers(1, LARGEST_NUMBER)
IDS = st.builds(MailboxMessageId, st.just(ACCOUNT), FOLDERS, NUMBERS, NUMBERS)
AN_ID = MailboxMessageId(ACCOUNT, "INBOX", 111, 7)


@given(IDS)
def test_given_any_message_when_its_name_is_read_then_it_is_the_same(message: MailboxMessageId) -> None:
    assert read_message_id(str(message), account=ACCOUNT) == message


@given(IDS, st.integers(0, 10_000), st.sampled_from("ABCxyz019-_=+. "))
def test_given_a_changed_name_when_read_then_it_is_refused_or_another_one(
    message: MailboxMessageId, place: int, character: str
) -> None:
    text = str(message)
    place %= len(text)
    changed = text[:place] + character + text[place + 1 :]

    try:
        read = read_message_id(changed, account=ACCOUNT)
    except NotReady:
        return
    assert str(read) == changed


@given(st.text(max_size=100) | st.binary(max_size=80).map(lambda octets: base64.urlsafe_b64encode(octets).decode()))
def test_given_anything_when_read_as_a_message_then_only_cursor_invalid_is_raised(text: str) -> None:
    with pytest.raises(NotReady) as raised:
        read_message_id(text, account=ACCOUNT)

    assert raised.value.reason is Reason.CURSOR_INVALID


def test_given_a_name_of_another_account_when_read_then_it_is_refused() -> None:
    other = account_of(replace(BOX, host=Host("imap.example.net")))

    with pytest.raises(NotReady, match="another mailbox"):
        read_message_id(str(AN_ID), account=other)


def test_given_other_settings_of_the_same_mailbox_when_named_then_the_account_is_the_same() -> None:
    same = replace(BOX, port=143, security=ConnectionSecurity.STARTTLS, email=EmailAddress("Ann", "example.com"))

    assert account_of(same) == ACCOUNT


def test_given_a_message_id_when_read_as_a_cursor_then_it_is_refused() -> None:
    with pytest.raises(NotReady) as raised:
        read_cursor(str(AN_ID), account=ACCOUNT, folder="INBOX")

    assert raised.value.reason is Reason.CURSOR_INVALID


def test_given_a_cursor_when_read_for_another_folder_then_it_is_refused() -> None:
    cursor = WatchCursor(ACCOUNT, "INBOX", 111, 0)

    assert read_cursor(str(cursor), account=ACCOUNT, folder="INBOX") == cursor
    assert read_cursor("", account=ACCOUNT, folder="INBOX") is None
    with pytest.raises(NotReady, match="another folder"):
        read_cursor(str(cursor), account=ACCOUNT, folder="Sent")


def test_given_a_page_token_when_the_query_is_another_then_it_is_refused() -> None:
    query = MessageQuery(subject="Rechnung", flags=("\\Seen", "$Done"))
    position = PagePosition(ACCOUNT, "INBOX", 111, 500, query_digest(query))

    same = replace(query, flags=("$Done", "\\Seen"))
    assert read_position(str(position), account=ACCOUNT, folder="INBOX", query=same) == position
    for folder, other in (("Sent", query), ("INBOX", replace(query, unseen=True)), ("INBOX", MessageQuery())):
        with pytest.raises(InputInvalid) as raised:
            read_position(str(position), account=ACCOUNT, folder=folder, query=other)
        assert raised.value.reason is Reason.PAGE_TOKEN_INVALID


@pytest.mark.parametrize(("uid_validity", "uid"), [(0, 1), (1, 0), (LARGEST_NUMBER + 1, 1), (1, LARGEST_NUMBER + 1)])
def test_given_numbers_that_no_server_gives_when_made_then_raises(uid_validity: int, uid: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        MailboxMessageId(ACCOUNT, "INBOX", uid_validity, uid)
