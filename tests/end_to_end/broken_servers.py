"""
Mail servers that are broken, one way each, as data: what they do, and what mailport is to say of it.

A `Broken` has doors, a port and what is behind it each; only what differs from a sound server for submission is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ssl import SSLContext, TLSVersion
from typing import Final, TypeAlias

from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.script import (
    Item,
    abort,
    close,
    expect,
    expect_hello,
    expect_message,
    farewell,
    flood,
    hang,
    multiline,
    send,
    send_bytes,
    tls,
)

HOST: Final = "mail.broken.example"
OUTLOOK: Final = "smtp.office365.com"
NAMES: Final = (HOST, OUTLOOK)


class Contexts:
    """TLS as servers show it: named by what is wrong with it."""

    def __init__(self, ca: TestCA, other: TestCA) -> None:
        good = ca.issue("good", names=NAMES)
        self.good = server_context(good)
        self.expired = server_context(ca.issue("expired", names=NAMES, expired=True))
        self.not_yet_valid = server_context(
            ca.issue("not-yet", names=NAMES, begins_in=timedelta(days=1), ends_in=timedelta(days=4))
        )
        self.self_signed = server_context(ca.self_signed("self-signed", names=NAMES))
        self.unknown_authority = server_context(other.issue("unknown", names=NAMES))
        self.wrong_name = server_context(ca.issue("wrong-name", names=("other.example",)))
        self.common_name_alone = server_context(ca.issue(HOST, names=("other.example",)))
        self.up_to_1_0 = server_context(good, newest=TLSVersion.TLSv1)
        self.up_to_1_1 = server_context(good, newest=TLSVersion.TLSv1_1)
        self.up_to_1_2 = server_context(good, newest=TLSVersion.TLSv1_2)


Script: TypeAlias = Callable[[Contexts], Sequence[Item]]
Door: TypeAlias = Callable[[Contexts], "Sequence[Item] | FaultySmtp"]
"""A script, or a server that listens to what the client wants."""
Choice: TypeAlias = Callable[[Contexts], SSLContext]
Parts: TypeAlias = dict[str, tuple[Item, Item]]

STARTTLS: Final = ("greeting", "ehlo", "starttls", "handshake", "again", "auth", "mail", "rcpt", "data", "dot", "quit")
IMPLICIT_TLS: Final = ("handshake", "greeting", "again", "auth", "mail", "rcpt", "data", "dot", "quit")
NONE: Final = ("greeting", "again", "auth", "mail", "rcpt", "data", "dot", "quit")
ANONYMOUS: Final = tuple(part for part in STARTTLS if part != "auth")
ANONYMOUS_NONE: Final = tuple(part for part in NONE if part != "auth")


def _parts(context: SSLContext, offers: Sequence[str]) -> Parts:
    """What a server waits for, and how it answers when all is well."""
    return {
        "greeting": ((), send("220 mx ESMTP")),
        "ehlo": (expect(r"EHLO \S+"), send(*multiline(250, "mx", "STARTTLS"))),
        "starttls": (expect("STARTTLS"), send("220 2.0.0 go ahead")),
        "handshake": ((), tls(context, may_fail=True)),
        "again": (expect(r"EHLO \S+"), send(*multiline(250, "mx", *offers))),
        "auth": (expect(r"AUTH PLAIN \S+"), send("235 2.7.0 welcome")),
        "mail": (expect(r"MAIL FROM:<.+>.*"), send("250 2.1.0 ok")),
        "rcpt": (expect(r"RCPT TO:<.+>.*"), send("250 2.1.5 ok")),
        "data": (expect("DATA"), send("354 go on")),
        "dot": (expect_message(), send("250 2.0.0 queued as 1")),
        "quit": ((), farewell()),
    }


def sound(
    order: Sequence[str] = STARTTLS,
    *,
    context: Choice = lambda contexts: contexts.good,
    offers: Sequence[str] = ("AUTH PLAIN", "SIZE 10000000"),
    **instead: Item,
) -> Script:
    """A server that takes a mail; parts of it go as *instead* says."""

    def script(contexts: Contexts) -> list[Item]:
        parts = _parts(context(contexts), offers)
        return [instead.get(name, parts[name]) for name in order]

    return script


def at(
    part: str,
    fault: Item,
    order: Sequence[str] = STARTTLS,
    *,
    context: Choice = lambda contexts: contexts.good,
    offers: Sequence[str] = ("AUTH PLAIN", "SIZE 10000000"),
) -> Script:
    """A server that is well up to *part*, which it answers with *fault*."""

    def script(contexts: Contexts) -> list[Item]:
        parts = _parts(context(contexts), offers)
        before = order[: order.index(part)]
        return [*(parts[name] for name in before), parts[part][0], fault]

    return script


def willing(*, signs_in: bool = True, requires_starttls: bool = True) -> Door:
    """A server that can do all, in clear and behind STARTTLS; passwords are taken behind it alone."""
    passwords = {"robot@broken.example": "s3cr3t!"} if signs_in else {}
    return lambda contexts: FaultySmtp(
        context=contexts.good, passwords=passwords, require_starttls=requires_starttls, mechanisms=("PLAIN",)
    )


def says(*lines: str) -> Item:
    """A reply, after which the client may say goodbye."""
    return (send(*lines), hang())


def ends(*lines: str) -> Item:
    """A reply, after which the server hangs up."""
    return (send(*lines), close())


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A server, the settings that lead to it, and what is to be said."""

    name: str
    doors: Mapping[int, Door] = field(default_factory=dict)
    reason: str = ""
    """Empty: it takes the mail all the same."""
    stage: str = ""
    port: int = 587
    security: str = "STARTTLS"
    minimum: str = "UNSPECIFIED"
    signs_in: bool = True
    host: str = HOST
    cure: tuple[str, ...] | None = None
    """The fields of the first fix, which has to cure; None: there is none."""
    is_slow: bool = False
    """Whether it has to be waited for: then the call has a near deadline."""


