"""HTTP to addresses that were judged, and to no other: httpx2's transport, dialled by address, checked by name."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2

from domain.ports.network import DeniedAddress, EgressDenied, PeerAddress, Resolver

MAXIMUM_ANSWER_OCTETS: Final = 256 * 1024
_CONNECT_SECONDS: Final = 5.0
_MOST_ADDRESSES: Final = 4
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_CONNECTED: Final = "connection.connect_tcp.complete"
_SENT: Final = "http11.send_request_headers.started"


class AnswerTooLarge(httpx2.RemoteProtocolError):
    """The body goes on beyond 256 KiB."""

    def __init__(self) -> None:
        super().__init__("the answer is larger than 256 KiB")


class AnswerEncoded(httpx2.RemoteProtocolError):
    """The body is compressed, though that was ruled out: it might unpack to anything."""

    def __init__(self) -> None:
        super().__init__("the answer is compressed")


class JudgedTransport(httpx2.AsyncBaseTransport):
    """
    One request at a time, never repeated once a byte of it has left; a connection is kept for the next one.

    The host is looked up by *resolver*, and the judged address is dialled; TLS is checked against the host's name. Up
    to four addresses are tried, five seconds each, as long as none took the connection. http goes to loopback alone.
    Raises ResolutionFailed, AnswerTooLarge, AnswerEncoded and what httpx2 raises.
    """

    def __init__(self, *, resolver: Resolver, inner: httpx2.AsyncBaseTransport) -> None:
        self._resolver = resolver
        self._inner = inner
        self.was_sent = False
        """Whether any of the request may have left; for another request it is to be set back."""
        self._connection: Any = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        addresses = await self._addresses(request.url)
        for address in addresses[:-1]:
            try:
                return await self._ask(request, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._ask(request, addresses[-1])

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _addresses(self, url: httpx2.URL) -> tuple[PeerAddress, ...]:
        host = url.raw_host.decode("ascii").strip("[]")
        found = await self._resolver.resolve(host, url.port or _DEFAULT_PORTS[url.scheme])
        if url.scheme != "https":
            denied = [
                DeniedAddress(address.ip, "not loopback, and http would carry secrets there unencrypted")
                for address in found
                if not ipaddress.ip_address(address.ip).is_loopback
            ]
            if denied:
                raise EgressDenied(host, denied)
        return found[:_MOST_ADDRESSES]

    async def _ask(self, request: httpx2.Request, address: PeerAddress) -> httpx2.Response:
        host = request.url.raw_host.decode("ascii").strip("[]")
        dialled = httpx2.Request(
            request.method,
            request.url.copy_with(host=address.ip),
            headers=request.headers,
            stream=request.stream,
            extensions={
                "timeout": {"connect": _CONNECT_SECONDS, "read": None, "write": None, "pool": None},
                "sni_hostname": host,
                "trace": self._notice,
            },
        )
        try:
            response = await self._inner.handle_async_request(dialled)
        except BaseException:
            # httpcore2 (2.16) forgets a connection whose TLS handshake is cancelled, and leaves its socket open.
            if self._connection is not None:
                await self._connection.aclose()
            raise
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            await response.aclose()
            raise AnswerEncoded
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream),
            extensions=response.extensions,
        )

    async def _notice(self, event: str, info: dict[str, Any]) -> None:
        if event == _CONNECTED:
            self._connection = info["return_value"]
        self.was_sent = self.was_sent or event == _SENT


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        octets = 0
        async for piece in self._stream:
            octets += len(piece)
            if octets > MAXIMUM_ANSWER_OCTETS:
                raise AnswerTooLarge
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
