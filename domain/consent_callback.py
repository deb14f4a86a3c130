"""What the browser came back with, read exactly once (RFC 6749 sections 3.1, 4.1.2 and appendix B; F31, F32)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Final
from urllib.parse import parse_qsl

from domain.consent import unknown_state
from domain.errors import InputInvalid, Violation
from domain.failures.scrub import Scrubber, forms_of
from domain.reasons import Reason
from domain.secret import Secret
from domain.text import has_control_character

MAXIMUM_CODE: Final = 8192
MAXIMUM_URL: Final = 16_384
_LONGEST_STATE: Final = 512
_LONGEST_WORD: Final = 256
_LONGEST_DESCRIPTION: Final = 1024
_SHORTEST_SECRET: Final = 8
"""A shorter value is nobody's secret, and striking it out would mangle ordinary words and issuers."""
_MOST_PARAMETERS: Final = 100
_ONCE: Final = ("state", "code", "error", "iss")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCallback:
    """A callback as a caller hands it over: the whole address, or its parameters decoded already."""

    state: str = ""
    code: Secret = field(default_factory=lambda: Secret(""))
    error: str = ""
    error_description: str = ""
    iss: str = ""
    callback_url: Secret = field(default_factory=lambda: Secret(""))
    """A secret, since it holds the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackCode:
    """The user consented."""

    state: str
    code: Secret
    iss: str = ""
    """The issuer that the callback names (RFC 9207); empty when it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackError:
    """The user or the provider refused."""

    state: str
    error: str
    """The word of RFC 6749 section 4.1.2.1, at most 256 printable characters; others occur."""
    description: str = ""
    """The provider's text without state and code, printable and at most 1,024 characters; trusted by nobody."""
    iss: str = ""


def read_callback(written: WrittenCallback) -> CallbackCode | CallbackError:
    """
    Returns what came back. An error wins over a code (F31).

    A `callback_url` is form-decoded exactly once, the other fields not at all (F32); parameters that are not ours are
    ignored, and ones without a value count as missing (RFC 6749 section 3.1).
    Raises InputInvalid: no state, neither code nor error, a parameter twice, an address beside other fields, what is
    longer than it can be. Nothing of the code is in the message.
    """
    if written.callback_url:
        return _judge(_decoded(written), at="callback_url")
    return _judge(written, at="")


def _judge(written: WrittenCallback, *, at: str) -> CallbackCode | CallbackError:
    if not written.state or len(written.state) > _LONGEST_STATE:
        raise unknown_state(at or "state")
    if len(written.iss) > MAXIMUM_URL:
        raise _refused(at or "iss", Reason.VALUE_TOO_LONG, "The issuer is too long.", "Hand over what came back.")
    code = written.code.reveal()
    # Before anything is cut: half a secret would not be found any more.
    secrets = [secret for secret in (written.state, code) if len(secret) >= _SHORTEST_SECRET]
    scrubber = Scrubber(form for secret in secrets for form in forms_of(secret))
    iss = scrubber.clean(written.iss)
    if written.error:
        return CallbackError(
            state=written.state,
            error=_printable(scrubber.clean(written.error), _LONGEST_WORD),
            description=_printable(scrubber.clean(written.error_description), _LONGEST_DESCRIPTION),
            iss=iss,
        )
    if not code:
        raise _refused(
            at or "code",
            Reason.FIELD_REQUIRED,
            "There is neither a code nor an error.",
            "Hand over what the browser came back with, whole and unchanged.",
        )
    if len(code) > MAXIMUM_CODE:
        raise _refused(
            at or "code",
            Reason.VALUE_TOO_LONG,
            f"The code has {len(code)} characters; at most {MAXIMUM_CODE} are taken.",
            "Hand over the code alone, or the whole address as callback_url.",
        )
    if has_control_character(code):
        raise _refused(
            at or "code",
            Reason.CONTROL_CHARACTER,
            "The code contains a line break or another control character.",
            "Hand over the code as it came back, decoded once.",
        )
    return CallbackCode(state=written.state, code=written.code, iss=iss)


def _decoded(written: WrittenCallback) -> WrittenCallback:
    others = [each.name for each in fields(written) if each.name != "callback_url" and getattr(written, each.name)]
    if others:
        raise InputInvalid(
            [
                Violation(
                    field=name,
                    reason=Reason.FIELD_CONFLICT,
                    message="The callback URL has this in it already.",
                    remedy="Give either callback_url alone, or its parameters.",
                )
                for name in others
            ]
        )
    address = written.callback_url.reveal()
    if len(address) > MAXIMUM_URL:
        raise _refused(
            "callback_url",
            Reason.VALUE_TOO_LONG,
            f"The address has {len(address)} characters; at most {MAXIMUM_URL} are taken.",
            "Copy it from the browser's address bar.",
        )
    query = address.partition("#")[0].partition("?")[2]
    if not query:
        raise _refused(
            "callback_url",
            Reason.URL_INVALID,
            "The address has no parameters: this is not where the provider sent the browser.",
            "Copy the whole address from the browser's address bar, after the provider's page is through.",
        )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise _refused(
            "callback_url",
            Reason.URL_INVALID,
            "The address holds bytes that are no UTF-8, or more than a hundred parameters.",
            "Copy it from the browser's address bar, unchanged.",
        ) from None
    _refuse_repeated(name for name, _ in pairs)
    found = dict(reversed(pairs))
    return WrittenCallback(
        state=found.get("state", ""),
        code=Secret(found.get("code", "")),
        error=found.get("error", ""),
        error_description=found.get("error_description", ""),
        iss=found.get("iss", ""),
    )


def _refuse_repeated(names: Iterable[str]) -> None:
    seen = list(names)
    if repeated := [name for name in _ONCE if seen.count(name) > 1]:
        raise _refused(
            "callback_url",
            Reason.VALUE_MALFORMED,
            f"The parameter {repeated[0]} stands there more than once, which RFC 6749 section 3.1 forbids.",
            "Start again with Authorize; nobody can tell which of them is meant.",
        )


def _printable(text: str, longest: int) -> str:
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(character if character.isprintable() else " " for character in cut).strip()


def _refused(field: str, reason: Reason, message: str, remedy: str) -> InputInvalid:
    return InputInvalid([Violation(field=field, reason=reason, message=message, remedy=remedy)])
