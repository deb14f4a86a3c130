"""What the sandbox's mail server answers: who may sign in, which recipients it takes, where messages go."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, TLSSetupException

from service.sandbox.accounts import Accounts
from service.sandbox.bearer_sign_in import (
    BearerCredentials,
    MalformedCredentials,
    read_oauthbearer,
    read_xoauth2,
)
from service.sandbox.identity.mail_tokens import MailTokens
from service.sandbox.inbox import Inbox
from service.sandbox.reading import clean
from service.sandbox.recipients import Behaviour, RecipientRules
from service.sandbox.smtp_session import SandboxSmtp

_MAX_RECIPIENTS: Final = 1_000
_NULL_SENDER: Final = "<>"

_logger = logging.getLogger(__name__)


class SandboxHandler:
    """The hooks that aiosmtpd calls; one handler serves all sessions."""

    def __init__(
        self, *, inbox: Inbox, accounts: Accounts, mail_tokens: MailTokens, slow_answer_delay: timedelta
    ) -> None:
        self._inbox = inbox
        self._accounts = accounts
        self._mail_tokens = mail_tokens
        self._slow_answer_delay = slow_answer_delay
        self._rules = RecipientRules()

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: LoginPassword
    ) -> AuthResult:
        """Checks what PLAIN or LOGIN brought; a wrong user and a wrong password get the same 535."""
        username = credentials.login.decode("utf-8", "replace")
        if self._accounts.accepts(username, credentials.password):
            return AuthResult(success=True, auth_data=username)
        return AuthResult(success=False, handled=False, message="535 5.7.8 Username and password not accepted")

    async def auth_XOAUTH2(  # noqa: N802 - aiosmtpd's name
        self, server: SandboxSmtp, args: list[str]
    ) -> AuthResult:
        """Checks a token of the sandbox's identity provider (Google, "The SASL XOAUTH2 mechanism")."""
        credentials = await self._bearer(server, args, read_xoauth2)
        if credentials is None:
            return AuthResult(success=False, handled=True)
        refused = self._mail_tokens.check(username=credentials.username, token=credentials.token)
        if refused is None:
            return AuthResult(success=True, auth_data=credentials.username)
        return await self._refuse_token(server, refused.challenge, refused.reply)

    async def auth_OAUTHBEARER(  # noqa: N802 - aiosmtpd's name
        self, server: SandboxSmtp, args: list[str]
    ) -> AuthResult:
        """Checks a token of the sandbox's identity provider (RFC 7628)."""
        credentials = await self._bearer(server, args, read_oauthbearer)
        if credentials is None:
            return AuthResult(success=False, handled=True)
        refused = self._mail_tokens.check(username=credentials.username, token=credentials.token)
        if refused is None:
            return AuthResult(success=True, auth_data=credentials.username)
        return await self._refuse_token(server, refused.oauthbearer_challenge, refused.reply)

    @staticmethod
    async def _bearer(
        server: SandboxSmtp, args: list[str], read: Callable[[bytes], BearerCredentials]
    ) -> BearerCredentials | None:
        """Returns what the client brought, at once or after an empty challenge; None when that was answered already."""
        if len(args) == 1:
            response = await server.challenge_auth("")
            if not isinstance(response, bytes):  # broken off, or no Base64
                return None
        else:
            try:
                response = base64.b64decode(args[1].encode(), validate=True)
            except ValueError:
                await server.push("501 5.5.2 Can't decode base64")
                return None
        try:
            return read(response)
        except MalformedCredentials as error:
            await server.push(f"501 5.5.2 {error}")
            return None

    @staticmethod
    async def _refuse_token(server: SandboxSmtp, challenge: bytes, reply: str) -> AuthResult:
        """Sends the error challenge, waits for the client's empty answer, then refuses (F23)."""
        answered = await server.challenge_auth(challenge)
        if not isinstance(answered, bytes):
            return AuthResult(success=False, handled=True)
        return AuthResult(success=False, handled=False, message=reply)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes any sender, the null one too."""
        if not envelope.smtp_utf8 and not address.isascii():
            return "553 5.6.7 A sender that is not ASCII needs the SMTPUTF8 parameter"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes any recipient but the magic ones."""
        if address == _NULL_SENDER:
            return "553 5.1.3 A recipient must not be empty"
        if not envelope.smtp_utf8 and not address.isascii():
            return "553 5.6.7 A recipient that is not ASCII needs the SMTPUTF8 parameter"
        if len(envelope.rcpt_tos) >= _MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        magic = self._rules.find(address)
        if magic is not None and magic.behaviour is Behaviour.ANSWER_LATE:
            await asyncio.sleep(self._slow_answer_delay.total_seconds())
        elif (
            magic is not None
            and magic.behaviour is Behaviour.REFUSE_RECIPIENT
            and self._rules.takes_effect(magic, sender=envelope.mail_from or "", recipient=address)
        ):
            return magic.reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SandboxSmtp, session: Session, envelope: Envelope
    ) -> str:
        """Puts the message into the inbox, unless a magic recipient has it refused."""
        sender = envelope.mail_from or ""
        cuts = False
        for recipient in envelope.rcpt_tos:
            magic = self._rules.find(recipient)
            if magic is not None and magic.behaviour is Behaviour.REFUSE_MESSAGE:
                return magic.reply
            if magic is not None and magic.behaviour is Behaviour.CUT_CONNECTION:
                cuts = self._rules.takes_effect(magic, sender=sender, recipient=recipient) or cuts
        message = await self._inbox.add(
            receive_time=datetime.now(UTC),
            sender="" if sender == _NULL_SENDER else clean(sender),
            recipients=tuple(clean(recipient) for recipient in envelope.rcpt_tos),
            raw=envelope.original_content or b"",
            tls_version=server.tls_version,
            username=clean(str(session.auth_data)),
            is_smtputf8=envelope.smtp_utf8,
        )
        if cuts:
            server.drop()
        return f"250 2.0.0 Ok: queued as {message.id}"

    async def handle_exception(self, error: Exception) -> str:
        """Answers what the simulator itself got wrong; says no more to the client than that."""
        if not isinstance(error, TLSSetupException):  # a client that does not trust our CA is no fault of ours
            _logger.error("sandbox_smtp_failed", exc_info=error)
        return "451 4.3.0 The sandbox failed; its log says why"
