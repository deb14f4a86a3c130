"""Files over HTTP: in a request, or in ranges (https://learn.microsoft.com/graph/outlook-large-attachments)."""

from __future__ import annotations

import base64
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from service.sandbox.graph.answers import context, done, json
from service.sandbox.graph.errors import GraphError, item_not_found
from service.sandbox.graph.gateway import Call
from service.sandbox.graph.item import Folder, Item
from service.sandbox.graph.message_calls import MessageCalls
from service.sandbox.graph.reading_calls import attach, read_file, read_json
from service.sandbox.graph.rendering import render_attachment
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.graph.tokens import Caller
from service.sandbox.graph.uploads import UploadSession
from service.sandbox.spool import Spool

UPLOAD_PATH: Final = "/api/v2.0"
"""Below the simulator's root, as Outlook's is on another host than Graph's."""
_SESSION: Final = re.compile(r"Users\('[^']*'\)/Messages\('[^']*'\)/AttachmentSessions\('([^']*)'\)")
_NOBODY: Final = Caller("", frozenset())


class AttachmentCalls:
    """Answers what is asked about files; every method raises GraphError."""

    def __init__(self, simulator: GraphSimulator, messages: MessageCalls) -> None:
        self._simulator = simulator
        self._messages = messages

    async def add(self, call: Call) -> Response:
        """Adds a file below 3 MB to a draft, and gives it back in full, as Graph does."""
        item = self._draft(call)
        properties, content = read_file(read_json(call), self._simulator.limits)
        attachment = attach(item, properties, Spool(content))
        shown = render_attachment(attachment, context=context(call, "messages('id')/attachments/$entity"))
        return json(call, {**shown, "contentBytes": base64.b64encode(content).decode()}, status_code=201)

    async def list(self, call: Call) -> Response:
        """Lists the files of a message, without their content."""
        found = [render_attachment(each, context="") for each in self._messages.found(call).attachments]
        for each in found:
            del each["@odata.context"]
        return json(call, {"@odata.context": context(call, "messages('id')/attachments"), "value": found})

    async def create_session(self, call: Call) -> Response:
        """Opens an upload session; its URL carries its own proof."""
        item = self._draft(call)
        session = self._simulator.uploads.create(item, read_json(call), self._simulator.limits)
        where = f"Users('{call.mailbox}')/Messages('{item.folder_id}')/AttachmentSessions('{session.session_id}')"
        content = {
            **session.as_json(context=f"{call.root}/v1.0/$metadata#microsoft.graph.uploadSession", expected="0-"),
            "uploadUrl": f"{call.root}{UPLOAD_PATH}/{where}?authtoken={session.token}",
        }
        return json(call, content, status_code=201)

    def identify(self, request: Request) -> tuple[Caller, str]:
        """Returns nobody, and the mailbox of the session that the URL opens. Raises GraphError."""
        return _NOBODY, self._session(request).item.mailbox

    async def put(self, call: Call) -> Response:
        """Takes a range: 200 with what is expected next, or 201 with the file's address."""
        if "authorization" in call.request.headers:
            raise GraphError(
                401,
                "InvalidAudienceForResource",
                "The audience claim value is invalid for current resource. Audience claim is "
                "'https://graph.microsoft.com', request url is of 'https://outlook.office.com'.",
            )
        simulator, session = self._simulator, self._session(call.request)
        simulator.throttle.admit_upload(call.mailbox, len(call.body), now=simulator.now())
        is_whole = simulator.uploads.receive(session, call.request.headers.get("content-range", ""), call.body)
        if not is_whole:
            return self._status(call, session)
        simulator.uploads.close(session)
        attachment = attach(session.item, session.properties, session.content)
        where = (
            f"Users('{call.mailbox}')/Messages('{session.item.folder_id}')/Attachments('{attachment.attachment_id}')"
        )
        return Response(status_code=201, headers={"Location": f"{call.root}{UPLOAD_PATH}/{where}"})

    async def status(self, call: Call) -> Response:
        """Tells what is expected next."""
        return self._status(call, self._session(call.request))

    async def cancel(self, call: Call) -> Response:
        """Ends a session; what came is thrown away."""
        self._simulator.uploads.close(self._session(call.request))
        return done()

    def _status(self, call: Call, session: UploadSession) -> Response:
        # Outlook writes the place alone after the first range, where it wrote "0-" (as documented, seen 2026-11).
        received = session.content.size_bytes
        content = session.as_json(
            context=f"{call.root}{UPLOAD_PATH}/$metadata#Users('{call.mailbox}')/AttachmentSessions/$entity",
            expected=str(received) if received else "0-",
        )
        return json(call, content)

    def _session(self, request: Request) -> UploadSession:
        found = _SESSION.fullmatch(request.path_params["rest"])
        if found is None:
            raise item_not_found()
        return self._simulator.uploads.find(found[1], request.query_params.get("authtoken", ""))

    def _draft(self, call: Call) -> Item:
        item = self._messages.found(call)
        if item.folder is not Folder.DRAFTS:
            raise GraphError(400, "ErrorInvalidOperation", "The message is not a draft.")
        return item
