"""What holds of every message that is read, whatever it was read from."""

from __future__ import annotations

import re

from domain.reading import ChunkedDecoder, Defect, MessageHeader, ReadMessage, candidate_ids, read_header, read_message

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PART_ID = re.compile(r"[1-9]\d*(?:\.[1-9]\d*)*")


def shown_in(message: ReadMessage) -> str:
    """Everything that a person sees of it."""
    header = message.header
    people = (*header.sender, *header.to, *header.cc, *header.reply_to)
    bounced = message.bounce.recipients if message.bounce else ()
    return "\n".join(
        [
            *(f"{person.name} <{person.address}>" for person in people),
            *(header.subject, header.message_id, *header.in_reply_to, *header.references),
            *(message.text_body, message.html_body),
            *(part.file_name for part in message.parts),
            *(recipient.address for recipient in bounced),
        ]
    )


def check_header(header: MessageHeader) -> None:
    for people in (header.sender, header.to, header.cc, header.reply_to):
        assert len(people) <= 100
        assert all(len(person.address) <= 320 and len(person.name) <= 256 for person in people)
        _check_line(*(text for person in people for text in (person.address, person.name)))
    assert len(header.subject) <= 998
    ids = (header.message_id, *header.in_reply_to, *header.references)
    _check_line(header.subject, *ids)
    assert all(len(written) <= 998 and written[0] + written[-1] == "<>" for written in ids if written)
    assert max(len(header.in_reply_to), len(header.references)) <= 100
    assert header.write_time is None or header.write_time.utcoffset() is not None
    _check_defects(header.defects)


def check_message(octets: bytes, message: ReadMessage) -> None:
    check_header(message.header)
    _check_defects(message.defects)
    assert set(message.header.defects) <= set(message.defects)
    for body in (message.text_body, message.html_body):
        assert "\0" not in body
        assert "\r" not in body
        assert len(body.encode()) <= 2**20
    assert len(message.headers) <= 200
    assert sum(len(field.name.encode()) + len(field.value.encode()) for field in message.headers) <= 64 * 1024
    _check_line(*(text for field in message.headers for text in (field.name, field.value)))
    _check_parts(octets, message)
    if message.bounce:
        assert len(message.bounce.recipients) <= 100
        _check_line(message.bounce.reported_message_id, message.bounce.reporting_server)
        for recipient in message.bounce.recipients:
            _check_line(recipient.address, recipient.status, recipient.diagnostic)
            assert len(recipient.diagnostic) <= 1024
            assert len(recipient.address) <= 320
    candidates = candidate_ids(message.header, message.bounce)
    assert len(candidates) <= 20
    assert len(set(candidates)) == len(candidates)


def _check_parts(octets: bytes, message: ReadMessage) -> None:
    assert len(message.parts) <= 500
    ids = [part.part_id for part in message.parts]
    assert len(set(ids)) == len(ids)
    for part in message.parts:
        assert _PART_ID.fullmatch(part.part_id)
        assert part.part_id.count(".") <= 41
        assert 0 <= part.start <= part.end <= len(octets)
        _check_line(part.content_type, part.file_name, part.content_id, part.charset, part.transfer_encoding)
        assert len(part.file_name) <= 255
        assert not {"/", "\\"} & set(part.file_name)
    for part in message.parts[:5]:
        decoder = ChunkedDecoder(part.transfer_encoding)
        chunks = [*decoder.feed(octets[part.start : part.end]), *decoder.finish()]
        assert [chunk.is_last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def check_any(octets: bytes) -> ReadMessage:
    """Reads *octets* in every way and returns the message: no error, within bounds, the same each time."""
    message = read_message(octets)
    check_message(octets, message)
    assert read_message(octets) == message
    check_header(read_header(octets))
    beginning = octets[: len(octets) // 2]
    cut = read_message(beginning, is_complete=False)
    check_message(beginning, cut)
    assert Defect.TRUNCATED in cut.defects
    return message


def _check_line(*texts: str) -> None:
    for text in texts:
        text.encode()  # no half of a surrogate pair
        assert not _CONTROL.search(text), text


def _check_defects(defects: tuple[Defect, ...]) -> None:
    assert list(defects) == [defect for defect in Defect if defect in defects]
