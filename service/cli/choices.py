"""Words that options take, and the values of the API they stand for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mailport.v1 import configuration_pb2, delivery_pb2

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")


class Security(StrEnum):
    """How a connection to a mail server is secured."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT_TLS = "implicit-tls"


class MinimumTls(StrEnum):
    """The lowest TLS version that a mail server may choose."""

    TLS_1_0 = "1.0"
    TLS_1_1 = "1.1"
    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class Provider(StrEnum):
    """Whose authorization server gives the consent."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    CUSTOM = "custom"


class GrantType(StrEnum):
    """How an OAuth client comes by its tokens."""

    AUTHORIZATION_CODE = "authorization-code"
    CLIENT_CREDENTIALS = "client-credentials"
    JWT_BEARER = "jwt-bearer"


class Policy(StrEnum):
    """What happens when the wanted data center has no live worker."""

    PREFERRED = "preferred"
    STRICT = "strict"


class State(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    HELD = "held"
    IN_DOUBT = "in-doubt"
    SENT = "sent"
    PARTIALLY_SENT = "partially-sent"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


def security_value(choice: Security | None) -> configuration_pb2.ConnectionSecurity.ValueType:
    """Returns the API's value; unspecified for None."""
    return configuration_pb2.ConnectionSecurity.Value(f"CONNECTION_SECURITY_{_name(choice)}")


def tls_value(choice: MinimumTls | None) -> configuration_pb2.TlsVersion.ValueType:
    """Returns the API's value; unspecified for None."""
    name = "UNSPECIFIED" if choice is None else choice.name.removeprefix("TLS_")
    return configuration_pb2.TlsVersion.Value(f"TLS_VERSION_{name}")


def provider_value(choice: Provider | None) -> configuration_pb2.OauthProvider.ValueType:
    """Returns the API's value; unspecified for None."""
    return configuration_pb2.OauthProvider.Value(f"OAUTH_PROVIDER_{_name(choice)}")


def grant_type_value(choice: GrantType | None) -> configuration_pb2.OauthGrantType.ValueType:
    """Returns the API's value; unspecified for None."""
    return configuration_pb2.OauthGrantType.Value(f"OAUTH_GRANT_TYPE_{_name(choice)}")


def policy_value(choice: Policy | None) -> configuration_pb2.DataCenterPolicy.ValueType:
    """Returns the API's value; unspecified for None."""
    return configuration_pb2.DataCenterPolicy.Value(f"DATA_CENTER_POLICY_{_name(choice)}")


def state_value(choice: State) -> delivery_pb2.DeliveryState.ValueType:
    """Returns the API's value."""
    return delivery_pb2.DeliveryState.Value(f"DELIVERY_STATE_{choice.name}")


def instant_value(text: str, *, option: str) -> Timestamp:
    """Returns the instant that *text* names in ISO 8601; without an offset it is UTC. Raises typer.BadParameter."""
    try:
        parsed = datetime.fromisoformat(text)
        aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
        stamp = Timestamp()
        stamp.FromDatetime(aware)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time; write e.g. 2026-03-01 or 2026-03-01T09:15:00Z", param_hint=option
        ) from None
    return stamp


def duration_value(text: str, *, option: str) -> Duration:
    """Returns the span that *text* names: a whole number and s, m, h or d. Raises typer.BadParameter."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write e.g. 90s, 30m, 24h or 7d", param_hint=option)
    return Duration(seconds=int(found[1]) * _SECONDS[found[2]])


def _name(choice: StrEnum | None) -> str:
    return "UNSPECIFIED" if choice is None else choice.name
