from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from mailport.v1 import delivery_pb2, mail_service_pb2
from mailport.v1 import mailbox_service_pb2 as api
from service.cli.exits import ExitCode
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_delivery, at
from tests.unit.service.cli.servicer import FakeMailport, a_status


def a_message(**changes: object) -> api.MailboxMessage:
    values: dict[str, object] = {
        "mailbox_message_id": "m-1",
        "folder": "INBOX",
        "from": [delivery_pb2.Address(name="Anna", address="anna@example.com")],
        "to": [delivery_pb2.Address(address="robot@example.com")],
        "subject": "Order 7",
        "receive_time": at(),
        "size_bytes": 120,
        "flags": ["\\Answered"],
    }
    return api.MailboxMessage(**(values | changes))  # type: ignore[arg-type]


def test_given_folders_when_listed_with_counts_then_a_table_shows_them(run: Run, mailport: FakeMailport) -> None:
    folders = [
        api.Folder(name="INBOX", special_use=api.SPECIAL_USE_INBOX, selectable=True, message_count=3, unseen_count=1),
        api.Folder(name="Gönderilmiş \x1b[2J", selectable=False, message_count=0, unseen_count=0),
    ]
    mailport.answers["ListFolders"] = api.ListFoldersResponse(folders=folders)

    result = run("mailbox", "folders", "alerts", "--counts")

    assert mailport.requests == [api.ListFoldersRequest(configuration_id="alerts", include_counts=True)]
    assert [line.split() for line in result.output.splitlines()] == [
        ["FOLDER", "USE", "MESSAGES", "UNSEEN"],
        ["INBOX", "inbox", "3", "1"],
        ["Gönderilmiş", "\\x1b[2J", "level", "0", "0"],
    ]


