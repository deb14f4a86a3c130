"""The inbox for scripts: JSON, raw sources and files."""

from __future__ import annotations

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.sandbox.filters import FilterError, parse_filter
from service.sandbox.inbox import Inbox, ReceivedMessage
from service.sandbox.responses import data, download

_DEFAULT_LIMIT: Final = 50


class InboxJson:
    """Answers ``inbox.json`` and what lies below ``inbox/{id}``. Bodies are read in a thread: they may be large."""

    def __init__(self, *, inbox: Inbox) -> None:
        self._inbox = inbox

    def routes(self) -> list[Route]:
        """Returns the routes, relative to where the sandbox is mounted; they go before the pages' routes."""
        return [
            Route("/inbox.json", self.list, methods=["GET"]),
            Route("/inbox.json", self.clear, methods=["DELETE"]),
            Route("/inbox/{id}.json", self.show, methods=["GET"]),
            Route("/inbox/{id}.eml", self.source, methods=["GET"]),
            Route("/inbox/{id}/attachments/{number}", self.attachment, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """``{"messages": […], "total": n}``, newest first; filters `to`, `subject`, `message_id`, `limit` (50)."""
        try:
            asked = parse_filter(request.query_params, default_limit=_DEFAULT_LIMIT)
        except FilterError as error:
            return data({"error": str(error)}, status_code=400)
        found = self._inbox.newest(asked.matches)
        base = request.scope.get("root_path", "")
        messages = await run_in_threadpool(lambda: [render(message, base) for message in found[: asked.limit]])
        return data({"messages": messages, "total": len(found)})

    async def clear(self, request: Request) -> Response:
        """Drops all messages: ``{"deleted": n}``."""
        return data({"deleted": self._inbox.clear()})

    async def show(self, request: Request) -> Response:
        """One message, as in the list."""
        message = self._inbox.get(request.path_params["id"])
        if message is None:
            return _missing()
        return data(await run_in_threadpool(render, message, request.scope.get("root_path", "")))

    async def source(self, request: Request) -> Response:
        """The octets as they were received."""
        message = self._inbox.get(request.path_params["id"])
        if message is None:
            return _missing()
        return download(message.raw, file_name=f"message-{message.id}.eml", media_type="message/rfc822")

    async def attachment(self, request: Request) -> Response:
        """The content of one attachment, counted from 1."""
        message = self._inbox.get(request.path_params["id"])
        if message is None:
            return _missing()
        contents = await run_in_threadpool(message.contents)
        for attachment in contents.attachments:
            if str(attachment.number) == request.path_params["number"]:
                return download(attachment.content, file_name=attachment.file_name)
        return _missing()


def render(message: ReceivedMessage, base: str) -> dict[str, Any]:
    """Returns a message as JSON values; *base* is the path that the sandbox is mounted at."""
    contents = message.contents()
    return {
        "id": message.id,
        "receive_time": message.receive_time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "envelope": {
            "sender": message.sender,
            "recipients": list(message.recipients),
            "smtputf8": message.is_smtputf8,
        },
        "tls_version": message.tls_version,
        "username": message.username,
        "size_bytes": message.size_bytes,
        "subject": message.subject,
        "from": message.header("From"),
        "to": message.header("To"),
        "date": message.header("Date"),
        "message_id": message.message_id,
        "headers": [{"name": name, "value": value} for name, value in message.headers],
        "text_body": contents.text_body,
        "html_body": contents.html_body,
        "attachments": [
            {
                "number": attachment.number,
                "file_name": attachment.file_name,
                "content_type": attachment.content_type,
                "content_id": attachment.content_id,
                "size_bytes": attachment.size_bytes,
                "path": f"{base}/inbox/{message.id}/attachments/{attachment.number}",
            }
            for attachment in contents.attachments
        ],
        "page_path": f"{base}/inbox/{message.id}",
        "source_path": f"{base}/inbox/{message.id}.eml",
    }


def _missing() -> Response:
    return data({"error": "there is no such message or file in the sandbox's inbox (any more)"}, status_code=404)
