"""A TCP proxy that makes the way long: what comes in goes out a set time later, in order, at any rate."""

from __future__ import annotations

import asyncio
import contextlib

from tests.bench.answering import answering, given, nothing

_CHUNK = 64 * 1024


async def main() -> None:
    """Serves until the input ends."""
    asked = given()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The handshake of TCP takes a round trip as well, before the first byte may leave.
        await asyncio.sleep(2 * asked["one_way_seconds"])
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", asked["port"])
            await asyncio.gather(
                _carry(reader, there_writer, asked["one_way_seconds"]),
                _carry(there_reader, writer, asked["one_way_seconds"]),
            )

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    await answering({"port": server.sockets[0].getsockname()[1]}, nothing)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Delays each chunk by itself, so that many may be on their way."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            loop.call_later(seconds, _write, writer, chunk)
    loop.call_later(seconds, writer.close)


def _write(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    if not writer.is_closing():
        writer.write(chunk)


if __name__ == "__main__":
    asyncio.run(main())
