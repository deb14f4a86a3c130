"""Options of `send` that make up a message."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from mailport.v1 import delivery_pb2 as api
from service.cli.files import read_bytes, read_text
from service.cli.protojson import read_message

_COMPRESSED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageOptions:
    """What goes out, and to whom."""

    to: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help='Recipient, bare or "Name <address>"; repeatable.')
    ] = None
    cc: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Recipient of a copy; repeatable.")] = None
    bcc: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Hidden recipient; repeatable.")] = None
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="One that the settings allow.")] = ""
    reply_to: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Where answers go; repeatable.")] = None
    subject: Annotated[str, typer.Option(metavar="TEXT")] = ""
    text: Annotated[str, typer.Option(metavar="TEXT", help="Body as plain text.")] = ""
    text_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The same from a file; - is stdin.")] = None
    html_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Body as HTML; - is stdin.")] = None
    attach: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="File to attach; repeatable.")] = None
    header: Annotated[
        list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="Further header field; repeatable.")
    ] = None

    def read(self, *, file: Path | None) -> api.Message:
        """Returns the message that the options say, or the one in *file*. Raises typer.BadParameter for both."""
        if file is not None:
            if self != MessageOptions():
                raise typer.BadParameter("the file holds the whole message", param_hint="--message")
            return read_message(file, api.Message, option="--message")
        if self.text and self.text_file is not None:
            raise typer.BadParameter("give one of --text and --text-file", param_hint="--text")
        message = api.Message(
            to=_addresses(self.to),
            cc=_addresses(self.cc),
            bcc=_addresses(self.bcc),
            reply_to=_addresses(self.reply_to),
            subject=self.subject,
            text_body=self.text if self.text_file is None else read_text(self.text_file, option="--text-file"),
            html_body="" if self.html_file is None else read_text(self.html_file, option="--html-file"),
            attachments=[_attachment(path) for path in self.attach or ()],
            headers=[_header(text) for text in self.header or ()],
        )
        if self.sender:
            getattr(message, "from").CopyFrom(_address(self.sender))
        return message


def _addresses(texts: Iterable[str] | None) -> list[api.Address]:
    return [_address(text) for text in texts or ()]


def _address(text: str) -> api.Address:
    """Splits ``Name <address>``; whether the address is one is for mailport to say."""
    name, opening, rest = text.rpartition("<")
    if opening and rest.endswith(">"):
        return api.Address(name=name.strip().strip('"'), address=rest.removesuffix(">").strip())
    return api.Address(address=text)


def _attachment(path: Path) -> api.Attachment:
    kind, encoding = mimetypes.guess_type(path.name)
    content_type = _COMPRESSED.get(encoding, "") if encoding else kind
    return api.Attachment(
        file_name=path.name, content_type=content_type or "", content=read_bytes(path, option="--attach")
    )


def _header(text: str) -> api.Header:
    name, separator, value = text.partition(":")
    if not separator:
        raise typer.BadParameter(f"{text!r} is not 'NAME: VALUE'", param_hint="--header")
    return api.Header(name=name.strip(), value=value.strip())
