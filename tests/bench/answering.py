"""The other side of `child`: a process that says when it is ready, then answers one line with one line."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

Answer: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


def given() -> dict[str, Any]:
    """Returns what the bench gave this process to work with."""
    arguments: dict[str, Any] = json.loads(sys.argv[1])
    return arguments


async def answering(ready: Mapping[str, Any], answer: Answer) -> None:
    """Says *ready*, then answers each line until the input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    _say(ready)
    while line := await lines.readline():
        _say(await answer(json.loads(line)))


async def nothing(question: Mapping[str, Any]) -> Mapping[str, Any]:
    """Answers for a process that has nothing to tell."""
    return {}


def _say(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
