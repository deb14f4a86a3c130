"""Reading requests of the identity provider: its own address, and forms, bounded."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.sandbox.identity.behaviour import Behaviour

LONGEST_FORM: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"


class FormError(ValueError):
    """The body is no form that can be read; the text says why."""


async def read_form(request: Request) -> list[tuple[str, str]]:
    """
    Returns the fields of a form in order, decoded once; query parameters are not looked at (RFC 6749 section 2.3.1).

    Raises FormError for another content type, more than 64 KiB, or what is not UTF-8.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise FormError(f"The body must be {_FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise FormError(f"The body is longer than {LONGEST_FORM} octets.")
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise FormError("The body is not a form in UTF-8.") from error


def once_each(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """
    Returns the fields by name, those without a value left out (RFC 6749 section 3.2). Raises FormError for a field
    given twice.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FormError("A parameter was given twice.")
    return {name: value for name, value in fields.items() if value}


def issuer_of(request: Request, behaviour: Behaviour) -> str:
    """Returns the issuer's URL as this client reaches it."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}/{behaviour}"
