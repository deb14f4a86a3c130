"""STARTTLS, LOGIN and AUTHENTICATE (RFC 3501 section 6.2, RFC 4959, 7628)."""

from __future__ import annotations

import base64

from service.sandbox.bearer_sign_in import MalformedCredentials, read_oauthbearer, read_xoauth2
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.imap.answers import Malformed, Refused
from service.sandbox.imap.session import Session
from service.sandbox.imap.syntax import Cursor

_WRONG = "[AUTHENTICATIONFAILED] Invalid credentials"


async def starttls(session: Session, cursor: Cursor) -> str:
    """STARTTLS: the handshake follows the answer."""
    cursor.end()
    if session.connection.is_encrypted:
        raise Malformed("TLS is already active")
    await session.connection.require_silence()

    async def shake_hands() -> None:
        await session.connection.start_tls(session.site.tls)

    session.afterwards = shake_hands
    return "OK Begin TLS now"


async def login(session: Session, cursor: Cursor) -> str:
    """LOGIN."""
    cursor.space()
    username = cursor.astring()
    cursor.space()
    password = cursor.astring()
    cursor.end()
    _require_tls(session)
    return _sign_in_with_password(session, username, password)


async def authenticate(session: Session, cursor: Cursor) -> str:
    """AUTHENTICATE PLAIN, XOAUTH2 or OAUTHBEARER, with the first response in the command or asked for."""
    cursor.space()
    mechanism = cursor.word()
    given: bytes | None = None
    if not cursor.at_end():
        cursor.space()
        given = cursor.rest()
    _require_tls(session)
    if mechanism not in {"PLAIN", "XOAUTH2", "OAUTHBEARER"} or f"AUTH={mechanism}" in session.site.without:
        raise Refused("[CANNOT] Unsupported authentication mechanism")
    response = await _asked(session, b"") if given is None else _decoded(given)
    if mechanism == "PLAIN":
        return _plain(session, response)
    return await _bearer(session, mechanism, response)


def _plain(session: Session, response: bytes) -> str:
    """RFC 4616: authorization identity, which must be empty or the same, user name, password."""
    pieces = response.split(b"\0")
    if len(pieces) != 3:
        raise Malformed("A PLAIN response has two NULs")
    authorized, username, password = pieces
    if authorized not in {b"", username}:
        raise Refused("[AUTHORIZATIONFAILED] Nobody may act for another")
    return _sign_in_with_password(session, username, password)


async def _bearer(session: Session, mechanism: str, response: bytes) -> str:
    try:
        credentials = (read_xoauth2 if mechanism == "XOAUTH2" else read_oauthbearer)(response)
    except MalformedCredentials as error:
        raise Malformed(str(error)) from None
    username = credentials.username
    refused = session.site.mail_tokens.check_imap(username=username, token=credentials.token)
    if refused is None:
        return _signed_in(session, username, token=credentials.token)
    if mechanism == "OAUTHBEARER":
        await _asked(session, refused.oauthbearer_challenge)
    elif refused.behaviour is Behaviour.MICROSOFT:
        raise Refused("AUTHENTICATE failed.")  # Exchange sends no challenge (catalogue of failures, P087)
    else:
        await _asked(session, refused.challenge)
    raise Refused(_WRONG)


async def _asked(session: Session, challenge: bytes) -> bytes:
    """Sends a challenge and returns the client's response."""
    session.tell(b"+ " + base64.b64encode(challenge))
    await session.connection.drain()
    return _decoded(await session.connection.read_line())


def _decoded(data: bytes) -> bytes:
    if data == b"*":
        raise Malformed("Authentication was broken off")
    if data == b"=":  # an empty response within the command (RFC 4959 section 3)
        return b""
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise Malformed("The response is no Base64") from None


def _sign_in_with_password(session: Session, username: bytes, password: bytes) -> str:
    name = username.decode("utf-8", "replace")
    if not session.site.accounts.accepts(name, password):
        raise Refused(_WRONG)
    return _signed_in(session, name, token=None)


def _signed_in(session: Session, username: str, *, token: str | None) -> str:
    session.mailbox = session.site.mailboxes.of(username)
    session.username, session.token = username, token
    return f"OK [CAPABILITY {session.capabilities}] Signed in"


def _require_tls(session: Session) -> None:
    if not session.connection.is_encrypted:
        raise Refused("[PRIVACYREQUIRED] Sign-in needs TLS: send STARTTLS first")
