"""What is left: an explanation by reply code and stage for answers that nobody has seen yet (RFC 5321 section 4.2)."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT
from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_OPENING: Final = frozenset({Stage.CONNECT, Stage.EHLO})
_TLS: Final = frozenset({Stage.TLS})
_AUTH: Final = frozenset({Stage.AUTH})
_MAIL: Final = frozenset({Stage.MAIL_FROM})
_RCPT: Final = frozenset({Stage.RCPT_TO})
_DATA: Final = frozenset({Stage.DATA})

_FOR_NOW: Final = (
    Entry(
        code="4..",
        stages=_TLS,
        reason=Reason.STARTTLS_REFUSED_FOR_NOW,
        kind=FailureKind.TRANSIENT,
        cause="{server} cannot start TLS just now{reply}. Nothing was sent in clear.",
        remedy=f"{WAIT} It never goes without TLS. If it lasts, the server's certificate or TLS set-up needs care.",
    ),
    Entry(
        code="4..",
        stages=_AUTH,
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="{server} cannot check the sign-in just now{reply}; this is a temporary refusal and says nothing about "
        "the password.",
        remedy=WAIT,
    ),
    Entry(
        code="421",
        reason=Reason.SERVER_BUSY,
        kind=FailureKind.TRANSIENT,
        cause="{server} is closing or overloaded and ended the session{reply}.",
        remedy=WAIT,
    ),
    Entry(
        code="4..",
        stages=_OPENING,
        reason=Reason.SERVER_BUSY,
        kind=FailureKind.TRANSIENT,
        cause="{server} does not take a session just now{reply}.",
        remedy=WAIT,
    ),
    Entry(
        code="4..",
        reason=Reason.REFUSED_FOR_NOW,
        kind=FailureKind.TRANSIENT,
        cause="{server} refused this for now{reply}; this is a temporary refusal.",
        remedy=WAIT,
    ),
)

_FOR_GOOD: Final = (
    Entry(
        code="530",
        reason=Reason.AUTH_REQUIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} takes mail only from those who sign in{reply}.",
        remedy="Choose an authentication for this configuration, and a security mode that encrypts the connection.",
    ),
    Entry(
        code="5..",
        stages=_TLS,
        reason=Reason.STARTTLS_UNAVAILABLE,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused to start TLS{reply}. Nothing was sent in clear.",
        remedy="Use the port for implicit TLS (usually 465) with security IMPLICIT_TLS, or have STARTTLS enabled on "
        "the server.",
    ),
    Entry(
        code="504|50[02]",
        stages=_AUTH,
        reason=Reason.NO_USABLE_AUTH_MECHANISM,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} knows none of the ways to sign in that fit the settings{because}{reply}.",
        remedy="Choose the authentication that the server offers, and check that port and security are those for "
        "submission.",
    ),
    Entry(
        code="538|523",
        stages=_AUTH,
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} wants the connection to be encrypted before anybody signs in{reply}.",
        remedy="Set the security to STARTTLS, or use the port for implicit TLS (usually 465).",
    ),
    Entry(
        code="5..",
        stages=_AUTH,
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused the sign-in{reply}.",
        remedy="Check user name and password; many providers want an app password or OAuth instead of the account's "
        "password.",
    ),
    Entry(
        code="50[14]|550",
        stages=frozenset({Stage.EHLO}),
        reason=Reason.EHLO_NAME_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} did not take the greeting{because}{reply}.",
        remedy="Set ehlo_name to the full host name of the machine that sends, one that the DNS knows.",
    ),
    Entry(
        code="5..",
        stages=_OPENING,
        reason=Reason.SERVICE_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refuses to serve mailport{reply}.",
        remedy="Check that host and port are those for submission, and ask the server's operator whether mailport's "
        "address "
        "is blocked.",
    ),
    Entry(
        code="552",
        stages=_MAIL | _DATA,
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        cause="The message is larger than {server} takes{reply}.",
        remedy="Make the attachments smaller (sent, they take a third more), or send a link instead.",
    ),
    Entry(
        code="5..",
        stages=_MAIL,
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} refused the sender{reply}.",
        remedy="Use a from address that the account may send as, and check its spelling.",
    ),
    Entry(
        code="5..",
        stages=_RCPT,
        reason=Reason.RECIPIENT_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} refused the recipient{reply}.",
        remedy="Check the recipient's address; if it is right, ask the recipient's side why.",
    ),
    Entry(
        code="5..",
        stages=_DATA,
        reason=Reason.MESSAGE_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} refused the message{reply}.",
        remedy="Read the server's words; its operator can tell which rule refused the message.",
    ),
    Entry(
        code="5..",
        reason=Reason.SERVICE_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused this for good{reply}.",
        remedy="Read the server's words, and check host, port and account of these settings.",
    ),
)

_PASTE: Final = (
    "Paste the line with the code, such as one that begins with 535 or 550, or the whole text of the error message."
)
_NO_REFUSAL: Final = (
    Entry(
        pasted=True,
        code="2..",
        surfaces=frozenset({Surface.SMTP}),
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="A code that begins with 2 means that the server accepted what it was told; nothing is wrong in "
        "this answer.",
        remedy=f"Nothing needs mending here. If mail fails nevertheless, another line says why. {_PASTE}",
    ),
    Entry(
        pasted=True,
        code="3..",
        surfaces=frozenset({Surface.SMTP}),
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="A code that begins with 3 means that the server waits for what comes next; nothing is wrong in "
        "this answer.",
        remedy=f"Look at the line behind it: it says how the session went on. {_PASTE}",
    ),
    Entry(
        pasted=True,
        code="000",
        surfaces=frozenset({Surface.SMTP}),
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="No answer of a server was found in this text.",
        remedy=_PASTE,
    ),
)
"""What a person asks about and is none; the reason is that of `CLASSES`' last entry, since no program asks this."""

CLASSES: Final = (
    *_FOR_NOW,
    *_FOR_GOOD,
    *_NO_REFUSAL,
    Entry(
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="{server} answered in a way that this step has no meaning for{because}{reply}.",
        remedy=f"Check that host and port are those of a mail submission server. {WAIT}",
    ),
)
