"""Commands and answers over a `Wire`: imaplib's reading of them, with nothing of its sockets, quoting and logs."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterable
from typing import Any, Final

from adapters.imap.wire import EarlyPlaintext, TooMuch, Wire

__all__ = ["Conversation", "EarlyPlaintext", "Literal", "Preauthenticated", "Refused", "TooMuch", "quoted"]

_CODE: Final = re.compile(rb"\[([A-Za-z0-9.\-]+)(?: ([^\]]*))?\] ?")
_BREAKS: Final = re.compile(rb"[\r\n\0]")
Untagged = list[Any]
"""Untagged answers of one kind, as imaplib keeps them: octets, or pairs of octets and the literal behind them."""


class Refused(Exception):
    """The server said NO, BAD or BYE."""

    def __init__(self, status: str, words: bytes) -> None:
        super().__init__(status)
        self.status = status
        found = _CODE.match(words)
        self.code = found[1].decode("ascii").upper() if found else ""
        """Its response code (RFC 5530); empty when it gave none."""
        self.text = (words[found.end() :] if found else words).decode("utf-8", "replace")


class Preauthenticated(Exception):
    """The server greeted with PREAUTH: as whom nobody knows, and STARTTLS is no longer possible (RFC 9051 7.1.4)."""


class Literal(bytes):
    """An argument that may hold anything but NUL: it goes as a literal, whose length comes first."""


def quoted(octets: bytes) -> bytes:
    """Returns *octets* as an argument that is read back as exactly these; raises ValueError for a line break or NUL."""
    if _BREAKS.search(octets):
        raise ValueError("a line break cannot be quoted")
    if len(octets) > _LONGEST_QUOTED:
        return Literal(octets)
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


_LONGEST_QUOTED: Final = 1000
"""Some servers bound a command's line at 8,192 octets (RFC 7162 section 4), which several arguments share."""