def _certificate(name: str, context: Choice, reason: str) -> list[Broken]:
    """The same certificate in both modes."""
    return [
        Broken(name=f"{name}, starttls", doors={587: sound(context=context)}, reason=reason, stage="TLS"),
        Broken(
            name=f"{name}, implicit",
            doors={465: sound(IMPLICIT_TLS, context=context)},
            port=465,
            security="IMPLICIT_TLS",
            reason=reason,
            stage="TLS",
        ),
    ]


SECURITY: Final = "settings.smtp.security"
PORT: Final = "settings.smtp.port"
_AUTH: Final = ("AUTH PLAIN",)

REACHING: Final = (
    Broken(name="closed", reason="CONNECTION_REFUSED", stage="CONNECT"),
    Broken(
        name="closed, implicit tls serves",
        doors={465: sound(IMPLICIT_TLS)},
        reason="CONNECTION_REFUSED",
        stage="CONNECT",
        cure=(PORT, SECURITY),
    ),
    Broken(
        name="465 closed, starttls serves",
        doors={587: sound()},
        port=465,
        security="IMPLICIT_TLS",
        reason="CONNECTION_REFUSED",
        stage="CONNECT",
        cure=(PORT, SECURITY),
    ),
    Broken(
        name="a port of nobody, submission serves",
        doors={587: sound()},
        port=2525,
        reason="CONNECTION_REFUSED",
        stage="CONNECT",
        cure=(PORT,),
    ),
    Broken(name="unknown name", host="no.broken.example", reason="DNS_NAME_UNKNOWN", stage="DNS"),
    Broken(name="name service away", host="away.broken.example", reason="DNS_UNAVAILABLE", stage="DNS"),
    Broken(name="private network", host="inner.broken.example", reason="EGRESS_DENIED", stage="DNS"),
)

