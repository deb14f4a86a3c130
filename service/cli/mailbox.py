"""Client commands that read a configuration's mailbox: MailboxService for people and scripts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mailport.v1 import mailbox_service_pb2 as api
from service.cli.choices import instant_value
from service.cli.commands import SENDING_TIMEOUT, client_command
from service.cli.configuring import ConfigurationId, PageToken, more
from service.cli.saving import STDOUT, Saver
from service.cli.session import CallRefused, Session
from service.terminal.mailbox import (
    draw_brief,
    draw_flags,
    draw_folders,
    draw_message,
    draw_messages,
    draw_moved,
)
from service.terminal.style import Style

MessageId = Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="As `mailbox list` or `watch` names it.")]
Folder = Annotated[str, typer.Option(metavar="NAME", help="As `mailbox folders` names it. Default: INBOX.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOptions:
    """Which messages; what is given must hold all at once."""

    from_: Annotated[str, typer.Option("--from", metavar="TEXT", help="Text in the From field.")] = ""
    to: Annotated[str, typer.Option(metavar="TEXT", help="Text in the To field.")] = ""
    subject: Annotated[str, typer.Option(metavar="TEXT", help="Text in the subject.")] = ""
    text: Annotated[str, typer.Option(metavar="TEXT", help="Text in headers or body.")] = ""
    since: Annotated[str, typer.Option(metavar="TIME", help="Received at or after, e.g. 2026-03-01T09:15Z.")] = ""
    before: Annotated[str, typer.Option(metavar="TIME", help="Received before.")] = ""
    unseen: Annotated[bool, typer.Option("--unseen", help="Only what nobody has marked as seen.")] = False
    flag: Annotated[list[str] | None, typer.Option(metavar="FLAG", help="With this flag; repeatable.")] = None
    without_flag: Annotated[list[str] | None, typer.Option(metavar="FLAG", help="Without this flag; repeatable.")] = (
        None
    )

    def read(self) -> api.MessageQuery:
        """Returns the query. Raises typer.BadParameter for what is no time."""
        query = api.MessageQuery(
            to=self.to,
            subject=self.subject,
            text=self.text,
            since_time=instant_value(self.since, option="--since") if self.since else None,
            before_time=instant_value(self.before, option="--before") if self.before else None,
            unseen=self.unseen,
            flags=self.flag or (),
            without_flags=self.without_flag or (),
        )
        setattr(query, "from", self.from_)  # a word of Python, so no argument can have its name
        return query


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    mailbox = typer.Typer(help="Read a configuration's mailbox. Reading marks nothing as seen.", no_args_is_help=True)
    client_command(mailbox, "folders", timeout_seconds=SENDING_TIMEOUT)(folders)
    client_command(mailbox, "list", timeout_seconds=SENDING_TIMEOUT)(list_messages)
    client_command(mailbox, "read", timeout_seconds=SENDING_TIMEOUT)(read)
    client_command(mailbox, "watch", timeout_seconds=None)(watch)
    client_command(mailbox, "flag", timeout_seconds=SENDING_TIMEOUT)(flag)
    client_command(mailbox, "move", timeout_seconds=SENDING_TIMEOUT)(move)
    app.add_typer(mailbox, name="mailbox")


def folders(
    session: Session,
    configuration_id: ConfigurationId,
    counts: Annotated[bool, typer.Option("--counts", help="Count messages too, which takes longer.")] = False,
) -> None:
    """List the folders."""
    request = api.ListFoldersRequest(configuration_id=configuration_id, include_counts=counts)
    response = session.call(session.mailbox.ListFolders, request)
    session.answer(response, lambda style: draw_folders(response.folders, style))


def list_messages(
    session: Session,
    configuration_id: ConfigurationId,
    query: QueryOptions,
    folder: Folder = "",
    page_size: Annotated[int, typer.Option(metavar="N", help="Most to answer, 1 to 200.")] = 50,
    page_token: PageToken = "",
) -> None:
    """List messages, the newest first, a page at a time."""
    request = api.ListMessagesRequest(
        configuration_id=configuration_id,
        folder=folder,
        query=query.read(),
        page_size=page_size,
        page_token=page_token,
    )
    response = session.call(session.mailbox.ListMessages, request)
    session.answer(response, lambda style: [*draw_messages(response.messages, style), *more(response.next_page_token)])


def read(
    session: Session,
    configuration_id: ConfigurationId,
    message_id: MessageId,
    html: Annotated[bool, typer.Option("--html", help="Show the HTML body instead of the text.")] = False,
    headers: Annotated[bool, typer.Option("--headers", help="Show all header fields.")] = False,
    save: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Save the attachments there.")] = None,
    part: Annotated[
        list[str] | None, typer.Option(metavar="PART_ID", help="Save this part too, with --save; repeatable.")
    ] = None,
    raw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the raw source; - is standard output, and all of it.")
    ] = None,
) -> None:
    """Show a message: its headers, body and parts. It is not marked as seen."""
    if part and save is None:
        raise typer.BadParameter("a part is saved to the folder of --save", param_hint="--part")
    request = api.GetMessageRequest(
        configuration_id=configuration_id,
        mailbox_message_id=message_id,
        part_ids=part or (),
        include_attachments=save is not None and not part,
        include_raw=raw is not None,
    )
    saver = Saver(folder=save, raw=raw)
    try:
        for response in session.stream(session.mailbox.GetMessage, request):
            if response.HasField("chunk"):
                saver.take(response.chunk)
            elif raw != STDOUT:
                saver.name_parts(response.message.parts)
                session.answer(response, partial(_drawn, response.message, html=html, headers=headers))
            else:
                saver.name_parts(response.message.parts)
    finally:
        saver.give_up()
    for path in saver.saved:
        typer.echo(f"saved {path}", err=session.is_json or raw == STDOUT)


def watch(
    session: Session,
    configuration_id: ConfigurationId,
    folder: Folder = "",
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on behind this one; else from now on.")] = "",
) -> None:
    """
    Follow a folder: each message as it arrives, a line each. Ends with Ctrl-C, or after --timeout.

    With --json each line is an answer of the API, signs of life among them; its cursor is where to go on.
    """
    request = api.WatchMailboxRequest(configuration_id=configuration_id, folder=folder, cursor=cursor)
    try:
        for response in session.stream(session.mailbox.WatchMailbox, request):
            cursor = response.cursor or cursor
            if session.is_json or response.HasField("message"):
                session.answer_line(response, partial(_line, response.message))
    except KeyboardInterrupt:
        return
    except CallRefused as refused:
        if refused.is_over:
            return
        if cursor and refused.helps_to_repeat:
            raise refused.advising(f"Go on with --cursor {cursor}") from None
        raise


def flag(
    session: Session,
    configuration_id: ConfigurationId,
    message_id: MessageId,
    add: Annotated[
        list[str] | None, typer.Option(metavar="FLAG", help="Add it, e.g. '\\Seen' or Handled; repeatable.")
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="FLAG", help="Remove it; repeatable.")] = None,
) -> None:
    """Add and remove flags of a message. Repeating it changes nothing."""
    request = api.SetFlagsRequest(
        configuration_id=configuration_id,
        mailbox_message_id=message_id,
        add_flags=add or (),
        remove_flags=remove or (),
    )
    response = session.call(session.mailbox.SetFlags, request)
    session.answer(response, lambda style: draw_flags(response, style))


def move(
    session: Session,
    configuration_id: ConfigurationId,
    message_id: MessageId,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="As `mailbox folders` names it.")],
) -> None:
    """Move a message to another folder."""
    request = api.MoveMessageRequest(configuration_id=configuration_id, mailbox_message_id=message_id, folder=folder)
    response = session.call(session.mailbox.MoveMessage, request)
    session.answer(response, lambda style: draw_moved(response, folder, style))


def _drawn(message: api.MailboxMessage, style: Style, *, html: bool, headers: bool) -> list[str]:
    return draw_message(message, style, html=html, headers=headers)


def _line(message: api.MailboxMessage, style: Style) -> str:
    return f"{draw_brief(message, style)}  {style.faint(message.mailbox_message_id)}"
