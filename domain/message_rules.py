"""The rules for the pieces of a message: what names, subjects, bodies, ids and extra headers may hold."""

from __future__ import annotations

import re
from typing import Final

from domain.address import EmailAddress, parse_address
from domain.errors import Violation
from domain.message import NamedAddress, WrittenAddress
from domain.mime.headers import LONGEST_LINE, STRUCTURED_FIELDS
from domain.reasons import Reason

LONGEST_SUBJECT_OCTETS: Final = 8 * 1024
LONGEST_NAME_OCTETS: Final = 1024
"""Of a display name and of a file name, in UTF-8."""
MOST_ADDRESSES: Final = 1000
"""Written in all address fields together, before duplicates are set aside."""
MOST_HEADERS: Final = 200
LARGEST_HEADERS_BYTES: Final = 64 * 1024
LARGEST_CONTENT_BYTES: Final = 25 * 1024 * 1024
"""Bodies and files as the caller gives them; a request that holds them stays below gRPC's 32 MiB."""
LONGEST_ID: Final = 500
"""Of a Message-ID and a Content-ID."""
_LONGEST_HEADER_NAME: Final = 128

# C0 and C1 controls, DEL, NEL among them, the Unicode line and paragraph separators, and halves of surrogate pairs.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")
_DOT_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_MESSAGE_ID: Final = re.compile(rf"{_DOT_ATOM}@(?:{_DOT_ATOM}|\[[!-;=?-Z^-~]*\])")

_OWN_FIELD: Final = {
    "from": "from", "to": "to", "cc": "cc", "bcc": "bcc", "reply-to": "reply_to", "subject": "subject",
    "message-id": "message_id",
}  # fmt: skip
_RESERVED: Final = frozenset({*_OWN_FIELD, "sender", "date", "return-path", "received", "mime-version"})
_RESERVED_PREFIXES: Final = ("content-", "resent-")


def check_line(text: str, *, field: str, longest: int, allows_tab: bool = False) -> Violation | None:
    """Returns what keeps *text* out of a header: a control character, or more than *longest* octets of UTF-8."""
    if _CONTROL.search(text.replace("\t", " ") if allows_tab else text):
        return Violation(
            field=field,
            reason=Reason.CONTROL_CHARACTER,
            message="The text contains a line break or another control character.",
            remedy="Leave line breaks and control characters out, at the end too.",
        )
    if len(text) * 4 > longest and len(text.encode()) > longest:
        return Violation(
            field=field,
            reason=Reason.VALUE_TOO_LONG,
            message=f"The text is longer than {longest} octets in UTF-8.",
            remedy="Shorten it.",
        )
    return None


def check_body(text: str, *, field: str) -> Violation | None:
    """Returns a violation when *text* cannot be written in UTF-8."""
    if text.isascii() or not _SURROGATE.search(text):
        return None
    return Violation(
        field=field,
        reason=Reason.VALUE_MALFORMED,
        message="The text is not valid Unicode: it holds half of a surrogate pair.",
        remedy="Send valid UTF-8.",
    )


def parse_mailbox(written: WrittenAddress, *, field: str) -> NamedAddress | list[Violation]:
    """Returns the address with its name; a name of blanks alone is no name."""
    address = check_line(written.address, field=f"{field}.address", longest=LONGEST_NAME_OCTETS) or parse_address(
        written.address, field=f"{field}.address"
    )
    name = check_line(written.name, field=f"{field}.name", longest=LONGEST_NAME_OCTETS) if written.name else None
    if isinstance(address, EmailAddress) and "=?" in address.local_part:
        address = Violation(
            field=f"{field}.address",
            reason=Reason.ADDRESS_INVALID,
            message="The address resembles an encoded-word, which readers would decode (RFC 2047 section 5).",
            remedy="Enter the bare address, e.g. team@example.com.",
        )
    if isinstance(address, EmailAddress) and name is None:
        return NamedAddress(address, written.name if written.name.strip() else "")
    return [violation for violation in (address, name) if isinstance(violation, Violation)]


