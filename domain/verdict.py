"""What a server decided about each recipient of one attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.address import EmailAddress
from domain.failures.failure import Failure, FailureKind
from domain.failures.trace import Trace


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the server decided about one recipient."""

    recipient: EmailAddress
    failure: Failure | None = None
    """
    None: accepted. Its kind tells the rest: PERMANENT is refused, IN_DOUBT is unknown, any other may be tried later.
    """
    reply: str = ""
    """The server's decisive reply, scrubbed and bounded to 1,024 characters."""

    @property
    def is_accepted(self) -> bool:
        """Tells whether the server took responsibility for this recipient."""
        return self.failure is None

    @property
    def is_in_doubt(self) -> bool:
        """Tells whether nobody can know if this recipient's copy was taken."""
        return self.failure is not None and self.failure.kind is FailureKind.IN_DOUBT


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one attempt."""

    verdicts: tuple[Verdict, ...]
    """One for each recipient, in the envelope's order."""
    trace: Trace
    failure: Failure | None = None
    """
    What ended the attempt for the message as a whole (connect, TLS, sign-in, sender, content); None when single
    recipients at most were refused.
    """
    rest_until: datetime | None = None
    """
    When the server wants to be asked again for this account, though it took this message; None: it did not say. What it
    wants with a refusal is the failure's `retry_time`.
    """

    @property
    def first_failure(self) -> Failure | None:
        """The failure to show when one is wanted: of the whole message, else of the first refused recipient."""
        return self.failure or next((v.failure for v in self.verdicts if v.failure), None)
