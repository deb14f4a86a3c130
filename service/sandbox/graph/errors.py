"""Refusals in Microsoft's words (https://learn.microsoft.com/graph/errors, and answers seen in the open by 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

_CHALLENGE: Final = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
    'client_id="00000003-0000-0000-c000-000000000000"'
)


class GraphError(Exception):
    """A request that is refused: HTTP status, Microsoft's code and text, headers besides the usual ones."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def error_body(error: GraphError, *, request_id: str, client_request_id: str, now: datetime) -> dict[str, Any]:
    """Returns the JSON of a refusal."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "innerError": {
                "date": f"{now:%Y-%m-%dT%H:%M:%S}",
                "request-id": request_id,
                "client-request-id": client_request_id or request_id,
            },
        }
    }


def token_unusable(message: str) -> GraphError:
    """Returns the 401 for a token that does not do, with the challenge that Graph sends along."""
    return GraphError(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": _CHALLENGE})


def token_revoked() -> GraphError:
    """Returns the 401 for a token whose grant ended before the token did (continuous access evaluation)."""
    claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="
    return GraphError(
        401,
        "InvalidAuthenticationToken",
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
        "TokenIssuedBeforeRevocationTimestamp",
        headers={"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_claims", claims="{claims}"'},
    )


def access_denied() -> GraphError:
    """Returns the 403 for a permission or a right to the mailbox that is missing."""
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def access_policy() -> GraphError:
    """Returns the 403 of an application access policy that leaves the mailbox out."""
    return GraphError(
        403,
        "ErrorAccessDenied",
        "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings.",
    )


def insufficient_privileges() -> GraphError:
    """Returns the 403 of the directory, as opposed to a mailbox."""
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def send_as_denied() -> GraphError:
    """Returns the 403 for another address than one's own without Send As or Send on Behalf."""
    return GraphError(
        403,
        "ErrorSendAsDenied",
        "The user account which was used to submit this request does not have the right to send mail on behalf of the "
        "specified sending account., Cannot submit message.",
    )


def me_without_user() -> GraphError:
    """Returns the 400 for ``/me`` with a token that is nobody's."""
    return GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")


def mailbox_not_enabled() -> GraphError:
    """Returns the 404 for a user without a mailbox in the cloud."""
    return GraphError(
        404,
        "MailboxNotEnabledForRESTAPI",
        "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    )


def user_unknown(user: str) -> GraphError:
    """Returns the 404 for a user that the directory does not have."""
    return GraphError(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")


def item_not_found() -> GraphError:
    """Returns the 404 for a message that is not there (any more) under that id."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def invalid_id() -> GraphError:
    """Returns the 400 for what is no id at all."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def no_recipients() -> GraphError:
    """Returns the 400 for a message that nobody would get."""
    return GraphError(
        400,
        "ErrorInvalidRecipients",
        "At least one recipient is not valid., A message can't be sent because it contains no recipients.",
    )


def recipient_invalid() -> GraphError:
    """Returns the 400 for an address that is none."""
    return GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")


def request_too_large() -> GraphError:
    """Returns the 413 for a request above 4 MB."""
    return GraphError(413, "RequestEntityTooLarge", "The request is too large: the maximum request length is exceeded.")


def message_too_large() -> GraphError:
    """Returns the 413 for a message above what the mailbox may send."""
    return GraphError(413, "ErrorMessageSizeExceeded", "The message exceeds the maximum supported size.")


def throttled(limit: str, retry_after: timedelta) -> GraphError:
    """Returns the 429 for an application above *limit*, e.g. ``MailboxConcurrency``."""
    seconds = max(1, -(-retry_after // timedelta(seconds=1)))  # whole seconds, rounded up
    return GraphError(
        429,
        "ApplicationThrottled",
        f"Application is over its {limit} limit.",
        headers={"Retry-After": str(seconds)},
    )


def body_unreadable() -> GraphError:
    """Returns the 400 for what is no JSON."""
    return GraphError(
        400,
        "BadRequest",
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON "
        "format.",
    )


def body_empty() -> GraphError:
    """Returns the 400 for a body that was left out."""
    return GraphError(400, "BadRequest", "Empty Payload. JSON content expected.")


def content_type_missing() -> GraphError:
    """Returns the 415 for a body of no type, or of one that Graph does not read."""
    return GraphError(
        415,
        "RequestBodyRead",
        "A missing or empty content type header was found when trying to read a message. The content type header is "
        "required.",
    )


def property_unknown(name: str, kind: str) -> GraphError:
    """Returns the 400 for a property that *kind* does not have."""
    return GraphError(
        400,
        "RequestBodyRead",
        f"The property '{name}' does not exist on type '{kind}'. Make sure to only use property names that are defined "
        "by the type.",
    )


def property_invalid(name: str, kind: str) -> GraphError:
    """Returns the 400 for a property with a value of another kind."""
    return GraphError(
        400,
        "RequestBodyRead",
        f"Cannot convert the value of the property '{name}' to the expected type '{kind}'.",
    )


def property_value_invalid() -> GraphError:
    """Returns the 400 for a value that Exchange cannot keep."""
    return GraphError(400, "ErrorInvalidProperty", "The specified value is invalid for property.")
