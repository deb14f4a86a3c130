"""A connection that is signed in, and what the next message on it has to know."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from adapters.smtp.dialogue import Witness
from adapters.smtp.ehlo import Capabilities
from adapters.smtp.tls import describe
from adapters.smtp.wire import Wire
from domain.failures.trace import TlsSession


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True, eq=False)
class Connection:
    """
    One session from its sign-in to its end, for one message after the other.

    A session that signed in with a token stays signed in when the token ends (RFC 4954 section 4: the state lasts until
    the connection is closed); who may no longer use it is for `Pool.forget` and the names of lanes to say.
    """

    wire: Wire
    witness: Witness
    """Whose scrubber knows what was shown at the sign-in."""
    capabilities: Capabilities
    peer: str = ""
    """Address and port, as in a trace."""
    mechanism: str = ""
    """What it was signed in with; empty where nobody had to."""
    begin_time: float = field(default_factory=_now)
    """By the loop's clock."""
    generation: int | None = None
    """Of the lane when its turn began; see `Pool.forget`. None: not kept yet."""
    messages: int = 0
    """How many were begun on it."""
    refusals: int = 0
    """How many commands were refused; servers slow down or hang up on who causes many."""
    needs_reset: bool = False
    """Whether a transaction is open that the next message must not become a part of (RFC 5321 section 4.1.4)."""
    _tls: TlsSession | None = None

    @property
    def tls(self) -> TlsSession | None:
        """What was negotiated; None on a plain connection."""
        if self._tls is None and self.wire.tls is not None:
            self._tls = describe(self.wire.tls, self.witness.clean)
        return self._tls

    @property
    def story(self) -> str:
        """What a trace says of a connection that is used again."""
        signed_in = f", signed in with {self.mechanism}" if self.mechanism else ""
        return f"reused: message {self.messages + 1} on this connection{signed_in}"
