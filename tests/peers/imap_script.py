"""
The words for IMAP in scripts for `LineServer`; those of `tests.peers.script` go with them.

What the client asks for is matched without its tag, and answered with it::

    [
        send("* PREAUTH welcome, alice"),                          # instead of greeting(): no sign-in asked for
        greeting(),
        starttls(context, injected=b"* CAPABILITY IMAP4rev1\\r\\n"),  # one segment with the OK, before the handshake
        capability("IMAP4rev1", "IDLE"),
        login(),
        command("SELECT INBOX", *selected(exists=3, uid_validity=7, uid_next=12)),
        idle(), send("* 4 EXISTS"), done(),
        command("UID FETCH .*", fetched(4, uid=12, raw=b"Subject: hi\\r\\n\\r\\nhi")),
        send("* BYE idle for too long"), close(),
    ]

A client whose order of commands is its own affair is served by a table instead: the last step is then
`answering({pattern: answer(...), ...})`, which goes on until the client leaves. An answer may end the connection, fall
silent or send what no server should.

Literals of the client (``{n}``, ``{n+}``) are taken and stand in the command as ``{n}\\r\\n`` and their octets.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from tests.peers.conversation import Conversation, ScriptFailed
from tests.peers.script import Item, Step, expect, send, tls

Words: TypeAlias = str | bytes
"""A line without its CRLF; bytes are sent as they are, so end them with CRLF."""

ReactsTo: TypeAlias = Callable[[str], Sequence[Words]]
"""Makes the untagged lines of an answer from the command, e.g. the literal data a FETCH asks for."""

_CRLF: Final = b"\r\n"
_LITERAL: Final = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
_FLAGS: Final = r"\Answered \Flagged \Deleted \Seen \Draft"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a server says to one command: untagged lines, then the tag and *reply*.

    Without a reply the command stays unanswered. `then` happens afterwards: a step like `close`, `cut`, `abort`,
    `hang` or `flood`.
    """

    untagged: Sequence[Words] | ReactsTo = ()
    reply: str | None = "OK done"
    then: Step | None = None


def answer(*untagged: Words, reply: str | None = "OK done", then: Step | None = None) -> Answer:
    """Returns an answer with those lines."""
    return Answer(untagged=untagged, reply=reply, then=then)


# Whole scripts for clients whose order of commands is not what the test is about.


def answering(
    answers: Mapping[str, Answer | Sequence[Answer]],
    *,
    otherwise: Answer | None = None,
    drop_after: timedelta | None = None,
) -> Step:
    """
    Answers each command by the first pattern that matches it as a whole, case aside, until the client goes away.

    A list of answers is used up on each connection, and its last one goes on for ever. NOOP, CAPABILITY and LOGOUT are
    answered by themselves unless a pattern takes them; another command without a pattern leaves the script, or gets
    *otherwise*. *drop_after* cuts the connection that long after this step began.
    """
    table = [(re.compile(pattern, re.IGNORECASE | re.DOTALL), given) for pattern, given in answers.items()]

    async def serve(conversation: Conversation) -> bool:
        used: dict[int, int] = {}
        while True:
            said = await _next_or_gone(conversation)
            if said is None:
                return False
            found = next((row for row, (wanted, _) in enumerate(table) if wanted.fullmatch(said)), None)
            if found is None:
                usual = _usual(said) or otherwise
                if usual is None:
                    raise ScriptFailed(f"no answer to {said!r}")
                chosen = usual
            else:
                given = table[found][1]
                chosen = given if isinstance(given, Answer) else given[min(used.get(found, 0), len(given) - 1)]
                used[found] = used.get(found, 0) + 1
            if not await _give(conversation, said, chosen):
                return False

    async def run(conversation: Conversation) -> bool:
        if drop_after is None:
            return await serve(conversation)
        try:
            async with asyncio.timeout(drop_after.total_seconds()):
                return await serve(conversation)
        except TimeoutError:
            conversation.cut()
            return False

    return Step("answer by table", run)


