from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.replies import (
    MAXIMUM_REPLY_LINES,
    MAXIMUM_REPLY_OCTETS,
    MalformedReply,
    Reply,
    ReplyReader,
    ReplyTooLarge,
    UnreadableReply,
)

CODES = st.integers(min_value=200, max_value=599)
TEXTS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40)
REPLIES = st.builds(Reply, CODES, st.lists(TEXTS, min_size=1, max_size=5).map(tuple))


def written(reply: Reply) -> bytes:
    lines = [f"{reply.code}-{text}\r\n" for text in reply.lines[:-1]] + [f"{reply.code} {reply.lines[-1]}\r\n"]
    return "".join(lines).encode()


def everything(reader: ReplyReader) -> list[Reply]:
    replies = []
    while (reply := reader.take()) is not None:
        replies.append(reply)
    return replies


def read(data: bytes) -> list[Reply]:
    reader = ReplyReader()
    reader.feed(data)
    return everything(reader)


@given(st.lists(REPLIES, max_size=5))
def test_given_any_replies_when_read_then_they_are_what_was_written(replies: list[Reply]) -> None:
    assert read(b"".join(map(written, replies))) == replies


@given(st.binary(max_size=300) | st.lists(REPLIES, max_size=4).map(lambda all_: b"".join(map(written, all_))))
def test_given_any_octets_when_read_one_by_one_then_it_is_the_same_as_in_one_piece(data: bytes) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[Reply], type[Exception] | None]:
        reader, replies = ReplyReader(), []
        try:
            for piece in pieces:
                reader.feed(piece)
                replies.extend(everything(reader))
        except UnreadableReply as error:
            return replies, type(error)
        return replies, None

    whole, wrong = outcome([data])
    single, also_wrong = outcome([data[i : i + 1] for i in range(len(data))])

    assert wrong is also_wrong
    assert single[: len(whole)] == whole


@given(st.binary(max_size=300))
def test_given_any_octets_when_read_then_nothing_but_an_unreadable_reply_is_raised(data: bytes) -> None:
    reader = ReplyReader()
    reader.feed(b"220-" + data)

    try:
        replies = everything(reader)
    except UnreadableReply:
        return

    assert all(200 <= reply.code <= 599 and reply.lines for reply in replies)


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"220-mx ESMTP\r\n220-No spam\r\n220\r\n", Reply(220, ("mx ESMTP", "No spam", ""))),
        (b"250-mx\r\n250-234 odd text\r\n250\r\n", Reply(250, ("mx", "234 odd text", ""))),
        (b"250\n", Reply(250, ("",))),
        (b"250 \r\n", Reply(250, ("",))),
        (b"250OK\r\n", Reply(250, ("K",))),
        (b"550 gr\xfc\xdfe\r\n", Reply(550, ("gr\u00fc\u00dfe",))),
    ],
)
def test_given_an_odd_reply_when_read_then_the_code_alone_decides(data: bytes, reply: Reply) -> None:
    """F19."""
    assert read(data) == [reply]


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"\r\n",
        b"25\r\n",
        b"2500 no\r\n",
        b"199 no\r\n",
        b"600 no\r\n",
        b"+25 no\r\n",
        b"2_5 no\r\n",
        b"250-a\r\n550 b\r\n",
        b"\x15\x03\x01",
        b" 250 ok\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
def test_given_no_reply_when_read_then_it_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedReply):
        read(data)


@pytest.mark.parametrize("data", [b"\x15\x03\x01\x00\x02", b"\x16\x03\x01", b"\x15"])
def test_given_a_tls_record_when_read_then_it_is_known_as_one_at_its_first_octet(data: bytes) -> None:
    with pytest.raises(MalformedReply) as raised:
        read(data)

    assert raised.value.is_tls


@pytest.mark.parametrize(
    "data",
    [
        b"220 " + b"x" * MAXIMUM_REPLY_OCTETS,
        b"220 " + b"x" * MAXIMUM_REPLY_OCTETS + b"\r\n",
        (b"220-" + b"x" * 1000 + b"\r\n") * 40,
        b"220-\r\n" * (MAXIMUM_REPLY_LINES + 1),
    ],
)
def test_given_a_reply_beyond_the_bounds_when_read_then_it_is_too_large(data: bytes) -> None:
    with pytest.raises(ReplyTooLarge):
        read(data)


def test_given_bytes_behind_a_reply_when_taken_then_they_are_noticed() -> None:
    reader = ReplyReader()
    reader.feed(b"220 go\r\nAUTH PL")

    reply = reader.take()

    assert reply == Reply(220, ("go",))
    assert reader.has_more