def test_given_every_query_option_when_listed_then_the_request_has_them_all(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["ListMessages"] = api.ListMessagesResponse()
    query = api.MessageQuery(
        to="robot",
        subject="Größe",
        text="order",
        since_time=at(),
        before_time=at(),
        unseen=True,
        flags=["\\Flagged", "Handled"],
        without_flags=["Old"],
    )
    setattr(query, "from", "anna")

    result = run(
        *("mailbox", "list", "alerts", "--folder", "Archive", "--from", "anna", "--to", "robot"),
        *("--subject", "Größe", "--text", "order", "--since", "2026-03-01T12:00Z", "--before", "2026-03-01T12:00Z"),
        *("--unseen", "--flag", "\\Flagged", "--flag", "Handled", "--without-flag", "Old"),
        *("--page-size", "7", "--page-token", "p2"),
    )

    assert result.output == "No messages.\n"
    assert mailport.requests == [
        api.ListMessagesRequest(configuration_id="alerts", folder="Archive", query=query, page_size=7, page_token="p2")
    ]


def test_given_messages_when_listed_then_each_shows_what_stands_out_and_its_id(
    run: Run, mailport: FakeMailport
) -> None:
    messages = [
        a_message(flags=["\\Seen"], delivery_id="d-1"),
        a_message(
            mailbox_message_id="m-2",
            subject="Undelivered\x1b[2J",
            delivery_id="d-2",
            bounce=api.BounceReport(),
            defects=[api.MESSAGE_DEFECT_CHARSET, api.MESSAGE_DEFECT_MIME],
        ),
    ]
    mailport.answers["ListMessages"] = api.ListMessagesResponse(messages=messages, next_page_token="p2")

    result = run("mailbox", "list", "alerts")

    assert result.output.splitlines() == [
        "2026-03-01 12:00:00Z  anna@example.com  Order 7  answers d-1",
        "    m-1",
        "2026-03-01 12:00:00Z  anna@example.com  Undelivered\\x1b[2J  new  reports on d-2  ! charset, mime",
        "    m-2",
        "More: --page-token p2",
    ]


def test_given_a_time_that_is_none_when_listed_then_nothing_is_called(run: Run, mailport: FakeMailport) -> None:
    result = run("mailbox", "list", "alerts", "--since", "yesterday")

    assert result.exit_code == ExitCode.USAGE
    assert mailport.requests == []


def test_given_a_message_when_read_then_headers_body_bounce_and_parts_are_shown(
    run: Run, mailport: FakeMailport
) -> None:
    message = a_message(
        text_body="Hello\nthere\x1b[2J",
        html_body="<p>Hello</p>",
        parts=[api.MessagePart(part_id="2", content_type="image/png", file_name="a.png", encoded_size_bytes=9)],
        headers=[delivery_pb2.Header(name="X-Order", value="7")],
        bounce=api.BounceReport(
            reporting_server="mx.example.com",
            recipients=[
                api.BouncedRecipient(
                    address="gone@example.com",
                    action=delivery_pb2.BOUNCE_ACTION_FAILED,
                    status="5.1.1",
                    diagnostic="550 no such user",
                )
            ],
        ),
    )
    mailport.answers["GetMessage"] = lambda _: iter([api.GetMessageResponse(message=message)])

    text = run("mailbox", "read", "alerts", "m-1")
    html = run("mailbox", "read", "alerts", "m-1", "--html", "--headers")

    assert mailport.requests[0] == api.GetMessageRequest(configuration_id="alerts", mailbox_message_id="m-1")
    assert "Hello\nthere\\x1b[2J\n" in text.output
    assert "  from      Anna <anna@example.com>\n" in text.output
    assert "✗ gone@example.com  reported failed  5.1.1  550 no such user" in text.output
    assert "  2  image/png  a.png  9 bytes" in text.output
    assert "X-Order: 7" not in text.output
    assert "<p>Hello</p>" in html.output
    assert "X-Order: 7" in html.output


def _with_chunks(name: str) -> Iterator[api.GetMessageResponse]:
    part = api.MessagePart(part_id="2.1", content_type="text/csv", file_name=name)
    yield api.GetMessageResponse(message=a_message(parts=[part]))
    yield api.GetMessageResponse(chunk=api.ContentChunk(part_id="2.1", offset=0, data=b"one,"))
    yield api.GetMessageResponse(chunk=api.ContentChunk(part_id="2.1", offset=4, data=b"two", last=True))
    yield api.GetMessageResponse(chunk=api.ContentChunk(data=b"Subject: raw\r\n", last=True))


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("list.csv", "2.1-list.csv"),
        ("../../etc/passwd", "2.1-_.._etc_passwd"),
        ("", "2.1-text.csv"),
        ("a\x00b\u202e.csv", "2.1-a_b_.csv"),
        ("..", "2.1-text.csv"),
    ],
)
def test_given_attachments_when_saved_then_they_stay_in_the_folder_whatever_their_name(
    run: Run, mailport: FakeMailport, tmp_path: Path, name: str, saved: str
) -> None:
    mailport.answers["GetMessage"] = lambda _: _with_chunks(name)
    folder, raw = tmp_path / "in" / "here", tmp_path / "raw.eml"

    result = run("mailbox", "read", "alerts", "m-1", "--save", str(folder), "--raw", str(raw))

    assert result.exit_code == 0
    assert mailport.requests[0].include_attachments
    assert mailport.requests[0].include_raw
    assert [path.name for path in folder.iterdir()] == [saved]
    assert (folder / saved).read_bytes() == b"one,two"
    assert raw.read_bytes() == b"Subject: raw\r\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "raw.eml"]


