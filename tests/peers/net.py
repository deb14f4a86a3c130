"""Ports of this machine: free ones, ones to wait for, and one that swallows connections."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


def free_port(host: str = "127.0.0.1") -> int:
    """Returns a port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_port(port: int, seconds: float = 10) -> None:
    """Returns when something listens on 127.0.0.1:*port*; raises OSError if nothing does within *seconds*."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


@contextmanager
def black_hole(host: str = "127.0.0.2", port: int = 0) -> Iterator[int]:
    """
    Gives a port that answers no connection attempt, neither with yes nor with no, as a firewall that drops does (F13).

    A listener whose queue is full does that on Linux. Yields the port.
    """
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        taken = int(listener.getsockname()[1])
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            if filler.connect_ex((host, taken)) not in {0, errno.EINPROGRESS}:
                raise OSError(f"{host}:{taken} does not take the connections that fill its queue")
        yield taken
