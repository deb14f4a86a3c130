"""Every row of the failure catalogue that an IMAP server says, said to mailport: each call tells the same of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

import grpc
import pytest
import pytest_asyncio

from mailport.v1 import configuration_pb2, mailbox_service_pb2_grpc
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.mailboxes import Box
from tests.end_to_end.replaying import IMAP_HOSTS, ROBOT, Replay, Told, a_replay, accepting, told_by_call
from tests.peers.ca import TestCA
from tests.peers.conversation import Conversation
from tests.peers.imap_script import Answer, answer, answering, greeting, selected
from tests.peers.line_server import LineServer
from tests.peers.net import free_port
from tests.peers.script import Item, Step, close, tls
from tests.unit.domain.failures.rows import Row, catalogue_rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAP: Final = [row for row in catalogue_rows() if row.surface == "imap"]
IN_SESSION: Final = {"P086", "P088", "P090", "P092"}
"""Met when a folder is opened; the others are answers to the sign-in."""
_CAPABILITIES: Final = ("IMAP4rev1", "SASL-IR", "AUTH=PLAIN", "AUTH=XOAUTH2", "UIDPLUS", "MOVE", "IDLE")
_IMAP_SCOPE: Final = "https://outlook.office.com/IMAP.AccessAsUser.All"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, _template: str, ca: TestCA
) -> AsyncIterator[Replay]:
    folder: Path = tmp_path_factory.mktemp("replay-imap")
    async with a_replay(folder, server=postgres_server, template=_template, ca=ca) as running:
        yield running


@pytest.mark.parametrize("at", ["its own host", "a host that nobody knows"])
@pytest.mark.parametrize("row", IMAP, ids=lambda row: row.name)
async def test_given_a_row_of_imap_when_its_server_says_so_then_every_call_tells_the_same(
    replay: Replay, row: Row, at: str
) -> None:
    way = "token" if row.kind == "REAUTHORIZE" else "password"
    host = IMAP_HOSTS.get(row.provider, "localhost") if at == "its own host" else "localhost"
    smtp, imap, name = free_port(), free_port(), replay.new_name()
    await replay.configure(name, settings(replay, row, way, host=host, smtp=smtp, imap=imap))
    yes, no = script(replay, None), script(replay, row)
    told: list[Told] = []
    async with LineServer(accepting(replay.context, signs_in=way), repeat=True, port=smtp):
        if way == "token":
            await replay.consent(name, save=False)
        async with LineServer(no, repeat=True, port=imap):
            told.append(await told_by_call("ValidateAndSave", replay.validate(name)))
            told.append(await told_by_call("SendTest", replay.test(name)))
        assert not (await replay.read(name)).HasField("active"), "nothing is saved by a proof that failed"
        async with LineServer(yes, repeat=True, port=imap):
            await replay.validate(name)
        async with (
            grpc.aio.insecure_channel(replay.grpc_address) as channel,
            LineServer(no, repeat=True, port=imap) as server,
        ):
            box = Box(mailbox_service_pb2_grpc.MailboxServiceStub(channel), name)
            request = api.CheckAccountRequest(configuration_id=name)
            told.append(await told_by_call("CheckAccount", replay.stub.CheckAccount(request)))
            told.append(await told_by_call("ListMessages", box.page()))
            told.append(await told_by_call("WatchMailbox", box.watch()))
            said = str(server)

    assert [(each.way, *each.verdict) for each in told] == [
        (each.way, row.reason, row.kind, row.stage) for each in told
    ], said
    for each in told:
        assert each.failure.cause
        assert each.failure.remedy
        assert each.failure.provider_reply
    for each in told[:3]:
        assert not each.trace.steps[-1].succeeded


def settings(replay: Replay, row: Row, way: str, *, host: str, smtp: int, imap: int) -> configuration_pb2.Settings:
    """Returns settings whose mail goes to *smtp* and whose mailbox is at *imap*."""
    made = replay.settings(smtp, provider=row.provider, signs_in=way)
    uses_token = way == "token"
    if uses_token and row.provider == "microsoft":
        made.oauth.scopes.append(_IMAP_SCOPE)
    made.mailbox.CopyFrom(
        configuration_pb2.MailboxSettings(
            email=ROBOT,
            host=host,
            port=imap,
            security=configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS,
            password="" if uses_token else "b0x-pw",
            use_oauth=uses_token,
            ca_certificates=replay.ca.pem,
        )
    )
    return made


def script(replay: Replay, row: Row | None) -> list[Item]:
    """Returns the script of one connection, which says *row*'s answer where the row was met."""
    no = said(row) if row is not None else answer()
    at_sign_in = row is not None and row.name not in IN_SESSION
    opened = answer(*selected(exists=0), reply="OK [READ-ONLY] opened")
    table: dict[str, Answer | Sequence[Answer]] = {
        "LOGIN .*|AUTHENTICATE .*": no if at_sign_in else answer(),
        "(EXAMINE|SELECT|STATUS) .*": no if row is not None else opened,
        "CAPABILITY": answer(f"* CAPABILITY {' '.join(_CAPABILITIES)}"),
    }
    return [tls(replay.context), greeting(*_CAPABILITIES), answering(table, otherwise=answer())]


def said(row: Row) -> Answer:
    """Returns *row* as the answer to a command: the line with a tag under the command's own, the others as they are."""
    before: list[str] = []
    after: list[str] = []
    reply: str | None = None
    for line in row.answer.splitlines():
        if line.startswith("* "):
            (before if reply is None else after).append(line)
        else:
            reply = re.sub(r"\A\S+ ", "", line)
    is_end = any(line.startswith("* BYE") for line in (*before, *after))
    return answer(*before, reply=reply, then=_ending(after) if is_end else None)


def _ending(lines: Sequence[str]) -> Step:
    async def run(conversation: Conversation) -> bool:
        conversation.write("".join(f"{line}\r\n" for line in lines).encode())
        return await close().run(conversation)

    return Step("end", run)
