"""A tiny HTTP server that answers as a test says, or not at all; it knows nothing of what is asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it came."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; `is_cut` and `is_silent` are no answer: the connection ends, or nothing ever comes."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    is_silent: bool = False


CUT = Reply(is_cut=True)
SILENT = Reply(is_silent=True)


def in_json(status: int, value: object, **headers: str) -> Reply:
    """An answer in JSON; headers are named with underscores."""
    told = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **told})


def graph_error(status: int, code: str, message: str = "", **headers: str) -> Reply:
    """A refusal as Graph writes it."""
    return in_json(status, {"error": {"code": code, "message": message}}, **headers)


class ScriptedHttp:
    """Serves on loopback within ``async with``; *answer* is asked for each request, and may be exchanged."""

    def __init__(self, answer: Callable[[Heard], Reply], *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.heard: list[Heard] = []
        self.at_once = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None
        """Answers wait until it is set."""
        self._arrived = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._tls = tls
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0, ssl=self._tls)
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://localhost:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def until(self, holds: Callable[[Self], bool]) -> None:
        """Waits until *holds*, which is looked at after each request; five seconds at most."""
        async with asyncio.timeout(5):
            while not holds(self):
                self._arrived.clear()
                await self._arrived.wait()

    def calls(self, word: str = "") -> list[str]:
        """Method and path of each request whose path has *word* in it."""
        return [f"{each.method} {each.path}" for each in self.heard if word in each.path]

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._converse(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        heard = Heard(method, path, headers, body)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.heard.append(heard)
        self._arrived.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            reply = self.answer(heard)
            if reply.is_cut:
                return False
            if reply.is_silent:
                await reader.read()
                return False
        finally:
            self.at_once -= 1
        told = {"Content-Length": str(len(reply.body)), **reply.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n{head}\r\n".encode() + reply.body)
        await writer.drain()
        return True
