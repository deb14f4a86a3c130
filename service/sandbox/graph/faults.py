"""What goes wrong on request: planned ahead, for the next requests that fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.operations import Operation

_NONE: Final = timedelta(0)
_USUAL: Final = {
    400: ("BadRequest", "Invalid request."),
    401: ("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."),
    403: ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    404: ("ErrorItemNotFound", "The specified object was not found in the store."),
    409: (
        "ErrorIrresolvableConflict",
        "The send or update operation could not be performed because the change key passed in the request does not "
        "match the current change key for the item.",
    ),
    413: ("ErrorMessageSizeExceeded", "The message exceeds the maximum supported size."),
    429: ("ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
    500: (
        "ErrorInternalServerError",
        "An internal server error occurred. The operation failed., Cannot submit message.",
    ),
    503: ("ErrorServerBusy", "The server cannot service this request right now. Try again later."),
    507: ("ErrorQuotaExceeded", "Mailbox has exceeded maximum mailbox size."),
}
_UNKNOWN: Final = ("UnknownError", "")
"""What the gateway says for 502 and 504, and for anything else here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One thing that goes wrong, for the requests that fit.

    At most one of *status*, *cut* and *silent* says how the request is answered; with none of them it is carried out
    and answered as usual, with *headers*, *retry_after*, *delay* and *copy_delay* as given. Raises ValueError for what
    makes no sense.
    """

    operation: Operation | None = None
    """None: any."""
    mailbox: str = ""
    """Empty: any; case is no matter."""
    skip: int = 0
    """Requests that fit and pass unharmed first: 3 with UPLOAD_RANGE breaks an upload after three ranges."""
    times: int = 1
    """Requests that it strikes."""
    status: int = 0
    """HTTP status to answer with."""
    code: str = ""
    """Microsoft's error code; empty: the usual one for the status."""
    message: str | None = None
    """Its text; None: the usual one."""
    body: str | None = None
    """The whole body instead of Microsoft's JSON; below 400 it is empty unless given."""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    retry_after: timedelta | None = None
    """Sent as Retry-After and recorded: what comes within it is told apart."""
    retry_after_as_date: bool = False
    """Whether it is sent as a date (RFC 9110 section 10.2.3)."""
    cut: bool = False
    """The connection is cut instead of an answer."""
    unread: bool = False
    """With *cut*: before the body was read."""
    silent: bool = False
    """No answer until the client goes away, or the simulator's silence has passed; then the connection is cut."""
    takes_effect: bool = False
    """With *status*, *cut* or *silent*: whether the request is carried out all the same."""
    delay: timedelta = _NONE
    """Before the answer, after the request was carried out."""
    copy_delay: timedelta = _NONE
    """How long after sending the copy shows up in Sent Items; until then the message is nowhere."""

    def __post_init__(self) -> None:
        if sum((bool(self.status), self.cut, self.silent)) > 1:
            raise ValueError("at most one of status, cut and silent")
        if self.times < 1 or self.skip < 0:
            raise ValueError("a fault strikes once at least, and skips none or more")
        if self.unread and (not self.cut or self.takes_effect):
            raise ValueError("unread goes with cut, and such a request cannot take effect")
        if self.status and not 200 <= self.status <= 599:
            raise ValueError("a status is from 200 to 599")
        if any("\n" in text or "\r" in text for header in self.headers for text in header):
            raise ValueError("a header has no line breaks")

    @property
    def is_carried_out(self) -> bool:
        """Tells whether a struck request does what it asks for."""
        return self.takes_effect or not (self.status or self.cut or self.silent)

    def error(self) -> GraphError:
        """Returns the refusal with *status*."""
        code, message = _USUAL.get(self.status, _UNKNOWN)
        return GraphError(self.status, self.code or code, message if self.message is None else self.message)


@dataclass(slots=True)
class _Planned:
    fault: Fault
    skips: int
    times: int

    def fits(self, operation: Operation, mailbox: str) -> bool:
        fault = self.fault
        return fault.operation in {None, operation} and fault.mailbox.casefold() in {"", mailbox.casefold()}


class PlannedFaults:
    """Faults that were asked for; the oldest that fits strikes first."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def __len__(self) -> int:
        return len(self._planned)

    def plan(self, fault: Fault) -> None:
        """Lets *fault* strike from now on."""
        self._planned.append(_Planned(fault, fault.skip, fault.times))

    def take(self, operation: Operation, mailbox: str) -> Fault | None:
        """Returns what goes wrong with this request, and counts it."""
        for planned in self._planned:
            if not planned.fits(operation, mailbox):
                continue
            if planned.skips:
                planned.skips -= 1
                continue
            planned.times -= 1
            if planned.times == 0:
                self._planned.remove(planned)
            return planned.fault
        return None

    def clear(self) -> None:
        """Forgets what was planned."""
        self._planned.clear()