MODES: Final = (
    Broken(
        name="starttls server, implicit set",
        doors={587: sound()},
        security="IMPLICIT_TLS",
        reason="TLS_MODE_MISMATCH",
        stage="TLS",
        cure=(SECURITY,),
    ),
    Broken(
        name="implicit server, starttls set",
        doors={465: sound(IMPLICIT_TLS)},
        port=465,
        reason="TLS_MODE_MISMATCH",
        stage="EHLO",
        cure=(SECURITY,),
        is_slow=True,
    ),
    Broken(
        name="implicit server, no security set",
        doors={465: sound(IMPLICIT_TLS)},
        port=465,
        security="NONE",
        reason="TLS_MODE_MISMATCH",
        stage="EHLO",
        cure=(SECURITY,),
        is_slow=True,
    ),
    Broken(
        name="implicit set, plain server without starttls, submission serves",
        doors={2525: sound(NONE), 587: sound()},
        port=2525,
        security="IMPLICIT_TLS",
        reason="TLS_MODE_MISMATCH",
        stage="TLS",
        cure=(PORT, SECURITY),
    ),
    Broken(
        name="implicit set, plain server, nothing serves",
        doors={2525: sound(NONE)},
        port=2525,
        security="IMPLICIT_TLS",
        reason="TLS_MODE_MISMATCH",
        stage="TLS",
    ),
    Broken(
        name="implicit server with tls 1.2 alone, starttls set",
        doors={465: sound(IMPLICIT_TLS, context=lambda contexts: contexts.up_to_1_2)},
        port=465,
        reason="TLS_MODE_MISMATCH",
        stage="EHLO",
        cure=(SECURITY,),
        is_slow=True,
    ),
    Broken(
        name="wants starttls before mail",
        doors={587: at("mail", says("530 5.7.0 Must issue a STARTTLS command first"), ANONYMOUS_NONE)},
        security="NONE",
        signs_in=False,
        reason="TLS_REQUIRED",
        stage="MAIL_FROM",
    ),
    Broken(
        name="wants starttls before mail and has it",
        doors={587: willing(signs_in=False)},
        security="NONE",
        signs_in=False,
        reason="TLS_REQUIRED",
        stage="MAIL_FROM",
        cure=(SECURITY,),
    ),
    Broken(
        name="offers no sign-in in clear, and starttls",
        doors={587: willing(requires_starttls=False)},
        security="NONE",
        reason="NO_USABLE_AUTH_MECHANISM",
        stage="AUTH",
        cure=(SECURITY,),
    ),
    Broken(
        name="wants tls before the sign-in",
        doors={
            587: at("auth", says("538 5.7.11 Encryption required for requested authentication mechanism"), NONE),
            465: sound(IMPLICIT_TLS),
        },
        security="NONE",
        reason="TLS_REQUIRED",
        stage="AUTH",
        cure=(PORT, SECURITY),
    ),
    Broken(
        name="offers no sign-in in clear, submission serves",
        doors={25: sound(NONE, offers=("SIZE 1000",)), 587: sound()},
        port=25,
        security="NONE",
        reason="NO_USABLE_AUTH_MECHANISM",
        stage="AUTH",
        cure=(PORT, SECURITY),
    ),
)

