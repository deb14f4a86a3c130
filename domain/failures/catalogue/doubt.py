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
    "the message was taken (RFC 1047).",
    remedy="Look for the message at the recipient, in Sent Items or in the server's log before sending it again by "
    "hand. A queued message is sent again with the same Message-ID after ten minutes at the earliest under the policy "
    "RETRY, and waits for you under HOLD; a test mail or a validation mail is not sent again by itself.",
)