def idling(*, pushes: Sequence[Words] = (), until: asyncio.Event | None = None, bye: str | None = None) -> Answer:
    """
    Answers IDLE: ``+ idling``, then *pushes* (once *until* is set), and OK to the client's DONE.

    With *bye* the server says that instead of ``+ idling`` and closes.
    """
    if bye is not None:
        return Answer(untagged=(f"* BYE {bye}",), reply=None, then=_closing())

    async def run(conversation: Conversation) -> bool:
        if until is not None:
            await until.wait()
        for words in pushes:
            conversation.write(_line(words))
        try:
            line = await conversation.read_through(b"\n")
        except ScriptFailed:  # the client went away while it idled, as clients do
            return False
        if line.strip().upper() != b"DONE":
            raise ScriptFailed(f"the client said {line!r} instead of DONE")
        conversation.write(_line(f"{conversation.tag} OK idle ended"))
        return True

    return Answer(untagged=("+ idling",), reply=None, then=Step("idle", run))


# Single steps.


def greeting(*capabilities: str, text: str = "ready") -> Step:
    """Says ``* OK``, with capabilities if there are any."""
    code = f"[CAPABILITY {' '.join(capabilities)}] " if capabilities else ""
    return send(f"* OK {code}{text}")


def command(pattern: str, *untagged: Words, reply: str | None = "OK done") -> Step:
    """Takes a command that matches *pattern* as a whole, case aside, and answers it; without *reply* not yet."""
    wanted = re.compile(pattern, re.IGNORECASE | re.DOTALL)

    async def run(conversation: Conversation) -> bool:
        said = await _next(conversation)
        if wanted.fullmatch(said) is None:
            raise ScriptFailed(f"the client said {said!r}")
        return await _give(conversation, said, answer(*untagged, reply=reply))

    return Step(f"command {pattern!r}", run)


def tagged(reply: str) -> Step:
    """Answers the latest command."""

    async def run(conversation: Conversation) -> bool:
        conversation.write(_line(f"{conversation.tag} {reply}"))
        return True

    return Step(f"tagged {reply!r}", run)


def continuation(text: str = "go on") -> Step:
    """Asks the client to go on."""
    return send(f"+ {text}")


def endless_literal(chunk: bytes = b"x" * 65_536, *, announced: int = 2**40) -> Step:
    """Begins a FETCH answer whose literal is *announced* octets long, and sends *chunk* until the client leaves."""
    return _flooding(f"* 1 FETCH (UID 1 BODY[] {{{announced}}}\r\n".encode(), chunk)


def endless_line(chunk: bytes = b"x" * 65_536) -> Step:
    """Begins an untagged line and never ends it."""
    return _flooding(b"* OK ", chunk)


def endless_lines(line: Words = "* OK still here") -> Step:
    """Sends whole untagged lines until the client leaves."""
    return _flooding(b"", _line(line) * 1000)


# Groups.


def capability(*capabilities: str) -> Item:
    """Takes CAPABILITY."""
    return command("CAPABILITY", f"* CAPABILITY {' '.join(capabilities)}")


def starttls(context: ssl.SSLContext, *, injected: bytes = b"", may_fail: bool = False) -> Item:
    """Takes STARTTLS and shakes hands; *injected* goes in clear, in one segment with the OK."""

    async def run(conversation: Conversation) -> bool:
        said = await _next(conversation)
        if said.upper() != "STARTTLS":
            raise ScriptFailed(f"the client said {said!r}")
        conversation.write(_line(f"{conversation.tag} OK begin TLS") + injected)
        return True

    return (Step("command 'STARTTLS'", run), tls(context, may_fail=may_fail))


def login(*, reply: str = "OK signed in") -> Item:
    """Takes LOGIN with any user and password."""
    return command("LOGIN .+", reply=reply)


def authenticate(
    mechanism: str = "XOAUTH2", *, challenge: str = "", with_initial_response: bool = True, reply: str = "OK signed in"
) -> Item:
    """Takes AUTHENTICATE; with *challenge* (Base64) the client's answer to it is awaited before *reply*."""
    steps: list[Item] = [command(rf"AUTHENTICATE {mechanism}{' .+' if with_initial_response else ''}", reply=None)]
    if not with_initial_response:
        steps += [continuation(""), expect(".*")]
    if challenge:
        steps += [continuation(challenge), expect(".*")]
    return [*steps, tagged(reply)]


def idle(text: str = "idling") -> Item:
    """Takes IDLE and says that it idles."""
    return (command("IDLE", reply=None), continuation(text))