STARTING_TLS: Final = (
    Broken(
        name="starttls missing",
        doors={587: sound(NONE, offers=_AUTH)},
        reason="STARTTLS_UNAVAILABLE",
        stage="TLS",
    ),
    Broken(
        name="starttls missing, implicit tls serves",
        doors={587: sound(NONE, offers=_AUTH), 465: sound(IMPLICIT_TLS)},
        reason="STARTTLS_UNAVAILABLE",
        stage="TLS",
        cure=(PORT, SECURITY),
    ),
    Broken(
        name="starttls refused for now",
        doors={587: at("starttls", says("454 4.7.0 TLS not available due to temporary reason"))},
        reason="STARTTLS_REFUSED_FOR_NOW",
        stage="TLS",
    ),
    Broken(
        name="starttls refused",
        doors={587: at("starttls", says("502 5.5.1 Command not implemented"))},
        reason="STARTTLS_UNAVAILABLE",
        stage="TLS",
    ),
    Broken(
        name="starttls broken, implicit tls serves",
        doors={587: at("starttls", says("554 5.7.3 Unable to initialize TLS")), 465: sound(IMPLICIT_TLS)},
        reason="STARTTLS_UNAVAILABLE",
        stage="TLS",
        cure=(PORT, SECURITY),
    ),
    Broken(
        name="plain text behind starttls",
        doors={587: at("starttls", (send("220 2.0.0 go ahead", "250 injected"), hang()))},
        reason="EARLY_PLAINTEXT",
        stage="TLS",
    ),
    Broken(
        name="no tls behind starttls",
        doors={587: at("handshake", (expect_hello(), send_bytes(b"\x00\x01 what?\r\n" * 8), hang()))},
        reason="TLS_FAILED",
        stage="TLS",
    ),
    Broken(
        name="handshake failure alert",
        doors={587: at("handshake", (expect_hello(), send_bytes(b"\x15\x03\x03\x00\x02\x02\x28"), hang()))},
        reason="TLS_FAILED",
        stage="TLS",
    ),
    Broken(
        name="drops in the handshake",
        doors={587: at("handshake", close())},
        reason="CONNECTION_LOST",
        stage="TLS",
    ),
    Broken(
        name="silent in the handshake",
        doors={587: at("handshake", hang())},
        reason="SERVER_SILENT",
        stage="TLS",
        is_slow=True,
    ),
    Broken(
        name="tls 1.0 only",
        doors={587: sound(context=lambda contexts: contexts.up_to_1_0)},
        reason="TLS_VERSION",
        stage="TLS",
    ),
    Broken(
        name="tls 1.1 only, implicit",
        doors={465: sound(IMPLICIT_TLS, context=lambda contexts: contexts.up_to_1_1)},
        port=465,
        security="IMPLICIT_TLS",
        reason="TLS_VERSION",
        stage="TLS",
    ),
    Broken(
        name="tls 1.2 at most, 1.3 wanted",
        doors={587: sound(context=lambda contexts: contexts.up_to_1_2)},
        minimum="1_3",
        reason="TLS_VERSION",
        stage="TLS",
        cure=("settings.smtp.minimum_tls_version",),
    ),
    Broken(
        name="tls 1.2 at most, 1.3 wanted, implicit",
        doors={465: sound(IMPLICIT_TLS, context=lambda contexts: contexts.up_to_1_2)},
        port=465,
        security="IMPLICIT_TLS",
        minimum="1_3",
        reason="TLS_VERSION",
        stage="TLS",
        cure=("settings.smtp.minimum_tls_version",),
    ),
    *_certificate("expired", lambda contexts: contexts.expired, "CERT_EXPIRED"),
    *_certificate("not yet valid", lambda contexts: contexts.not_yet_valid, "CERT_EXPIRED"),
    *_certificate("self-signed", lambda contexts: contexts.self_signed, "CERT_UNTRUSTED"),
    *_certificate("unknown authority", lambda contexts: contexts.unknown_authority, "CERT_UNTRUSTED"),
    *_certificate("wrong name", lambda contexts: contexts.wrong_name, "CERT_NAME_MISMATCH"),
    *_certificate("common name alone", lambda contexts: contexts.common_name_alone, "CERT_NAME_MISMATCH"),
)

