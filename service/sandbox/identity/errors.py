"""Error answers of the token endpoint, in the words of the provider that is behaved like."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from service.sandbox.identity.behaviour import Behaviour

_GOOGLE_TEXTS: Final = {
    "invalid_client": "Unauthorized",
    "invalid_grant": "Token has been expired or revoked.",
    "unsupported_grant_type": "Invalid grant_type: that one is not known",
}


class TokenError(Exception):
    """
    An OAuth error (RFC 6749 section 5.2), with the numbers that Microsoft would add.

    *google* is what Google says instead of *text*; empty: its usual words for *error*, if it has any.
    """

    def __init__(self, error: str, text: str, *, aadsts: int, suberror: str = "", google: str = "") -> None:
        super().__init__(text)
        self.error = error
        self.text = text
        self.aadsts = aadsts
        self.suberror = suberror
        self.google = google

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return {"invalid_client": 401, "server_error": 500}.get(self.error, 400)


def error_body(error: TokenError, behaviour: Behaviour, *, now: datetime) -> dict[str, Any]:
    """Returns the JSON of an error answer."""
    if behaviour is Behaviour.MICROSOFT:
        return _microsoft(error, now)
    text = error.text
    if behaviour is Behaviour.GOOGLE:
        text = error.google or _GOOGLE_TEXTS.get(error.error, error.text)
    return {"error": error.error, "error_description": text}


def microsoft_description(
    aadsts: int, text: str, *, now: datetime, trace_id: str = "", correlation_id: str = ""
) -> str:
    """Returns an ``error_description`` as Microsoft writes it, in callbacks too; ids not given are new ones."""
    trace_id, correlation_id = trace_id or str(uuid.uuid4()), correlation_id or str(uuid.uuid4())
    return (
        f"AADSTS{aadsts}: {text} Trace ID: {trace_id} Correlation ID: {correlation_id} "
        f"Timestamp: {now:%Y-%m-%d %H:%M:%SZ}"
    )


def _microsoft(error: TokenError, now: datetime) -> dict[str, Any]:
    trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
    body: dict[str, Any] = {
        "error": error.error,
        "error_description": microsoft_description(
            error.aadsts, error.text, now=now, trace_id=trace_id, correlation_id=correlation_id
        ),
        "error_codes": [error.aadsts],
        "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"https://login.microsoftonline.com/error?code={error.aadsts}",
    }
    return {**body, "suberror": error.suberror} if error.suberror else body