def parse_header(name: str, value: str, *, field: str) -> tuple[str, str] | list[Violation]:
    """Returns an extra header field, blanks around its value removed, or what is wrong with its name and its value."""
    found = [
        violation
        for violation in (_check_header_name(name, f"{field}.name"), _check_header_value(name, value, f"{field}.value"))
        if violation is not None
    ]
    return found or (name, value.strip(" \t"))


def _check_header_name(name: str, field: str) -> Violation | None:
    if trouble := check_line(name, field=field, longest=_LONGEST_HEADER_NAME):
        return trouble
    if not _HEADER_NAME.fullmatch(name):
        return Violation(
            field=field,
            reason=Reason.FIELD_REQUIRED if not name else Reason.VALUE_MALFORMED,
            message="A header needs a name of printable ASCII without colon and blank (RFC 5322 section 2.2).",
            remedy="Use a name such as X-Campaign.",
        )
    lower = name.lower()
    if lower not in _RESERVED and not lower.startswith(_RESERVED_PREFIXES):
        return None
    own = _OWN_FIELD.get(lower)
    return Violation(
        field=field,
        reason=Reason.HEADER_NOT_ALLOWED,
        message=f"{name} is not for extra headers: mailport or a mail server on the way writes it.",
        remedy=f"Use the message's field {own}." if own else "Leave this header out.",
    )


def _check_header_value(name: str, value: str, field: str) -> Violation | None:
    if trouble := check_line(value, field=field, longest=LARGEST_HEADERS_BYTES, allows_tab=True):
        return trouble
    is_structured = name.lower() in STRUCTURED_FIELDS
    if is_structured and not value.isascii():
        return Violation(
            field=field,
            reason=Reason.VALUE_MALFORMED,
            message=f"The value of {name} may hold ASCII alone.",
            remedy="Percent-encode URLs and write domains as A-labels.",
        )
    room = LONGEST_LINE - len(name) - len(": ")
    if any(len(word) > room and word.isascii() for word in value.replace("\t", " ").split(" ")):
        return Violation(
            field=field,
            reason=Reason.VALUE_TOO_LONG,
            message=f"The value has more than {room} octets without a blank; a line holds {LONGEST_LINE} at most.",
            remedy="Shorten it, or put blanks where the line may be folded (RFC 5322 section 2.2.3).",
        )
    return None


def parse_message_id(written: str, *, field: str) -> str | Violation:
    """Returns the Message-ID in angle brackets, written with them or without (RFC 5322 section 3.6.4)."""
    if trouble := check_line(written, field=field, longest=LONGEST_ID):
        return trouble
    bare = bare_id(written)
    if _MESSAGE_ID.fullmatch(bare) and "=?" not in bare:
        return f"<{bare}>"
    return Violation(
        field=field,
        reason=Reason.VALUE_MALFORMED,
        message="The Message-ID is not of the form unique@domain in ASCII (RFC 5322 section 3.6.4).",
        remedy="Use an id such as 8f14e45f@example.com, or leave it empty and mailport chooses one.",
    )


def bare_id(written: str) -> str:
    """Returns an id of RFC 5322 section 3.6.4 without its angle brackets, if it has any."""
    return written[1:-1] if written.startswith("<") and written.endswith(">") else written


def too_large(field: str) -> Violation:
    """Returns the violation for content above `LARGEST_CONTENT_BYTES`."""
    return Violation(
        field=field,
        reason=Reason.MESSAGE_TOO_LARGE,
        message=f"The message holds more than {LARGEST_CONTENT_BYTES // 2**20} MiB.",
        remedy="Send less, or a link to the file.",
    )


def too_many_addresses(field: str) -> Violation:
    """Returns the violation for more than `MOST_ADDRESSES`."""
    return Violation(
        field=field,
        reason=Reason.TOO_MANY_RECIPIENTS,
        message=f"The message names more than {MOST_ADDRESSES} addresses.",
        remedy="Send several messages with fewer recipients each.",
    )
