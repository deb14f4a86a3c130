"""
The server's side of TLS over bytes handed in and out.

By hand and not by `loop.start_tls`: asyncio throws away the alert that tells a client why a handshake failed, and marks
the moment of encryption only some turns of the loop after it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final

_CHUNK: Final = 65536


class TlsSide:
    """One TLS session. `feed` takes what came from the network; *send* gets what must go there."""

    def __init__(self, context: ssl.SSLContext, *, send: Callable[[bytes], None]) -> None:
        context.sni_callback = _note_server_name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._send = send
        self.is_established = False

    @property
    def version(self) -> str | None:
        return self._tls.version()

    @property
    def server_name(self) -> str | None:
        """The name the client asked for (SNI)."""
        return getattr(self._tls, "server_name", None)

    def feed(self, data: bytes) -> None:
        self._incoming.write(data)

    def shake_hands(self) -> bool:
        """Goes on as far as it can; True when done. Raises ssl.SSLError on failure, the alert being sent."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush()
        self.is_established = True
        return True

    def read(self) -> bytes:
        """Returns what can be decrypted now."""
        plain = bytearray()
        try:
            while chunk := self._tls.read(_CHUNK):
                plain += chunk
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        finally:
            self._flush()
        return bytes(plain)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        self._flush()

    def say_goodbye(self) -> None:
        """Sends close_notify; waits for none."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the client's own close_notify has not come, and is not needed
        finally:
            self._flush()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._send(data)


def _note_server_name(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
    connection.server_name = name
