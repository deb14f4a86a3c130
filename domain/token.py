"""What a token endpoint answers: tokens, or a refusal (RFC 6749 section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.failures.failure import Failure
from domain.secret import Secret


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What was granted."""

    access_token: Secret
    expires_in: timedelta | None = None
    """None: the answer did not say, or not in a usable form; zero or less: it is expired already."""
    refresh_token: Secret | None = None
    """None: keep the one there is (RFC 6749 section 6)."""
    scopes: tuple[str, ...] | None = None
    """None: as requested (RFC 6749 section 5.1)."""
    account: str = ""
    """The address in the id_token (email, else preferred_username); empty when there was none."""
    other_names: tuple[str, ...] = ()
    """What else the id_token calls the account: at Microsoft, who signs in may differ from the mail address."""
    nonce: str = ""
    """The id_token's nonce; empty when there was none."""
    refresh_token_expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class TokenRefusal:
    """Why nothing was granted."""

    failure: Failure
    error: str = ""
    """The ``error`` of RFC 6749 section 5.2, any string; empty when the endpoint could not be understood or reached."""
    is_answer: bool = True
    """False: no definite answer came (timeout, lost connection, unreadable); the request may have been carried out."""

    @property
    def ends_grant(self) -> bool:
        """Tells whether the endpoint called the grant itself invalid; only that may end it, the store re-read."""
        return self.error == "invalid_grant"
