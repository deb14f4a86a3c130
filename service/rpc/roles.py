"""Which role each RPC takes: the one table, in the order of the proto."""

from __future__ import annotations

from typing import Final

from domain.caller import Caller, Role
from domain.errors import PermissionDenied

_CONFIGURE: Final = frozenset({Role.CONFIGURE})
_SEND: Final = frozenset({Role.SEND})
_READ: Final = frozenset({Role.READ})
_ANY: Final = frozenset(Role)
_SETTINGS: Final = _CONFIGURE | _READ
"""Whoever configures has to see what there is."""
_DELIVERIES: Final = _SEND | _READ
"""Whoever sends may follow what becomes of it."""

ROLES: Final[dict[str, frozenset[Role]]] = {
    "/mailport.v1.MailService/Configure": _CONFIGURE,
    "/mailport.v1.MailService/GetConfiguration": _SETTINGS,
    "/mailport.v1.MailService/ListConfigurations": _SETTINGS,
    "/mailport.v1.MailService/DeleteConfiguration": _CONFIGURE,
    "/mailport.v1.MailService/GetOptions": _ANY,
    "/mailport.v1.MailService/Authorize": _CONFIGURE,
    "/mailport.v1.MailService/CompleteAuth": _CONFIGURE,
    "/mailport.v1.MailService/RevokeAuth": _CONFIGURE,
    "/mailport.v1.MailService/ValidateAndSave": _CONFIGURE,
    "/mailport.v1.MailService/ConfirmValidation": _CONFIGURE,
    "/mailport.v1.MailService/SendTest": _CONFIGURE,
    "/mailport.v1.MailService/CheckAccount": _CONFIGURE,
    "/mailport.v1.MailService/Send": _SEND,
    "/mailport.v1.MailService/SendStream": _SEND,
    "/mailport.v1.MailService/GetDelivery": _DELIVERIES,
    "/mailport.v1.MailService/ListDeliveries": _DELIVERIES,
    "/mailport.v1.MailService/CancelDelivery": _SEND,
    "/mailport.v1.MailService/RetryDelivery": _SEND,
    "/mailport.v1.MailService/WatchDeliveries": _DELIVERIES,
    "/mailport.v1.MailService/Explain": _ANY,
    "/mailport.v1.MailboxService/ListFolders": _READ,
    "/mailport.v1.MailboxService/ListMessages": _READ,
    "/mailport.v1.MailboxService/GetMessage": _READ,
    "/mailport.v1.MailboxService/WatchMailbox": _READ,
    # They change what the mailbox's owner sees, which `read` must not.
    "/mailport.v1.MailboxService/SetFlags": _SEND,
    "/mailport.v1.MailboxService/MoveMessage": _SEND,
}
"""The roles of which a caller needs one. A method that is missing here is refused to everybody."""


def require_role(caller: Caller, method: str) -> None:
    """Raises PermissionDenied ROLE_MISSING unless *caller* has one of the roles that *method* takes."""
    sufficient = ROLES.get(method, frozenset())
    if caller.roles & sufficient:
        return
    names = [role.value for role in Role if role in sufficient]
    raise PermissionDenied(
        f"This call needs the role {' or '.join(names)}." if names else "Nobody may make this call.",
        remedy="Have the operator grant the role to the credential that you call with.",
        metadata={"roles": ",".join(names)},
    )
