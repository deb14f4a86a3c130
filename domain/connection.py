"""How a connection to a mail server is secured."""

from __future__ import annotations

from enum import StrEnum


class ConnectionSecurity(StrEnum):
    """How a connection is secured; the configured mode decides, never the port, and nothing is opportunistic."""

    NONE = "NONE"
    STARTTLS = "STARTTLS"
    """Plain at first, then required STARTTLS (RFC 3207)."""
    IMPLICIT_TLS = "IMPLICIT_TLS"
    """TLS from the first byte (RFC 8314 section 3.3)."""


class TlsVersion(StrEnum):
    """The lowest protocol version a server may choose."""

    TLS_1_0 = "TLS_1_0"
    TLS_1_1 = "TLS_1_1"
    TLS_1_2 = "TLS_1_2"
    TLS_1_3 = "TLS_1_3"

    @property
    def is_recommended(self) -> bool:
        """Tells whether the version is fit for use: 1.2 and higher (RFC 8996, RFC 9325)."""
        return self in (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)