GREETING: Final = (
    Broken(name="silent from the start", doors={587: at("greeting", hang())}, reason="SERVER_SILENT", stage="EHLO",
           is_slow=True),
    Broken(name="drops at once", doors={587: at("greeting", close())}, reason="CONNECTION_LOST", stage="EHLO"),
    Broken(name="resets at once", doors={587: at("greeting", abort())}, reason="CONNECTION_LOST", stage="EHLO"),
    Broken(name="421 banner", doors={587: at("greeting", ends("421 4.3.2 Service not available"))},
           reason="SERVER_BUSY", stage="EHLO"),
    Broken(name="421 too many connections",
           doors={587: at("greeting", ends("421 4.7.0 Too many concurrent SMTP connections from this IP address"))},
           reason="THROTTLED", stage="EHLO"),
    Broken(name="554 banner", doors={587: at("greeting", says("554 5.3.2 No SMTP service here"))},
           reason="SERVICE_REFUSED", stage="EHLO"),
    Broken(name="554 banner on 25, submission serves",
           doors={25: at("greeting", says("554 5.3.2 No SMTP service here")), 587: sound()}, port=25,
           reason="SERVICE_REFUSED", stage="EHLO", cure=(PORT,)),
    Broken(name="blocklisted",
           doors={587: at("greeting", says("554 5.7.1 Client host [192.0.2.7] blocked using zen.spamhaus.org"))},
           reason="BLOCKLISTED", stage="EHLO"),
    Broken(name="web server", doors={587: at("greeting", (send("HTTP/1.1 400 Bad Request", ""), close()))},
           reason="PROTOCOL_ERROR", stage="EHLO"),
    Broken(name="web server, implicit tls serves",
           doors={587: at("greeting", (send("HTTP/1.1 400 Bad Request", ""), close())), 465: sound(IMPLICIT_TLS)},
           reason="PROTOCOL_ERROR", stage="EHLO", cure=(PORT, SECURITY)),
    Broken(name="garbage banner", doors={587: at("greeting", (send_bytes(b"\x00\xff\xfe what?\r\n"), hang()))},
           reason="PROTOCOL_ERROR", stage="EHLO"),
    Broken(name="endless banner line", doors={587: at("greeting", flood(b"220 " + b"x" * 10_000))},
           reason="REPLY_TOO_LARGE", stage="EHLO"),
    Broken(name="endless banner lines", doors={587: at("greeting", flood(b"220-still here\r\n" * 500))},
           reason="REPLY_TOO_LARGE", stage="EHLO"),
    Broken(name="does not like the name",
           doors={587: at("ehlo", says("504 5.5.2 <mx>: Helo command rejected: need fully-qualified hostname"))},
           reason="EHLO_NAME_REFUSED", stage="EHLO"),
    Broken(name="421 at ehlo", doors={587: at("ehlo", ends("421 4.3.2 shutting down"))}, reason="SERVER_BUSY",
           stage="EHLO"),
    Broken(name="drops at ehlo", doors={587: at("ehlo", close())}, reason="CONNECTION_LOST", stage="EHLO"),
    Broken(name="silent at ehlo", doors={587: at("ehlo", hang())}, reason="SERVER_SILENT", stage="EHLO",
           is_slow=True),
    Broken(name="endless ehlo", doors={587: at("ehlo", flood(b"250-NONSENSE\r\n" * 500))}, reason="REPLY_TOO_LARGE",
           stage="EHLO"),
    Broken(name="drops at the second ehlo", doors={587: at("again", close())}, reason="CONNECTION_LOST",
           stage="EHLO"),
)  # fmt: skip

_DISABLED: Final = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
SIGNING_IN: Final = (
    Broken(name="no auth", doors={587: sound(offers=("SIZE 1000000",))}, reason="NO_USABLE_AUTH_MECHANISM",
           stage="AUTH"),
    Broken(name="tokens only", doors={587: sound(offers=("AUTH XOAUTH2 OAUTHBEARER",))},
           reason="NO_USABLE_AUTH_MECHANISM", stage="AUTH"),
    Broken(name="challenges only", doors={587: sound(offers=("AUTH CRAM-MD5 GSSAPI",))},
           reason="NO_USABLE_AUTH_MECHANISM", stage="AUTH"),
    Broken(name="wrong password", doors={587: at("auth", says("535 5.7.8 Error: authentication failed"))},
           reason="AUTH_REJECTED", stage="AUTH"),
    Broken(name="no check just now",
           doors={587: at("auth", says("454 4.7.0 Temporary authentication failure: Connection lost to "
                                       "authentication server"))}, reason="AUTH_UNAVAILABLE", stage="AUTH"),
    Broken(name="smtp auth off", doors={587: at("auth", says(_DISABLED))}, reason="SMTP_AUTH_DISABLED", stage="AUTH"),
    Broken(name="app password wanted",
           doors={587: at("auth", says("534-5.7.9 Application-specific password required. Learn more at",
                                       "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor"))},
           reason="APP_PASSWORD_NEEDED", stage="AUTH"),
    Broken(name="browser wanted",
           doors={587: at("auth", says("534 5.7.14 Please log in via your web browser and then try again."))},
           reason="BROWSER_SIGN_IN_NEEDED", stage="AUTH"),
    Broken(name="account locked", doors={587: at("auth", says("535 5.7.13 User account disabled"))},
           reason="ACCOUNT_LOCKED", stage="AUTH"),
    Broken(name="password expired", doors={587: at("auth", says("535 5.7.8 Your password has expired."))},
           reason="PASSWORD_EXPIRED", stage="AUTH"),
    Broken(name="unlisted address", doors={587: at("auth", says("525 5.7.1 Unauthorized IP address"))},
           reason="CLIENT_ADDRESS_REFUSED", stage="AUTH"),
    Broken(name="too many sign-ins", doors={587: at("auth", ends("421 4.7.0 Too many login attempts, try later"))},
           reason="THROTTLED", stage="AUTH"),
    Broken(name="421 at auth", doors={587: at("auth", ends("421 4.3.2 shutting down"))},
           reason="SERVER_BUSY", stage="AUTH"),
    Broken(name="drops at auth", doors={587: at("auth", close())}, reason="CONNECTION_LOST", stage="AUTH"),
    Broken(name="silent at auth", doors={587: at("auth", hang())}, reason="SERVER_SILENT", stage="AUTH",
           is_slow=True),
    Broken(name="garbage at auth", doors={587: at("auth", (send_bytes(b"\xff\xfe ok\r\n"), hang()))},
           reason="PROTOCOL_ERROR", stage="AUTH"),
)  # fmt: skip

