"""Words for tests that read a mailbox through gRPC."""

from __future__ import annotations

import asyncio
import imaplib
import os
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import grpc

from mailport.v1 import configuration_pb2, mailbox_service_pb2_grpc
from mailport.v1 import mailbox_service_pb2 as pb
from tests.end_to_end.conftest import Mailport
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot

NAME: Final = "alerts"
WITHIN: Final = 30.0
PASSWORD: Final = "b0x-pw"
_USERS = count(1)


@dataclass(frozen=True)
class Box:
    """The mailbox of a configuration, as a client of MailboxService sees it."""

    stub: Any
    name: str = NAME

    async def folders(self, *, counts: bool = False) -> list[pb.Folder]:
        request = pb.ListFoldersRequest(configuration_id=self.name, include_counts=counts)
        return list((await self.stub.ListFolders(request, timeout=WITHIN)).folders)

    async def page(
        self, folder: str = "", *, size: int = 200, token: str = "", **query: Any
    ) -> pb.ListMessagesResponse:
        request = pb.ListMessagesRequest(
            configuration_id=self.name,
            folder=folder,
            query=pb.MessageQuery(**query),
            page_size=size,
            page_token=token,
        )
        answer = await self.stub.ListMessages(request, timeout=WITHIN)
        assert isinstance(answer, pb.ListMessagesResponse)
        assert answer.ByteSize() <= 4 * 1024 * 1024
        return answer

    async def every(self, folder: str = "", *, size: int = 200, **query: Any) -> list[pb.MailboxMessage]:
        """All messages, the newest first, however many pages there are."""
        found: list[pb.MailboxMessage] = []
        token = ""
        while True:
            page = await self.page(folder, size=size, token=token, **query)
            found += page.messages
            if not (token := page.next_page_token):
                return found

    async def get(
        self, message_id: str, *, parts: Sequence[str] = (), attachments: bool = False, raw: bool = False
    ) -> tuple[pb.MailboxMessage, dict[str, bytes]]:
        """A message, and the content that was asked for by part; the raw source under an empty name."""
        request = pb.GetMessageRequest(
            configuration_id=self.name,
            mailbox_message_id=message_id,
            part_ids=parts,
            include_attachments=attachments,
            include_raw=raw,
        )
        message: pb.MailboxMessage | None = None
        contents: dict[str, bytes] = {}
        ended: set[str] = set()
        async for piece in self.stub.GetMessage(request, timeout=WITHIN):
            if piece.WhichOneof("piece") == "message":
                assert message is None, "the message comes once, and first"
                message = piece.message
                continue
            chunk = piece.chunk
            assert message is not None
            assert chunk.part_id not in ended
            assert chunk.offset == len(contents.get(chunk.part_id, b""))
            assert len(chunk.data) <= 1024 * 1024
            contents[chunk.part_id] = contents.get(chunk.part_id, b"") + chunk.data
            if chunk.last:
                ended.add(chunk.part_id)
        assert message is not None
        assert ended == set(contents), "each part has a last chunk"
        return message, contents

    async def flag(self, message_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> tuple[str, ...]:
        request = pb.SetFlagsRequest(
            configuration_id=self.name, mailbox_message_id=message_id, add_flags=add, remove_flags=remove
        )
        return tuple((await self.stub.SetFlags(request, timeout=WITHIN)).flags)

    async def move(self, message_id: str, folder: str) -> str:
        request = pb.MoveMessageRequest(configuration_id=self.name, mailbox_message_id=message_id, folder=folder)
        return str((await self.stub.MoveMessage(request, timeout=WITHIN)).mailbox_message_id)

    async def watch(self, folder: str = "", *, cursor: str = "") -> tuple[Any, str]:
        """A watch that stands, and its first cursor."""
        request = pb.WatchMailboxRequest(configuration_id=self.name, folder=folder, cursor=cursor)
        watch: Any = self.stub.WatchMailbox(request)
        async with asyncio.timeout(WITHIN):
            first = await watch.read()
        if first is grpc.aio.EOF:
            await refused(watch)
        assert not first.HasField("message")
        return watch, first.cursor


async def arrived(watch: Any) -> pb.WatchMailboxResponse:
    """The next message; raises what the stream ended with."""
    async with asyncio.timeout(WITHIN):
        while True:
            answer = await watch.read()
            if answer is grpc.aio.EOF:
                await refused(watch)
            assert isinstance(answer, pb.WatchMailboxResponse)
            if answer.HasField("message"):
                return answer


async def refused(stream: Any) -> None:
    """Raises what *stream* ended with."""
    async for _ in stream:
        pass


def box_of(mailport: Mailport, channel: grpc.aio.Channel, name: str = NAME) -> Box:
    return Box(mailbox_service_pb2_grpc.MailboxServiceStub(channel), name)


def sandbox_settings(mailport: Mailport, **mailbox: Any) -> configuration_pb2.Settings:
    """Settings that send through the sandbox and read its inbox."""
    settings, sandbox = mailport.settings(), mailport.sandbox
    values = {
        "email": sandbox.username,
        "host": "localhost",
        "port": sandbox.imap_port,
        "security": configuration_pb2.CONNECTION_SECURITY_STARTTLS,
        "password": sandbox.password,
        "ca_certificates": sandbox.ca_pem,
    }
    settings.mailbox.CopyFrom(configuration_pb2.MailboxSettings(**{**values, **mailbox}))
    return settings


def dovecot_settings(mailport: Mailport, dovecot: Dovecot, ca: TestCA, user: str, **mailbox: Any) -> Any:
    """Settings that send through the sandbox and read *user*'s mailbox at Dovecot."""
    settings = mailport.settings()
    values = {
        "email": user,
        "host": "localhost",
        "port": dovecot.imaps,
        "security": configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS,
        "password": PASSWORD,
        "ca_certificates": ca.pem,
    }
    settings.mailbox.CopyFrom(configuration_pb2.MailboxSettings(**{**values, **mailbox}))
    return settings


def new_user(dovecot: Dovecot) -> str:
    """Returns a user of Dovecot's whose mailbox is empty."""
    number, file = next(_USERS), dovecot.folder / "users"
    if (written := f"box{number}@example.test:") not in file.read_text():
        with file.open("a") as users:
            for each in range(number, number + 500):
                users.write(f"box{each}@example.test:{{PLAIN}}{PASSWORD}::::::\n")
        os.utime(file, (time.time() + number, time.time() + number))  # it is read again when its second has changed
    return written.removesuffix(":")


@contextmanager
def beside(dovecot: Dovecot, ca: TestCA, user: str) -> Iterator[imaplib.IMAP4_SSL]:
    """Another mail program at the same mailbox."""
    context = ssl.create_default_context(cadata=ca.pem)
    with imaplib.IMAP4_SSL("localhost", dovecot.imaps, ssl_context=context, timeout=WITHIN) as client:
        client.login(user, PASSWORD)
        yield client


def put(client: imaplib.IMAP4_SSL, messages: Iterable[bytes], *, folder: str = "INBOX", flags: str = "") -> None:
    """Appends *messages* as they are."""
    for message in messages:
        answer, told = client.append(folder, flags, "", message)
        assert answer == "OK", told


def raw(number: object, **fields: str) -> bytes:
    """A message whose subject is *number*; names of fields are written with ``_`` for ``-``."""
    written = {"From": "Zoë <zoe@example.org>", "Subject": str(number), "Message-ID": f"<{number}@example.org>"}
    written |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in written.items()).encode() + b"\r\nHello.\r\n"
