"""By which requests a message goes: one, or a draft with its files, by the encoded total and then by file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.graph.addressing import Addressed, addressed
from domain.graph.files import FilePart, files_in, without_files
from domain.graph.json_form import JsonForm, encoded_size, json_form, request_size
from domain.message import Envelope

MIME_REQUEST_BYTES: Final = 2_240_000
"""
A sendMail with MIME at most, in base64. Above it some were answered 200 with nothing sent
(microsoft-graph-docs-contrib issue 3079), below the documented 4 MB.
"""
REQUEST_BYTES: Final = 4_000_000
"""A request at most, whichever megabyte is meant (learn.microsoft.com/graph/outlook-large-attachments)."""
LARGEST_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""What a request that adds one file may have, since there is no other way for files just below 3 MiB."""
SESSION_BYTES: Final = 3 * 1024 * 1024
"""Files from here on go by upload session; smaller ones are refused there."""
LARGEST_FILE_BYTES: Final = 150 * 1024 * 1024
RANGE_BYTES: Final = 12 * 320 * 1024
"""A range of an upload: at most 4 MB, and a multiple of 320 KiB, which OneDrive asks for."""
_LARGEST_PARSED: Final = 8 * 1024 * 1024
"""Octets of a flattened message up to which its JSON form is worth a look: base64 in lines within 4 MB of JSON."""


class Route(StrEnum):
    """One way to send."""

    MIME = "MIME"
    """sendMail with the whole message as it is."""
    JSON = "JSON"
    """sendMail with Graph's own form of it."""
    DRAFT = "DRAFT"
    """A draft, its files added one by one, then sent. Needs Mail.ReadWrite."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a message may go, and what that takes."""

    named: Addressed
    routes: tuple[Route, ...]
    """In the order of preference; the next one is for when Mail.ReadWrite is missing. Empty: Graph takes no such
    message."""
    files: tuple[FilePart, ...] = ()
    """What a draft gets one by one."""
    form: JsonForm | None = None
    saves: bool = True
    """Whether the settings want a copy in Sent Items."""
    too_large: str = ""
    """Why `routes` is empty, for people."""

    @property
    def may_leave_draft(self) -> bool:
        """Tells whether an attempt with this message may leave a draft behind."""
        return Route.DRAFT in self.routes


def plan(content: bytes, envelope: Envelope, *, saves: bool) -> Plan:
    """
    Returns how *content*, a flattened message, goes to the recipients of *envelope*.

    MIME carries everything, and keeps a copy in Sent Items; so JSON is for what shall not be kept (*saves* is False),
    and for what is too large as MIME, which is base64 twice, and loses nothing by it. Takes time in proportion to the
    size: a thread's work above some hundred KiB.
    """
    named = addressed(content, envelope)
    form = json_form(content, named) if len(content) <= _LARGEST_PARSED else None
    if form is not None and request_size(form) > REQUEST_BYTES:
        form = None
    routes: list[Route] = []
    if form is not None and not saves:
        routes.append(Route.JSON)
    elif _base64(len(content) + len(named.header)) <= MIME_REQUEST_BYTES:
        routes.append(Route.MIME)
    elif form is not None and not form.lost:
        routes.append(Route.JSON)
    if routes:
        return Plan(named=named, routes=tuple(routes), form=form, saves=saves)
    return _by_draft(content, named, form, saves=saves)


def draft_mime(content: bytes, route: Plan) -> bytes:
    """Returns the message that becomes the draft: all but the files that are added to it."""
    return without_files(content, route.files, header=route.named.header)


def goes_in_one_request(file: FilePart) -> bool:
    """Tells whether *file* is added to a draft by one request, or by an upload session."""
    return file.size < SESSION_BYTES and encoded_size([file]) <= LARGEST_REQUEST_BYTES


def _by_draft(content: bytes, named: Addressed, form: JsonForm | None, *, saves: bool) -> Plan:
    files = files_in(content)
    apart = tuple(file for file in files if not file.is_related)
    if _base64(len(content) - _encoded(apart)) > REQUEST_BYTES:
        apart = files
    rest = _base64(len(content) - _encoded(apart) + len(named.header))
    if rest > REQUEST_BYTES:
        why = f"what is left of it without its files takes {rest} octets, and Graph takes {REQUEST_BYTES} at once"
        return Plan(named=named, routes=(), saves=saves, too_large=why)
    huge = next((file for file in apart if file.size > LARGEST_FILE_BYTES), None)
    if huge is not None:
        why = f"a file has {huge.size} octets, and Graph takes {LARGEST_FILE_BYTES} at most"
        return Plan(named=named, routes=(), saves=saves, too_large=why)
    is_other_way = form is not None and form.loses_little
    return Plan(
        named=named,
        routes=(Route.DRAFT, Route.JSON) if is_other_way else (Route.DRAFT,),
        files=apart,
        form=form,
        saves=saves,
    )


def _encoded(files: tuple[FilePart, ...]) -> int:
    return sum(file.end - file.start for file in files)


def _base64(octets: int) -> int:
    return -(-octets // 3) * 4
