"""Commands as they leave: nothing in an argument ends one or begins another (P23)."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.imap.conversation import Conversation, Literal, quoted
from adapters.imap.wire import Bounds, Wire

WORD = st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))


@contextmanager
def a_server(*, literal_plus: bool = True) -> Iterator[tuple[Conversation, list[bytes]]]:
    """A server that keeps all that it hears, one read at a time, and agrees to everything."""
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []

    def serve() -> None:
        feature = b"LITERAL+" if literal_plus else b"NAMESPACE"
        theirs.sendall(b"* OK [CAPABILITY IMAP4rev1 " + feature + b"] ready\r\n")
        command = b""
        while piece := theirs.recv(65536):
            heard.append(piece)
            command += piece
            if re.search(rb"\{\d+\}\r\n\Z", command):
                theirs.sendall(b"+ go on\r\n")
            elif command.endswith(b"\r\n"):
                theirs.sendall(command.split(b" ", 1)[0] + b" OK\r\n")
                command = b""

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Conversation(Wire(ours, bounds=Bounds()), seconds=5), heard
    finally:
        ours.close()
        thread.join(5)
        theirs.close()


@given(st.lists(WORD, max_size=3))
def test_given_any_arguments_when_a_command_is_given_then_it_is_one_line_or_none_at_all(words: list[bytes]) -> None:
    with a_server() as (conversation, heard):
        try:
            conversation.execute("SELECT", *map(quoted, words))
        except ValueError:
            assert any(octet in b"\r\n\0" for word in words for octet in word)
            assert heard == []
            return

    said = b"".join(heard)
    assert said.count(b"\n") == 1
    assert said.endswith(b"\r\n")


@pytest.mark.parametrize("literal_plus", [True, False])
def test_given_literals_when_a_command_is_given_then_their_length_goes_before_them(literal_plus: bool) -> None:
    text = "Grüße\r\nM9 DELETE INBOX".encode()
    with a_server(literal_plus=literal_plus) as (conversation, heard):
        conversation.execute("SEARCH", b"SUBJECT", Literal(text), b"UNSEEN", uid=True)

    plus = b"+" if literal_plus else b""
    assert b"".join(heard) == b"M0 UID SEARCH SUBJECT {%d%s}\r\n%s UNSEEN\r\n" % (len(text), plus, text)
    assert len(heard) == (1 if literal_plus else 2)


def test_given_a_bare_line_break_or_nul_when_a_command_is_given_then_nothing_leaves() -> None:
    with a_server() as (conversation, heard):
        for argument in (b"1\r\nM9 LOGOUT", b"a\0", Literal(b"a\0b")):
            with pytest.raises(ValueError, match="holds"):
                conversation.execute("FETCH", argument)

    assert heard == []


def test_given_a_sign_in_when_it_is_over_then_the_password_is_nowhere_in_the_conversation() -> None:
    with a_server() as (conversation, _):
        conversation.log_in(b"alice", b"s3cr3t-canary")

        assert "s3cr3t-canary" not in repr(vars(conversation))
