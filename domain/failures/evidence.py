"""What is known about a refusal before it is explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.failures.failure import Stage


class Surface(StrEnum):
    """Where the evidence comes from."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    SMTP = "smtp"
    GRAPH = "graph"
    """Microsoft Graph; `Evidence.code` is the HTTP status, `error` Graph's code."""
    IMAP = "imap"
    """`Evidence.error` is the response code (RFC 3501 section 7.1, RFC 5530), `subcode` NO, BAD or BYE."""
    OAUTH_TOKEN = "oauth-token"
    """The token endpoint, and the way there; `Evidence.code` is the HTTP status."""
    OAUTH_AUTHORIZE = "oauth-authorize"
    """The authorization endpoint: what the callback brought back, or what its page showed."""


class Symptom(StrEnum):
    """What was seen when it was not a reply: adapters name it, the catalogue explains it."""

    NAME_UNKNOWN = "name_unknown"
    NAME_UNAVAILABLE = "name_unavailable"
    EGRESS_DENIED = "egress_denied"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    LOST = "lost"
    SILENT = "silent"
    GARBAGE = "garbage"
    """What came was no reply, or not one that this step can be answered with."""
    REPLY_TOO_LARGE = "reply_too_large"
    PLAINTEXT_INSTEAD_OF_TLS = "plaintext_instead_of_tls"
    TLS_INSTEAD_OF_PLAINTEXT = "tls_instead_of_plaintext"
    STARTTLS_NOT_OFFERED = "starttls_not_offered"
    EARLY_PLAINTEXT = "early_plaintext"
    TLS_VERSION = "tls_version"
    TLS_1_2_AT_MOST = "tls_1_2_at_most"
    """The settings want TLS 1.3, and the server speaks 1.2."""
    TLS_HANDSHAKE = "tls_handshake"
    CERT_UNTRUSTED = "cert_untrusted"
    CERT_EXPIRED = "cert_expired"
    CERT_NAME_MISMATCH = "cert_name_mismatch"
    NO_AUTH_MECHANISM = "no_auth_mechanism"
    NO_SECRET = "no_secret"
    """The settings hold an empty password, which is never offered to a server."""
    KEY_UNUSABLE = "key_unusable"
    """The settings' key cannot sign, so that nothing was sent."""
    NO_CONSENT = "no_consent"
    """The settings name an OAuth account, and there is no token for it."""
    SMTPUTF8_NOT_OFFERED = "smtputf8_not_offered"
    ABOVE_SIZE = "above_size"
    ABOVE_RECIPIENT_LIMIT = "above_recipient_limit"
    TOO_SLOW = "too_slow"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One refusal as it was met."""

    surface: Surface
    stage: Stage
    symptom: Symptom | None = None
    """None: the peer answered; `code` and `text` say what."""
    code: int = 0
    """The reply code, 0 when there was no reply."""
    enhanced_code: str = ""
    """``X.Y.Z`` when the reply had one."""
    error: str = ""
    """OAuth's own word (RFC 6749 sections 4.1.2.1 and 5.2), Graph's or IMAP's code; empty when there was none."""
    subcode: str = ""
    """What the provider adds to `error`: ``AADSTS50173`` (Microsoft), ``invalid_rapt`` (Google); else empty."""
    with_token: bool | None = False
    """Whether the sign-in was made with an access token; None: nobody knows, since an answer was pasted."""
    without_person: bool = False
    """Whether a token was asked for that takes no consent: for an app itself, or with a signed assertion."""
    text: str = ""
    """The reply's lines joined by blanks, scrubbed, without the codes."""
    detail: str = ""
    """What else helps a person: addresses tried, mechanisms offered, versions, names; scrubbed."""
    host: str = ""
    port: int = 0
    provider: str = ""
    """Preset's id when the host is a known provider's."""
    security: str = ""
    """The configured connection security; empty when nobody knows."""
    past_no_return: bool = False
    """Whether content may have left: then whatever is not a definite answer leaves the outcome unknown."""
    met_time: datetime | None = None
    """When it was met; None: a pause that the provider is known to ask for does not become a `Failure.retry_time`."""
    retry_time: datetime | None = None
    """When the peer asked to be tried again."""
