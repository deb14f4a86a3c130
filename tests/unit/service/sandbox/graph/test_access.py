from __future__ import annotations

import pytest

from service.sandbox.graph.access import Access, Need
from service.sandbox.graph.directory import Directory, MailboxState, Right
from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.tokens import Caller

ME = "robot@sandbox.example"
OTHER = "team@sandbox.example"
APP = Caller("", frozenset({".default"}))


def user(*permissions: str) -> Caller:
    return Caller(ME, frozenset(permissions))


def refusal(directory: Directory, caller: Caller, mailbox: str, need: Need) -> str:
    try:
        Access(directory).require(caller, mailbox, need)
    except GraphError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("permissions", "need", "expected"),
    [
        ({"mail.send"}, Need.SEND, ""),
        ({"mail.readwrite", "mail.read"}, Need.SEND, "ErrorAccessDenied"),
        ({"mail.readwrite"}, Need.WRITE, ""),
        ({"mail.readwrite"}, Need.READ, ""),
        ({"mail.read"}, Need.READ, ""),
        ({"mail.read", "mail.send"}, Need.WRITE, "ErrorAccessDenied"),
        ({"mail.send"}, Need.READ, "ErrorAccessDenied"),
        ({"user.read"}, Need.USER, ""),
        ({"mail.send"}, Need.USER, "Authorization_RequestDenied"),
        ({".default"}, Need.WRITE, ""),
    ],
)
def test_given_permissions_when_used_on_one_s_own_mailbox_then_they_decide(
    permissions: set[str], need: Need, expected: str
) -> None:
    assert refusal(Directory(), user(*permissions), ME, need) == expected


@pytest.mark.parametrize(
    ("permissions", "rights", "expected"),
    [
        ({"mail.send.shared"}, {Right.FULL_ACCESS}, ""),
        ({"mail.send.shared"}, {Right.SEND_AS}, "ErrorAccessDenied"),
        ({"mail.send"}, {Right.FULL_ACCESS}, "ErrorAccessDenied"),
    ],
)
def test_given_another_s_mailbox_when_used_then_permission_and_full_access_are_needed(
    permissions: set[str], rights: set[Right], expected: str
) -> None:
    directory = Directory()
    directory.allow(ME, OTHER, *rights)

    assert refusal(directory, user(*permissions), OTHER, Need.SEND) == expected


@pytest.mark.parametrize(
    ("permissions", "rights", "expected"),
    [
        ({"mail.send", "mail.send.shared"}, {Right.SEND_AS}, False),
        ({"mail.send", "mail.send.shared"}, {Right.SEND_ON_BEHALF}, True),
        ({"mail.send", "mail.send.shared"}, {Right.FULL_ACCESS}, "ErrorSendAsDenied"),
        ({"mail.send"}, {Right.SEND_AS}, "ErrorAccessDenied"),
    ],
)
def test_given_another_from_address_when_sending_then_exchange_s_rights_decide(
    permissions: set[str], rights: set[Right], expected: bool | str
) -> None:
    directory = Directory()
    directory.allow(ME, OTHER, *rights)
    access = Access(directory)

    try:
        found: bool | str = access.is_on_behalf(user(*permissions), ME, OTHER.upper())
    except GraphError as error:
        found = error.code

    assert found == expected


def test_given_a_mailbox_that_is_not_there_when_used_then_said_so() -> None:
    directory = Directory()
    directory.set_state(ME, MailboxState.NOT_ENABLED)
    directory.set_state(OTHER, MailboxState.UNKNOWN_USER)

    assert refusal(directory, APP, ME, Need.SEND) == "MailboxNotEnabledForRESTAPI"
    assert refusal(directory, APP, OTHER, Need.SEND) == "ErrorInvalidUser"
    assert refusal(directory, APP, "no-address", Need.SEND) == "ErrorInvalidUser"


def test_given_an_application_when_it_asks_then_roles_and_policy_decide_and_there_is_no_me() -> None:
    directory = Directory()
    directory.app_roles = frozenset({"mail.send"})
    directory.app_mailboxes = frozenset({ME})

    with pytest.raises(GraphError, match="/me request is only valid with delegated authentication flow"):
        Access(directory).mailbox(APP, None)
    with pytest.raises(GraphError, match="RAOP"):
        Access(directory).require(APP, OTHER, Need.SEND)

    assert refusal(directory, APP, ME, Need.SEND) == ""
    assert refusal(directory, APP, ME, Need.WRITE) == "ErrorAccessDenied"


@pytest.mark.parametrize(("mailbox", "on_behalf"), [("shared+a@any.test", False), ("Behalf@any.test", True)])
def test_given_the_mailboxes_to_try_when_anybody_sends_from_them_then_it_goes(mailbox: str, on_behalf: bool) -> None:
    access = Access(Directory())
    caller = user("mail.send.shared")

    access.require(caller, mailbox, Need.SEND)

    assert access.is_on_behalf(caller, mailbox, mailbox) is on_behalf
