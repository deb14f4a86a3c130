"""
A mail server in a process of its own: takes mail, keeps a record of each, and misbehaves where its script says so.

``python -m tests.proofs.sink_process`` prints its port as JSON, answers one line of JSON with one, and runs until its
standard input ends. Whoever connects may die at any moment; what it had handed over with the final dot is recorded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

_END: Final = b"\r\n.\r\n"
_ANSWERS: Final = {
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "rset": "250 2.0.0 ok",
    "data": "354 go on",
    "quit": "221 2.0.0 bye",
}
_MOST_HEADER: Final = 64 * 1024


@dataclass(slots=True, kw_only=True)
class _Rule:
    """See `tests.proofs.sink.Rule`."""

    step: str
    say: str | None
    cut: bool
    hold: bool
    take: bool | None
    delay_seconds: float
    times: int | None
    to: str


@dataclass(slots=True)
class _State:
    """All that the process knows."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    rules: list[_Rule] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    """How many sessions a rule holds now, by step."""
    release: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    ended: int = 0
    open: int = 0
    begun: int = 0
    """Contents of which at least one octet came, a message each."""


class _Gone(Exception):
    """The client went away, or was made to."""


class _Session:
    """One connection."""

    def __init__(self, state: _State, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._state = state
        self._reader = reader
        self._writer = writer
        self._unread = bytearray()
        self._recipients: list[str] = []
        self._sender = ""

    async def run(self) -> None:
        self._state.connections += 1
        await self._reach("connect", "220 sink.example.test ESMTP")
        while True:
            line = (await self._line()).decode(errors="replace")
            verb = line[:4].lower()
            match verb:
                case "ehlo" | "helo":
                    await self._reach("ehlo", "250-sink.example.test\r\n250-SIZE\r\n250-8BITMIME\r\n250 PIPELINING")
                case "mail":
                    self._sender, self._recipients = _path(line), []
                    await self._reach("mail", _ANSWERS["mail"])
                case "rcpt":
                    if (await self._reach("rcpt", _ANSWERS["rcpt"], to=_path(line))).startswith("2"):
                        self._recipients.append(_path(line))
                case "data":
                    await self._data()
                case "rset":
                    self._recipients = []
                    await self._reach("rset", _ANSWERS["rset"])
                case "quit":
                    await self._reach("quit", _ANSWERS["quit"])
                    return
                case _:
                    await self._answer("500 5.5.1 what?")

    async def _data(self) -> None:
        if not self._recipients:
            await self._answer("503 5.5.1 no recipient was taken")
            return
        if not (await self._reach("data", _ANSWERS["data"])).startswith("354"):
            return
        content = await self._content()
        rule = await self._met("dot")
        is_good = rule is None or ((rule.say is None or rule.say.startswith("2")) and not rule.cut)
        if rule.take if rule is not None and rule.take is not None else is_good:
            self._state.taken.append(self._record(content))
        await self._act(rule, "250 2.0.0 taken")

    async def _content(self) -> bytes:
        if not self._unread:
            await self._read()
        self._state.begun += 1
        await self._act(await self._met("content"), "")
        while self._unread[:3] != b".\r\n" and _END not in self._unread:
            await self._read()
        end = self._unread.find(_END)
        content = bytes(self._unread[: max(end + 2, 0)])
        del self._unread[: len(content) + 3]
        return content

    def _record(self, content: bytes) -> dict[str, Any]:
        plain = content[1:] if content.startswith(b".") else content
        plain = plain.replace(b"\r\n.", b"\r\n")
        return {
            "key": _header(plain, b"x-proof-key"),
            "message_id": _header(plain, b"message-id"),
            "sender": self._sender,
            "recipients": self._recipients,
            "digest": hashlib.sha256(plain).hexdigest(),
            "size": len(plain),
            "time": time.time(),
        }

    async def _reach(self, step: str, answer: str, *, to: str = "") -> str:
        """Does what the script says at *step*, else answers; returns the answer."""
        return await self._act(await self._met(step, to), answer)

    async def _met(self, step: str, to: str = "") -> _Rule | None:
        """Returns the first rule for *step*, once it is time to follow it."""
        known = {to} if to else {self._sender, *self._recipients}
        for rule in self._state.rules:
            if rule.step == step and rule.times != 0 and (not rule.to or rule.to in known):
                break
        else:
            return None
        if rule.times is not None:
            rule.times -= 1
        if rule.delay_seconds:
            await asyncio.sleep(rule.delay_seconds)
        if rule.hold:
            held, release = self._state.held, self._state.release
            held[step] = held.get(step, 0) + 1
            try:
                await release.wait()
            finally:
                held[step] -= 1
        return rule

    async def _act(self, rule: _Rule | None, answer: str) -> str:
        if rule is not None and rule.say is not None:
            answer = rule.say
        if rule is not None and rule.cut and rule.say is None:
            answer = ""
        if answer:
            await self._answer(answer)
        if rule is not None and rule.cut:
            raise _Gone
        return answer

    async def _answer(self, text: str) -> None:
        self._writer.write(text.encode() + b"\r\n")
        await self._writer.drain()

    async def _line(self) -> bytes:
        while (end := self._unread.find(b"\r\n")) < 0:
            await self._read()
        line = bytes(self._unread[:end])
        del self._unread[: end + 2]
        return line

    async def _read(self) -> None:
        data = await self._reader.read(256 * 1024)
        if not data:
            raise _Gone
        self._unread += data


def _path(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def _header(content: bytes, name: bytes) -> str:
    for line in content[:_MOST_HEADER].partition(b"\r\n\r\n")[0].split(b"\r\n"):
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return value.strip().decode(errors="replace")
    return ""


def _answer(state: _State, order: dict[str, Any]) -> dict[str, Any]:
    if "script" in order:
        state.rules = [_Rule(**rule) for rule in order["script"]]
        state.release = asyncio.Event()
    if order.get("release"):
        state.release.set()
        state.release = asyncio.Event()
        state.rules = []
    if order.get("forget"):
        state.taken.clear()
        state.begun = state.connections = state.ended = 0
    return {
        "count": len(state.taken),
        "begun": state.begun,
        "connections": state.connections,
        "ended": state.ended,
        "open": state.open,
        "held": state.held,
        "rules": [asdict(rule) for rule in state.rules],
        "taken": state.taken[order["since"] :] if "since" in order else [],
    }


async def _run() -> None:
    state = _State()
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.open += 1
        try:
            await _Session(state, reader, writer).run()
        except (_Gone, OSError):
            pass
        finally:
            state.open -= 1
            state.ended += 1
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1000)
    _tell({"port": server.sockets[0].getsockname()[1]})
    orders = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        _tell(_answer(state, json.loads(line)))
    server.close()


def _tell(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_run())