def done(reply: str = "OK idle ended") -> Item:
    """Takes DONE and answers IDLE."""
    return (expect("DONE"), tagged(reply))


def farewell() -> Item:
    """Takes LOGOUT."""
    return command("LOGOUT", "* BYE see you", reply="OK bye")


# Lines and data.


def selected(
    *, exists: int, uid_validity: int = 1, uid_next: int | None = None, flags: str = _FLAGS, extra: Sequence[str] = ()
) -> list[Words]:
    """Returns the untagged lines of SELECT and EXAMINE (RFC 3501 section 6.3.1)."""
    return [
        f"* FLAGS ({flags})",
        f"* OK [PERMANENTFLAGS ({flags} \\*)] limited",
        f"* {exists} EXISTS",
        "* 0 RECENT",
        f"* OK [UIDVALIDITY {uid_validity}] valid",
        f"* OK [UIDNEXT {exists + 1 if uid_next is None else uid_next}] next",
        *extra,
    ]


def listed(name: Words, *, attributes: str = "", delimiter: str = "/") -> bytes:
    """Returns a LIST line whose name is a literal, so that any octets do."""
    raw = name.encode() if isinstance(name, str) else name
    return f'* LIST ({attributes}) "{delimiter}" {{{len(raw)}}}\r\n'.encode() + raw + _CRLF


def fetched(
    number: int, *, uid: int, raw: bytes | None = None, flags: str = "", item: str = "BODY[]", more: str = ""
) -> bytes:
    """Returns a FETCH line with *raw* as the literal of *item*; *more* goes before it, e.g. ``RFC822.SIZE 5``."""
    head = f"* {number} FETCH (UID {uid} FLAGS ({flags}){' ' if more else ''}{more}"
    if raw is None:
        return f"{head})\r\n".encode()
    return f"{head} {item} {{{len(raw)}}}\r\n".encode() + raw + b")\r\n"


def nested(depth: int, *, number: int = 1, uid: int = 1) -> bytes:
    """Returns a FETCH line whose BODYSTRUCTURE is *depth* lists deep."""
    return f"* {number} FETCH (UID {uid} BODYSTRUCTURE ".encode() + b"(" * depth + b")" * depth + b")\r\n"


async def _next(conversation: Conversation) -> str:
    """Reads a whole command, with its literals, and keeps its tag."""
    said = last = await conversation.read_through(b"\n")
    if not said.endswith(_CRLF):
        raise ScriptFailed(f"the line does not end with CRLF: {said!r}")
    while found := _LITERAL.search(last):
        if not found[2]:
            conversation.write(b"+ go on\r\n")
        said += await conversation.read_exactly(int(found[1]))
        said += (last := await conversation.read_through(b"\n"))
    tag, _, rest = said.removesuffix(_CRLF).decode("latin-1").partition(" ")
    conversation.tag = tag
    return rest


async def _next_or_gone(conversation: Conversation) -> str | None:
    try:
        return await _next(conversation)
    except ScriptFailed:
        if conversation.is_gone:
            return None
        raise


def _usual(said: str) -> Answer | None:
    match said.upper():
        case "NOOP":
            return answer()
        case "CAPABILITY":
            return answer("* CAPABILITY IMAP4rev1")
        case "LOGOUT":
            return answer("* BYE see you", reply="OK bye", then=_closing())
    return None


async def _give(conversation: Conversation, said: str, given: Answer) -> bool:
    tag = conversation.tag
    lines = given.untagged(said) if callable(given.untagged) else given.untagged
    data = b"".join(_line(words) for words in lines)
    if given.reply is not None:
        data += _line(f"{tag} {given.reply}")
    if data:
        conversation.write(data)
    return given.then is None or await given.then.run(conversation)


def _line(words: Words) -> bytes:
    return words if isinstance(words, bytes) else words.encode("utf-8", "surrogateescape") + _CRLF


def _flooding(head: bytes, chunk: bytes) -> Step:
    async def run(conversation: Conversation) -> bool:
        await conversation.write_when_taken(head)
        while not conversation.is_gone:
            await conversation.write_when_taken(chunk)
            await asyncio.sleep(0)
        return False

    return Step(f"flood with {chunk[:60]!r}", run)


def _closing() -> Step:
    async def run(conversation: Conversation) -> bool:
        conversation.close()
        return False

    return Step("close", run)
