"""What the exit code of a command says."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import grpc

from service.terminal.refusals import Refusal


class ExitCode(IntEnum):
    """The exit codes of every client command; server commands use OK, FAILED and USAGE."""

    OK = 0
    FAILED = 1
    """mailport itself failed, or does not do that in this version."""
    USAGE = 2
    """The command line is wrong; nothing was called."""
    INPUT_REFUSED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    """Changed meanwhile, or a key used again with other content."""
    NOT_READY = 6
    """A person has to do something else first, e.g. validate."""
    PROVIDER_REFUSED = 7
    """The mail server or identity provider said no, or a delivery that was waited for ended without being sent."""
    UNAVAILABLE = 8
    """No answer, or not now: try again."""
    NOT_ALLOWED = 9
    NOT_FINAL = 10
    """Accepted, and mailport goes on trying: do not send it again."""


_BY_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: ExitCode.INPUT_REFUSED,
    grpc.StatusCode.OUT_OF_RANGE: ExitCode.INPUT_REFUSED,
    grpc.StatusCode.NOT_FOUND: ExitCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: ExitCode.CONFLICT,
    grpc.StatusCode.ABORTED: ExitCode.CONFLICT,
    grpc.StatusCode.FAILED_PRECONDITION: ExitCode.NOT_READY,
    grpc.StatusCode.UNAVAILABLE: ExitCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.UNAUTHENTICATED: ExitCode.NOT_ALLOWED,
    grpc.StatusCode.PERMISSION_DENIED: ExitCode.NOT_ALLOWED,
}
_ABOVE_A_BOUND: Final = "MESSAGE_TOO_LARGE"


def exit_code_of(refusal: Refusal) -> ExitCode:
    """Returns the exit code for a refused call."""
    if refusal.failure is not None:
        return ExitCode.PROVIDER_REFUSED
    if refusal.reason == _ABOVE_A_BOUND:  # RESOURCE_EXHAUSTED too, but waiting makes no message smaller
        return ExitCode.INPUT_REFUSED
    return _BY_STATUS.get(refusal.code, ExitCode.FAILED)


HELP: Final = (
    "Exit codes: 0 done; 1 mailport failed; 2 wrong usage; 3 input refused; 4 not found; 5 conflict; 6 not ready yet; "
    "7 the provider refused; 8 unavailable, try again; 9 not allowed; 10 accepted, not final yet."
)
"""The same for people, in the help."""
