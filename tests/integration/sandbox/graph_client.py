"""A client of the Graph simulator, as plain as can be."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.peers.graph import GraphPeer, started_graph

ACCOUNT = "robot@sandbox.example"
ANN = "ann@customer.example"
MIME = (
    b"From: Robot <robot@sandbox.example>\r\nTo: Ann <ann@customer.example>\r\nCc: bob@customer.example\r\n"
    b"Bcc: =?utf-8?q?Hidden?= <hidden@customer.example>,\r\n more@customer.example\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Wed, 25 Nov 2026 12:00:00 +0000\r\nMessage-ID: <one@sandbox.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Bcc: is no header h\xc3\xa4re\r\n"
)


class GraphClient:
    """Sends requests with a token for everything, or with another one."""

    def __init__(self, peer: GraphPeer, http: httpx2.AsyncClient) -> None:
        self.peer = peer
        self.graph = peer.graph
        self.http = http
        self.token = peer.graph.access_token(ACCOUNT)

    async def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Asks below /v1.0 with the token."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return await self.http.request(method, f"{self.peer.root}/v1.0{path}", headers=headers, **options)

    async def send_mime(self, raw: bytes = MIME, *, path: str = "/me/sendMail", **headers: str) -> httpx2.Response:
        """Sends a message as MIME."""
        content = base64.b64encode(raw)
        return await self.ask("POST", path, content=content, headers={"Content-Type": "text/plain", **headers})

    async def send_json(self, message: dict[str, Any], *, path: str = "/me/sendMail", **more: Any) -> httpx2.Response:
        """Sends a message as JSON."""
        return await self.ask("POST", path, json={"message": message, **more})

    async def draft(self, message: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Makes a draft."""
        answer = await self.ask("POST", "/me/messages", json=message, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def session(self, draft: str, size_bytes: int, *, name: str = "large.bin") -> dict[str, Any]:
        """Opens an upload session."""
        item = {"attachmentType": "file", "name": name, "size": size_bytes, "contentType": "application/octet-stream"}
        path = f"/me/messages/{draft}/attachments/createUploadSession"
        answer = await self.ask("POST", path, json={"AttachmentItem": item})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def put(self, url: str, content: bytes, first: int, total: int, **headers: str) -> httpx2.Response:
        """Uploads a range."""
        content_range = f"bytes {first}-{first + len(content) - 1}/{total}"
        return await self.http.put(url, content=content, headers={"Content-Range": content_range, **headers})


@asynccontextmanager
async def graph_client(**options: Any) -> AsyncIterator[GraphClient]:
    """A simulator on a port of its own and a client of it."""
    async with started_graph(**options) as peer, httpx2.AsyncClient(timeout=120) as http:
        yield GraphClient(peer, http)


def message(*to: str, **more: Any) -> dict[str, Any]:
    """A message in the JSON form."""
    return {
        "subject": "Grüße",
        "body": {"contentType": "Text", "content": "hello\n"},
        "toRecipients": [{"emailAddress": {"address": address}} for address in to or (ANN,)],
        **more,
    }


def error_of(answer: httpx2.Response) -> tuple[int, str]:
    """Status and Microsoft's code."""
    return answer.status_code, str(answer.json()["error"]["code"])
