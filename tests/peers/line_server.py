"""A raw server run by scripts: speaks byte by byte where a real mail server is too polite."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from tests.peers.conversation import Conversation
from tests.peers.script import Item, close, flattened


class LineServer:
    """
    Takes connections on loopback, one script each, in order; ``async with`` runs it.

    `tests.peers.script` has the words that scripts are made of.

    A connection beyond the last script is closed at once and makes `finished` fail; with *repeat* it gets the last
    script again. Everything said is in `conversations`, in the order of connecting.
    """

    def __init__(self, *scripts: Sequence[Item], repeat: bool = False, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self.conversations: list[Conversation] = []
        self._scripts = [flattened(script) for script in scripts]
        self._repeat = repeat
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._converse, self.host, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for conversation in self.conversations:
                await conversation.stop()
            await self._server.wait_closed()

    def heard(self, *, encrypted: bool | None = None) -> bytes:
        """Returns all that clients sent over all connections: in clear (False), inside TLS (True) or both."""
        return b"".join(conversation.heard(encrypted=encrypted) for conversation in self.conversations)

    @property
    def messages(self) -> list[bytes]:
        """The contents of all messages, in order."""
        return [message for conversation in self.conversations for message in conversation.messages]

    async def connected(self, count: int = 1, *, within: timedelta = timedelta(seconds=5)) -> list[Conversation]:
        """Returns the conversations as soon as *count* have begun; raises TimeoutError if they do not."""
        async with asyncio.timeout(within.total_seconds()):
            while len(self.conversations) < count:
                await self._news()
        return self.conversations

    async def finished(self, *, within: timedelta = timedelta(seconds=5)) -> list[Conversation]:
        """
        Returns the conversations when every script has been played to its end.

        Raises AssertionError, with all that was said, if a client left its script, if there were more connections than
        scripts, or if not all is over *within* the time.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                while not self._is_over():
                    await self._news()
        except TimeoutError:
            raise AssertionError(f"the scripts are not over after {within}\n{self}") from None
        wrong = [f"connection {talk.number}: {talk.failure}" for talk in self.conversations if talk.failure]
        if not self._repeat and len(self.conversations) > len(self._scripts):
            wrong.append(f"{len(self.conversations)} connections for {len(self._scripts)} scripts")
        if wrong:
            raise AssertionError("\n".join([*wrong, str(self)]))
        return self.conversations

    def __str__(self) -> str:
        return "\n".join(map(str, self.conversations)) or "no client connected"

    def _converse(self) -> Conversation:
        number = len(self.conversations) + 1
        if number <= len(self._scripts):
            steps = self._scripts[number - 1]
        else:
            steps = self._scripts[-1] if self._repeat and self._scripts else [close()]
        conversation = Conversation(steps, number=number, changed=self._changed)
        self.conversations.append(conversation)
        return conversation

    def _is_over(self) -> bool:
        return len(self.conversations) >= len(self._scripts) and all(talk.is_done for talk in self.conversations)

    async def _news(self) -> None:
        self._changed.clear()
        await self._changed.wait()
