"""Which role each RPC takes."""

from __future__ import annotations

import pytest

from domain.caller import Caller, Role
from domain.errors import PermissionDenied
from mailport.v1 import mail_service_pb2, mailbox_service_pb2
from service.rpc.roles import ROLES, require_role

MAIL, MAILBOX = "/mailport.v1.MailService/", "/mailport.v1.MailboxService/"


def a_caller(*roles: Role) -> Caller:
    return Caller(tenant="acme", roles=frozenset(roles))


def may(role: Role) -> set[str]:
    return {method.removeprefix("/mailport.v1.") for method, roles in ROLES.items() if role in roles}


def test_given_the_contract_when_looked_up_then_every_rpc_has_its_roles() -> None:
    declared = {
        f"/{service.full_name}/{method.name}"
        for file in (mail_service_pb2, mailbox_service_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert set(ROLES) == declared
    assert all(ROLES.values())


def test_given_each_role_alone_when_asked_what_it_may_then_it_is_no_more_than_this() -> None:
    assert may(Role.READ) == {
        "MailService/GetConfiguration",
        "MailService/ListConfigurations",
        "MailService/GetOptions",
        "MailService/GetDelivery",
        "MailService/ListDeliveries",
        "MailService/WatchDeliveries",
        "MailService/Explain",
        "MailboxService/ListFolders",
        "MailboxService/ListMessages",
        "MailboxService/GetMessage",
        "MailboxService/WatchMailbox",
    }
    assert may(Role.SEND) == {
        "MailService/GetOptions",
        "MailService/Send",
        "MailService/SendStream",
        "MailService/GetDelivery",
        "MailService/ListDeliveries",
        "MailService/CancelDelivery",
        "MailService/RetryDelivery",
        "MailService/WatchDeliveries",
        "MailService/Explain",
        "MailboxService/SetFlags",
        "MailboxService/MoveMessage",
    }
    assert may(Role.CONFIGURE) == {
        "MailService/Configure",
        "MailService/GetConfiguration",
        "MailService/ListConfigurations",
        "MailService/DeleteConfiguration",
        "MailService/GetOptions",
        "MailService/Authorize",
        "MailService/CompleteAuth",
        "MailService/RevokeAuth",
        "MailService/ValidateAndSave",
        "MailService/ConfirmValidation",
        "MailService/SendTest",
        "MailService/CheckAccount",
        "MailService/Explain",
    }


def test_given_one_of_two_roles_when_required_then_it_suffices() -> None:
    require_role(a_caller(Role.READ), f"{MAIL}GetConfiguration")
    require_role(a_caller(Role.CONFIGURE), f"{MAIL}GetConfiguration")


def test_given_the_wrong_role_when_required_then_the_right_ones_are_named() -> None:
    with pytest.raises(PermissionDenied) as refused:
        require_role(a_caller(Role.SEND), f"{MAIL}GetConfiguration")

    assert refused.value.metadata == {"roles": "configure,read"}
    assert "configure or read" in refused.value.message


@pytest.mark.parametrize("method", [f"{MAIL}GetOptions", f"{MAILBOX}ListFolders"])
def test_given_no_role_when_required_then_even_the_least_is_refused(method: str) -> None:
    with pytest.raises(PermissionDenied):
        require_role(a_caller(), method)


def test_given_a_method_that_the_table_lacks_when_required_then_nobody_may() -> None:
    with pytest.raises(PermissionDenied):
        require_role(a_caller(*Role), f"{MAIL}Undeclared")
