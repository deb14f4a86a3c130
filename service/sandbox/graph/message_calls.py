"""Messages over HTTP: sendMail, drafts, what is in the folders."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from service.sandbox.graph.answers import accepted, context, done, json, shown
from service.sandbox.graph.composing import rewritten
from service.sandbox.graph.errors import GraphError, item_not_found, no_recipients
from service.sandbox.graph.gateway import Call
from service.sandbox.graph.item import Folder, Item, folder_id_of
from service.sandbox.graph.json_form import boolean, read_message
from service.sandbox.graph.reading_calls import MIME, attach, content_type, from_json, from_mime, read_json
from service.sandbox.graph.rendering import read_filter, read_select, read_skip, read_top, render, render_folder
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.spool import Spool


class MessageCalls:
    """Answers what a mailbox is asked about its messages; every method raises GraphError."""

    def __init__(self, simulator: GraphSimulator) -> None:
        self._simulator = simulator

    async def send_mail(self, call: Call) -> Response:
        """Sends at once (https://learn.microsoft.com/graph/api/user-sendmail)."""
        keeps_copy = True
        if content_type(call) == MIME:
            fields, mime = from_mime(call)
            item = self._unsaved(call)
            item.fields, item.mime = fields, mime
        else:
            written = {name[:1].lower() + name[1:]: value for name, value in read_json(call).items()}
            keeps_copy = boolean(written, "saveToSentItems", default=True)
            message = written.get("message")
            if not isinstance(message, dict):
                raise GraphError(400, "ErrorInvalidParameter", "The value of the parameter 'Message' is empty.")
            item = self._unsaved(call)
            item.fields, files = from_json(message, self._simulator.limits)
            for properties, content in files:
                attach(item, properties, Spool(content))
        if not item.fields.recipients:
            raise no_recipients()
        await self._simulator.sending.send(item, call.caller, keeps_copy=False)
        if keeps_copy:
            self._simulator.mailboxes.keep_sent(item, copy_delay=call.copy_delay)
        return accepted()

    async def create(self, call: Call) -> Response:
        """Makes a draft, of JSON or MIME (https://learn.microsoft.com/graph/api/user-post-messages)."""
        if content_type(call) == MIME:
            fields, mime = from_mime(call)
            item = self._simulator.mailboxes.add(call.mailbox, fields, mime=mime)
        else:
            fields, files = from_json(read_json(call), self._simulator.limits)
            item = self._simulator.mailboxes.add(call.mailbox, fields)
            for properties, content in files:
                attach(item, properties, Spool(content))
        return shown(call, item, status_code=201)

    async def list(self, call: Call) -> Response:
        """Lists a folder or the whole mailbox, the newest first, with $filter, $select, $top and $skip."""
        query = call.request.query_params
        fits, selected = read_filter(query.get("$filter", "")), read_select(query.get("$select", ""))
        top, skip = read_top(query.get("$top", "")), read_skip(query.get("$skip", ""))
        folder = self._folder(call) if "folder" in call.request.path_params else None
        found = [item for item in self._simulator.mailboxes.list(call.mailbox, folder) if fits(item)]
        where = context(call, "messages")
        page = [
            render(item, selected=selected, immutable=call.is_immutable, context="")
            for item in found[skip : skip + top]
        ]
        for each in page:
            del each["@odata.context"]
        content = {"@odata.context": where, "value": page}
        if len(found) > skip + top:
            parameters = {**query, "$skip": str(skip + top)}
            content["@odata.nextLink"] = f"{call.root}{_below(call)}?{urlencode(parameters)}"
        return json(call, content)

    async def get(self, call: Call) -> Response:
        """Shows one message."""
        return shown(call, self.found(call))

    async def update(self, call: Call) -> Response:
        """Changes a draft; of one that came as MIME not the body; of other messages only what is about reading."""
        item = self.found(call)
        written = read_json(call)
        fields = read_message(written, before=item.fields)
        if fields != item.fields:
            if item.folder is not Folder.DRAFTS:
                raise GraphError(400, "ErrorInvalidPropertySet", "The property cannot be set on this message.")
            if item.mime is not None:
                item.mime = Spool(rewritten(item.mime.read(), item.fields, fields))
            item.fields = fields
            item.modify_time = self._simulator.now()
        return shown(call, item)

    async def delete(self, call: Call) -> Response:
        """Moves a message to Deleted Items, or out of there for good."""
        self._simulator.mailboxes.delete(self.found(call))
        return done()

    async def send(self, call: Call) -> Response:
        """Sends a draft, which goes to Sent Items (https://learn.microsoft.com/graph/api/message-send)."""
        item = self.found(call)
        if item.folder is not Folder.DRAFTS:
            raise item_not_found()
        await self._simulator.sending.send(item, call.caller, copy_delay=call.copy_delay)
        return accepted()

    async def folder(self, call: Call) -> Response:
        """Shows a folder."""
        folder = self._folder(call)
        count = len(self._simulator.mailboxes.list(call.mailbox, folder))
        return json(call, render_folder(call.mailbox, folder, count, context=context(call, "mailFolders/$entity")))

    async def user(self, call: Call) -> Response:
        """Shows who the mailbox belongs to."""
        name = call.mailbox.rpartition("@")[0]
        content = {
            "@odata.context": f"{call.root}/v1.0/$metadata#users/$entity",
            "id": folder_id_of(call.mailbox, Folder.INBOX)[-44:-8],
            "displayName": name,
            "mail": call.mailbox,
            "userPrincipalName": call.mailbox,
        }
        return json(call, content)

    def found(self, call: Call) -> Item:
        """Returns the message that the path names. Raises GraphError."""
        return self._simulator.mailboxes.find(call.mailbox, call.request.path_params["id"])

    def _unsaved(self, call: Call) -> Item:
        return self._simulator.mailboxes.unsaved(call.mailbox)

    def _folder(self, call: Call) -> Folder:
        asked = call.request.path_params["folder"]
        for folder in Folder:
            if asked.lower() == folder or asked == folder_id_of(call.mailbox, folder):
                return folder
        raise item_not_found()


def _below(call: Call) -> str:
    path: str = call.request.url.path
    return path.removeprefix(call.request.scope.get("root_path", ""))