SENDING: Final = (
    Broken(name="sign-in wanted", doors={587: at("mail", says("530 5.7.0 Authentication Required"), ANONYMOUS)},
           signs_in=False, reason="AUTH_REQUIRED", stage="MAIL_FROM"),
    Broken(name="sender not owned",
           doors={587: at("mail", says("553 5.7.1 Sender address rejected: not owned by user robot"))},
           reason="SENDER_REFUSED", stage="MAIL_FROM"),
    Broken(name="sender's domain unknown",
           doors={587: at("mail", says("450 4.1.8 Sender address rejected: Domain not found"))},
           reason="SENDER_DOMAIN_INVALID", stage="MAIL_FROM"),
    Broken(name="account blocked", doors={587: at("mail", says("550 5.1.8 Access denied, bad outbound sender"))},
           reason="SENDING_BLOCKED", stage="MAIL_FROM"),
    Broken(name="no room for the size", doors={587: sound(offers=("AUTH PLAIN", "SIZE 100"))}, reason="TOO_LARGE",
           stage="MAIL_FROM"),
    Broken(name="refuses the size",
           doors={587: at("mail", says("552 5.3.4 Message size exceeds fixed maximum message size"))},
           reason="TOO_LARGE", stage="MAIL_FROM"),
    Broken(name="421 at mail", doors={587: at("mail", ends("421 4.3.2 shutting down"))}, reason="SERVER_BUSY",
           stage="MAIL_FROM"),
    Broken(name="drops at mail", doors={587: at("mail", close())}, reason="CONNECTION_LOST", stage="MAIL_FROM"),
    Broken(name="silent at mail", doors={587: at("mail", hang())}, reason="SERVER_SILENT", stage="MAIL_FROM",
           is_slow=True),
    Broken(name="unknown user", doors={587: at("rcpt", says("550 5.1.1 User unknown"))}, reason="RECIPIENT_UNKNOWN",
           stage="RCPT_TO"),
    Broken(name="unknown user, in eight bits",
           doors={587: at("rcpt", (send_bytes("550 Empfänger unbekannt\r\n".encode("latin-1")), hang()))},
           reason="RECIPIENT_UNKNOWN", stage="RCPT_TO"),
    Broken(name="relaying denied", doors={587: at("rcpt", says("554 5.7.1 <admin@x.example>: Relay access denied"))},
           reason="RELAY_DENIED", stage="RCPT_TO"),
    Broken(name="greylisting", doors={587: at("rcpt", says("450 4.2.0 Greylisted, please try again later"))},
           reason="GREYLISTED", stage="RCPT_TO"),
    Broken(name="mailbox full", doors={587: at("rcpt", says("452 4.2.2 The recipient's mailbox is full"))},
           reason="RECIPIENT_MAILBOX_FULL", stage="RCPT_TO"),
    Broken(name="quota", doors={587: at("rcpt", says("550 5.4.5 Daily user sending limit exceeded."))},
           reason="QUOTA_EXCEEDED", stage="RCPT_TO"),
    Broken(name="421 at rcpt", doors={587: at("rcpt", ends("421 4.3.2 shutting down"))}, reason="SERVER_BUSY",
           stage="RCPT_TO"),
    Broken(name="drops at rcpt", doors={587: at("rcpt", close())}, reason="CONNECTION_LOST", stage="RCPT_TO"),
    Broken(name="silent at rcpt", doors={587: at("rcpt", hang())}, reason="SERVER_SILENT", stage="RCPT_TO",
           is_slow=True),
    Broken(name="421 at data", doors={587: at("data", ends("421 4.3.2 shutting down"))}, reason="SERVER_BUSY",
           stage="DATA"),
    Broken(name="drops at data", doors={587: at("data", close())}, reason="CONNECTION_LOST", stage="DATA"),
    Broken(name="silent at data", doors={587: at("data", hang())}, reason="SERVER_SILENT", stage="DATA",
           is_slow=True),
    Broken(name="disk full", doors={587: at("data", says("452 4.3.1 Insufficient system storage"))},
           reason="SERVER_BUSY", stage="DATA"),
    Broken(name="too large at the end", doors={587: at("dot", says("552 5.3.4 Message too big"))}, reason="TOO_LARGE",
           stage="DATA"),
    Broken(name="spam", doors={587: at("dot", says("554 5.7.1 Message rejected as spam"))}, reason="SPAM_REFUSED",
           stage="DATA"),
    Broken(name="dmarc",
           doors={587: at("dot", says("550 5.7.26 Unauthenticated email from x.example is not accepted due to "
                                      "domain's DMARC policy."))}, reason="DOMAIN_UNAUTHENTICATED", stage="DATA"),
    Broken(name="attachment", doors={587: at("dot", says("552 5.7.0 This message has an illegal attachment"))},
           reason="ATTACHMENT_REFUSED", stage="DATA"),
    Broken(name="421 at the end", doors={587: at("dot", ends("421 4.3.2 shutting down"))}, reason="SERVER_BUSY",
           stage="DATA"),
    Broken(name="drops after the content", doors={587: at("dot", close())}, reason="OUTCOME_UNKNOWN", stage="DATA"),
    Broken(name="silent after the content", doors={587: at("dot", hang())}, reason="OUTCOME_UNKNOWN", stage="DATA",
           is_slow=True),
    Broken(name="endless last reply", doors={587: at("dot", flood(b"250-well\r\n" * 500))}, reason="OUTCOME_UNKNOWN",
           stage="DATA"),
)  # fmt: skip