def test_given_a_file_that_is_there_when_saving_then_it_is_kept(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    mailport.answers["GetMessage"] = lambda _: _with_chunks("list.csv")
    (tmp_path / "2.1-list.csv").write_bytes(b"mine")

    result = run("mailbox", "read", "alerts", "m-1", "--save", str(tmp_path), "--part", "2.1")

    assert result.exit_code == ExitCode.USAGE
    assert (tmp_path / "2.1-list.csv").read_bytes() == b"mine"
    assert list(mailport.requests[0].part_ids) == ["2.1"]
    assert not mailport.requests[0].include_attachments


def test_given_a_stream_that_breaks_when_saving_then_no_half_file_stays(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    def breaking(_: object) -> Iterator[api.GetMessageResponse]:
        yield from list(_with_chunks("list.csv"))[:2]
        raise RuntimeError("the peer breaks off")

    mailport.answers["GetMessage"] = breaking

    result = run("mailbox", "read", "alerts", "m-1", "--save", str(tmp_path))

    assert result.exit_code != 0
    assert list(tmp_path.iterdir()) == []


def test_given_raw_to_standard_output_when_read_then_nothing_else_is_there(run: Run, mailport: FakeMailport) -> None:
    raw = api.ContentChunk(data=b"Subject: raw\r\n\r\nbody\xff", last=True)
    mailport.answers["GetMessage"] = lambda _: iter(
        [api.GetMessageResponse(message=a_message()), api.GetMessageResponse(chunk=raw)]
    )

    result = run("mailbox", "read", "alerts", "m-1", "--raw", "-")

    assert result.stdout_bytes == b"Subject: raw\r\n\r\nbody\xff"


def test_given_arrivals_when_watched_then_a_line_each_and_signs_of_life_in_json_only(
    run: Run, mailport: FakeMailport
) -> None:
    answers = [
        api.WatchMailboxResponse(cursor="c-1"),
        api.WatchMailboxResponse(cursor="c-2", message=a_message()),
        api.WatchMailboxResponse(cursor="c-2"),
    ]
    mailport.answers["WatchMailbox"] = lambda _: iter(answers)

    text = run("mailbox", "watch", "alerts", "--folder", "Archive", "--cursor", "c-0")
    lines = run("mailbox", "watch", "alerts", "--json")

    assert mailport.requests[0] == api.WatchMailboxRequest(configuration_id="alerts", folder="Archive", cursor="c-0")
    assert text.output.splitlines() == ["2026-03-01 12:00:00Z  anna@example.com  Order 7  new  m-1"]
    assert [json.loads(line)["cursor"] for line in lines.output.splitlines()] == ["c-1", "c-2", "c-2"]


def test_given_a_watch_that_ends_when_it_helps_to_go_on_then_the_cursor_is_named(
    run: Run, mailport: FakeMailport
) -> None:
    info = ErrorInfo(reason="CURSOR_INVALID", domain="mailport")
    mailport.answers["WatchMailbox"] = a_status(grpc.StatusCode.UNAVAILABLE, "The server went away.", info)

    result = run("mailbox", "watch", "alerts", "--cursor", "c-7")

    assert "Go on with --cursor c-7" in result.output
    assert result.exit_code != 0


def test_given_flags_when_changed_then_what_is_set_now_is_shown(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["SetFlags"] = api.SetFlagsResponse(flags=["\\Seen", "Handled"])

    result = run("mailbox", "flag", "alerts", "m-1", "--add", "\\Seen", "--add", "Handled", "--remove", "Old")

    assert mailport.requests == [
        api.SetFlagsRequest(
            configuration_id="alerts",
            mailbox_message_id="m-1",
            add_flags=["\\Seen", "Handled"],
            remove_flags=["Old"],
        )
    ]
    assert result.output == "✓ flags now: \\Seen Handled\n"


@pytest.mark.parametrize(
    ("new_id", "shown"),
    [("m-9", "    m-9"), ("", "  The server does not tell its new name; list the folder to find it.")],
)
def test_given_a_folder_when_moved_then_its_new_name_is_shown_or_said_to_be_unknown(
    run: Run, mailport: FakeMailport, new_id: str, shown: str
) -> None:
    mailport.answers["MoveMessage"] = api.MoveMessageResponse(mailbox_message_id=new_id)

    result = run("mailbox", "move", "alerts", "m-1", "Archive")

    assert mailport.requests == [
        api.MoveMessageRequest(configuration_id="alerts", mailbox_message_id="m-1", folder="Archive")
    ]
    assert result.output.splitlines() == ["✓ moved to Archive", shown]


@pytest.mark.parametrize(
    "arguments", [("folders", "alerts"), ("list", "alerts"), ("read", "alerts", "m-1"), ("watch", "alerts")]
)
def test_given_a_configuration_without_a_mailbox_when_read_then_the_refusal_and_its_exit_code(
    run: Run, mailport: FakeMailport, arguments: tuple[str, ...]
) -> None:
    refusal = a_status(
        grpc.StatusCode.FAILED_PRECONDITION,
        "It has no mailbox.",
        ErrorInfo(reason="MAILBOX_DISABLED", domain="mailport"),
    )
    for method in ("ListFolders", "ListMessages", "GetMessage", "WatchMailbox"):
        mailport.answers[method] = refusal

    result = run("mailbox", *arguments)

    assert result.exit_code == ExitCode.NOT_READY
    assert "MAILBOX_DISABLED" in result.output


def test_given_reports_on_a_delivery_when_it_is_shown_then_what_they_said(run: Run, mailport: FakeMailport) -> None:
    bounce = delivery_pb2.Bounce(
        address="gone@example.com\x1b[2J",
        action=delivery_pb2.BOUNCE_ACTION_FAILED,
        status="5.1.1",
        diagnostic="550 no such user",
        reporting_server="mx.example.com",
        report_time=at(),
    )
    mailport.answers["GetDelivery"] = mail_service_pb2.GetDeliveryResponse(delivery=a_delivery(bounces=[bounce]))

    result = run("deliveries", "get", "d-1")

    assert (
        "  ✗ gone@example.com\\x1b[2J  reported failed  5.1.1  550 no such user  mx.example.com  2026-03-01 12:00:00Z\n"
    ) in result.output
