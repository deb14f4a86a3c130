"""What the header of a MIME entity says of its content (RFC 2045); never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.reading.charsets import codec_of
from domain.reading.fields import RawField, cut, only_value
from domain.reading.model import Defect
from domain.reading.parameters import file_name, read_parameters
from domain.reading.transfer import transfer_encoding
from domain.reading.words import clean, raw_text

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_LONGEST_BOUNDARY: Final = 200
"""RFC 2046 section 5.1.1 allows 70; programs were seen that know no bound."""
_LONGEST_CHARSET: Final = 100
_LONGEST_CONTENT_ID: Final = 998


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A node of the MIME tree, as its own header describes it."""

    content_type: str
    parameters: dict[str, str]
    disposition: str
    """In lower case; empty: there is none."""
    file_name: str
    content_id: str
    charset: str
    transfer_encoding: str

    @property
    def boundary(self) -> bytes:
        """The delimiter's text of a multipart; empty: none that can be used."""
        written = self.parameters.get("boundary", "").rstrip()
        octets = written.encode("utf-8", "replace")
        return octets if len(octets) <= _LONGEST_BOUNDARY and not re.search(rb"[\r\n]", octets) else b""

    @property
    def is_multipart(self) -> bool:
        """Tells whether its content consists of further entities."""
        return self.content_type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        """Tells whether its content is a message that can be read where it stands."""
        return self.content_type in {"message/rfc822", "message/global"} and self.transfer_encoding in {
            *("", "7bit", "8bit", "binary"),
        }


def read_entity(fields: list[RawField], found: set[Defect], *, default_type: str = "text/plain") -> Entity:
    """Returns what *fields* say; *default_type* holds where there is no Content-Type (RFC 2046 section 5.1.5)."""
    written = only_value(fields, "content-type", found)
    content_type, parameters = read_parameters(written, found)
    if not written.strip():
        content_type = default_type
    elif not _MEDIA_TYPE.fullmatch(content_type):
        found.add(Defect.MIME)
        content_type = "text/plain"  # RFC 2045 section 5.2
    disposition, disposed = read_parameters(only_value(fields, "content-disposition", found), found)
    encoding, is_known = transfer_encoding(
        raw_text(only_value(fields, "content-transfer-encoding", found)[:_LONGEST_CHARSET], found)
    )
    is_composite = content_type.startswith("multipart/") or content_type == "message/rfc822"
    if not is_known or (is_composite and encoding in {"base64", "quoted-printable"}):
        found.add(Defect.MIME)  # RFC 2045 section 6.4
    charset = clean(parameters.get("charset", ""), found)
    if charset and codec_of(charset) is None and content_type.startswith("text/"):
        found.add(Defect.CHARSET)
    content_id = clean(raw_text(only_value(fields, "content-id", found), found), found)
    return Entity(
        content_type=content_type,
        parameters=parameters,
        disposition=re.split(r"\s", disposition, maxsplit=1)[0],
        file_name=file_name(disposed.get("filename") or parameters.get("name", ""), found),
        content_id=cut(content_id.removeprefix("<").removesuffix(">"), _LONGEST_CONTENT_ID, found),
        charset=cut(charset, _LONGEST_CHARSET, found) if content_type.startswith("text/") else "",
        transfer_encoding=encoding,
    )