_LOGIN: Final = (
    *(expect("AUTH LOGIN"), send("334 VXNlcm5hbWU6")),
    *(expect(r"\S+"), send("334 UGFzc3dvcmQ6")),
    *(expect(r"\S+"), send("235 2.7.0 welcome")),
)
_HELO: Final = (expect(r"EHLO \S+"), send("502 5.5.1 what?"), expect(r"HELO \S+"), send("250 mx"))
ODD_BUT_SOUND: Final = (
    Broken(name="login only", doors={587: sound(offers=("AUTH LOGIN",), auth=_LOGIN)}),
    Broken(name="banner of several lines", doors={587: sound(greeting=send("220-mx", "220-no spam", "220"))}),
    Broken(name="banner in eight bits",
           doors={587: sound(greeting=send_bytes("220 Grüß Gott\r\n".encode("latin-1")))}),
    Broken(name="last reply in eight bits",
           doors={587: sound(dot=(expect_message(), send_bytes("250 Schön\r\n".encode("latin-1"))))}),
    Broken(name="helo alone, in clear", doors={25: sound(ANONYMOUS_NONE, again=_HELO)}, port=25, security="NONE",
           signs_in=False),
    Broken(name="drops at quit", doors={587: sound(quit=(expect("QUIT"), close()))}),
    Broken(name="refuses the goodbye", doors={587: sound(quit=(expect("QUIT"), send("421 4.3.2 no"), close()))}),
)  # fmt: skip

ALL: Final = (*REACHING, *MODES, *STARTING_TLS, *GREETING, *SIGNING_IN, *SENDING, *ODD_BUT_SOUND)