class Conversation(imaplib.IMAP4):
    """
    A session with a server, used by one thread at a time; each command waits for its answer, *seconds* at most.

    Raises Refused for a no; TooMuch beyond the wire's bounds; TimeoutError and other OSErrors; imaplib's errors for
    what is no IMAP. After all but a NO or BAD the connection is of no more use.
    """

    def __init__(self, wire: Wire, *, seconds: float) -> None:
        """
        Hears the greeting. Raises Preauthenticated for one that says that somebody is signed in already.

        `exists` and `expunged` count the messages of the open folder, as far as the server has told; `has_news` is set
        when it tells of more, and `uid_validity` whenever it tells that.
        """
        self.wire = wire
        self._seconds = seconds
        self._features: frozenset[str] | None = None
        super().__init__()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Does nothing: the wire is connected already."""

    def read(self, size: int) -> bytes:
        """Reads from the wire."""
        return self.wire.read(size)

    def readline(self) -> bytes:
        """Reads from the wire."""
        return self.wire.readline()

    def send(self, data: Any) -> None:
        """Sends over the wire."""
        self.wire.send(bytes(data))

    def shutdown(self) -> None:
        """Ends the connection."""
        self.wire.cut()
        self.wire.close()

    def execute(self, name: str, *arguments: bytes, uid: bool = False) -> Untagged:
        """
        Gives a command and returns its untagged answers of the same name; all others are in `untagged_responses`.

        An argument goes as it is and must not hold a line break, unless it is a `Literal`.
        """
        for argument in arguments:
            if 0 in argument or (not isinstance(argument, Literal) and _BREAKS.search(argument)):
                raise ValueError("an argument holds a line break or NUL")
        if any(isinstance(argument, Literal) for argument in arguments):
            self.learn_features()  # which decide how literals go, and cannot be asked for in the middle of a command
        self.untagged_responses.clear()
        self.wire.begin(seconds=self._seconds)
        tag = self._new_tag()
        line = tag + (b" UID " if uid else b" ") + name.encode()
        for argument in arguments:
            if not isinstance(argument, Literal):
                line += b" " + argument
                continue
            line = self._announce(tag, line, argument)
            if not line:
                break
        if line:
            self.send(line + b"\r\n")
        self._command_complete(name, tag)
        return self.answers(name)

    def answers(self, name: str) -> Untagged:
        """Returns the untagged answers of a kind since the last command began."""
        found: list[Any] = self.untagged_responses.get(name, [])
        return [answer for answer in found if answer]

    def authenticate_by(self, mechanism: str, responses: Iterable[bytes]) -> None:
        """
        Signs in by SASL with *responses* (base64) to the server's challenges, in their order.

        Without an initial response, which not all servers take. The words that carry secrets are in no log.
        """
        self.untagged_responses.clear()
        self.wire.begin(seconds=self._seconds)
        tag = self._new_tag()
        self.send(tag + b" AUTHENTICATE " + mechanism.encode() + b"\r\n")
        waiting = list(responses)
        while self._is_asked(tag):
            asked: Any = self.continuation_response
            self.challenges.append(bytes(asked))
            self.send((waiting.pop(0) if waiting else b"*") + b"\r\n")
        self._command_complete("AUTHENTICATE", tag)
        self._features = None

    def log_in(self, username: bytes, password: bytes) -> None:
        """Signs in by the LOGIN command; raises ValueError for a line break."""
        self.execute("LOGIN", *(_astring(word) for word in (username, password)))
        self._features = None

    @property
    def features(self) -> frozenset[str]:
        """What the server can do, in upper case; asked for anew after STARTTLS and after the sign-in."""
        return self._features if self._features is not None else self.learn_features()

    def learn_features(self) -> frozenset[str]:
        """Returns `features`, from what the server has told, else by asking."""
        if self._features is None:
            told = self.answers("CAPABILITY") or self.execute("CAPABILITY")
            words = b" ".join(word for word in told if isinstance(word, bytes))
            self._features = frozenset(words.decode("ascii", "replace").upper().split())
        return self._features

    def starttls_with(self, context: ssl.SSLContext, server_name: str) -> None:
        """Asks for TLS and begins it; what was told in clear is forgotten (RFC 9051 section 6.2.1)."""
        self.execute("STARTTLS")
        self.wire.refuse_early()
        self.wire.secure(context, server_name)
        self.untagged_responses.clear()
        self._features = None

    def begin_idle(self) -> None:
        """Begins IDLE; raises Refused when the server does not take it."""
        self.untagged_responses.clear()
        self.wire.begin(seconds=self._seconds)
        self._idle_tag = self._new_tag()
        self.send(self._idle_tag + b" IDLE\r\n")
        if not self._is_asked(self._idle_tag):
            self._command_complete("IDLE", self._idle_tag)
            raise imaplib.IMAP4.abort("IDLE ended before it began")

    def hear_idle(self) -> None:
        """Reads what the server has said in IDLE, nothing when TLS alone had something to say."""
        self.untagged_responses.clear()
        self.wire.begin(seconds=self._seconds)
        while self.wire.has_come():
            self._get_response()
            self._check_bye()
        if self.tagged_commands.get(self._idle_tag) is not None:
            self._command_complete("IDLE", self._idle_tag)  # raises what it was refused with
            raise imaplib.IMAP4.abort("IDLE was ended by the server")
        self._check_bye()

    def end_idle(self) -> None:
        """Ends IDLE, which proves that the server is there; keeps what it said meanwhile."""
        self.wire.begin(seconds=self._seconds)
        self.send(b"DONE\r\n")
        self._command_complete("IDLE", self._idle_tag)

    def _connect(self) -> None:
        reading: Any = self  # the stubs take imaplib's octets for text
        reading.tagpre = b"M"
        reading.tagre = re.compile(rb"(?P<tag>M\d+) (?P<type>[A-Z]+) ?(?P<data>.*)", re.ASCII)
        self.challenges: list[bytes] = []
        self.exists = 0
        self.expunged = 0
        self.uid_validity: bytes = b""
        self.has_news = False
        self._idle_tag = b""
        self.wire.begin(seconds=self._seconds)
        self.welcome = self._get_response()
        if "PREAUTH" in self.untagged_responses:
            raise Preauthenticated
        self._check_bye()
        if "OK" not in self.untagged_responses:
            raise imaplib.IMAP4.abort("no greeting")

    def _append_untagged(self, typ: str, dat: Any) -> None:
        """Keeps count of the open folder: what is told in passing is told once."""
        super()._append_untagged(typ, dat)  # type: ignore[misc]  # the stubs leave it out
        if typ == "EXISTS" and isinstance(dat, bytes) and dat.isdigit():
            self.exists = int(dat)
            self.has_news = True
        elif typ == "EXPUNGE":
            self.exists = max(0, self.exists - 1)
            self.expunged += 1
        elif typ == "UIDVALIDITY" and isinstance(dat, bytes):
            self.uid_validity = dat

    def _announce(self, tag: bytes, line: bytes, literal: Literal) -> bytes:
        """Sends *line* up to the length of *literal*; returns how the command goes on, empty when it was refused."""
        size = len(literal)
        if "LITERAL+" in self.features or (size <= _SMALL_LITERAL and "LITERAL-" in self.features):
            return line + b" {%d+}\r\n" % size + literal
        self.send(line + b" {%d}\r\n" % size)
        return bytes(literal) if self._is_asked(tag) else b""

    def _is_asked(self, tag: bytes) -> bool:
        """Tells whether the server asks for more; False when it has answered the command instead."""
        while self._get_response() is not None:
            if self.tagged_commands[tag] is not None:
                return False
            self._check_bye()
        return True

    def _check_bye(self) -> None:
        bye: list[Any] | None = self.untagged_responses.get("BYE")
        if bye:
            raise Refused("BYE", _words(bye[-1]))

    def _command_complete(self, name: str, tag: bytes) -> Any:
        commands: Any = self.tagged_commands
        while commands[tag] is None:
            self._check_bye()
            self._get_response()
        status, words = commands.pop(tag)
        if status != "OK":
            raise Refused(status, _words(words[-1]))
        return status, words

    def _log(self, line: str) -> None:
        """Keeps nothing: imaplib would hold the last commands, a password among them, for its debug output."""


def _astring(word: bytes) -> bytes:
    return quoted(word) if word.isascii() else Literal(word)


def _words(answer: Any) -> bytes:
    return answer if isinstance(answer, bytes) else b""


_SMALL_LITERAL: Final = 4096
"""RFC 7888 section 5: LITERAL- takes these without asking."""
