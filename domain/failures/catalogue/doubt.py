"""The one cause that needs no recognising: content had left, and no definite answer came."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.failure import FailureKind
from domain.reasons import Reason

OUTCOME_UNKNOWN: Final = Entry(
    reason=Reason.OUTCOME_UNKNOWN,
    kind=FailureKind.IN_DOUBT,
    cause="The content was on its way to {server} and no complete answer came back{because}: nobody can know whether "
    "the "
    "message was taken (RFC 1047).",
    remedy="Look for the message at the recipient, in Sent Items or in the server's log before sending it again by "
    "hand. "
    "Under the policy RETRY it is sent again after ten minutes with the same Message-ID; under HOLD it waits for you.",
)
