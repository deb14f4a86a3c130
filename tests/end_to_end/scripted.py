"""A mailport between a token endpoint and a mail server that say what the test tells them to."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.system.clock import SystemClock
from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.identity.scopes import MICROSOFT_SMTP_SCOPE, STRICT_MAIL_SCOPE
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import authorize, complete, configure, returned
from tests.integration.oauth.token_endpoint import TokenEndpoint, answer
from tests.peers.ca import TestCA
from tests.peers.faulty_smtp import FaultySmtp

if TYPE_CHECKING:
    from mailport.v1.mail_service_pb2_grpc import MailServiceAsyncStub

ROBOT = "robot@example.com"
CUSTOM = configuration_pb2.OAUTH_PROVIDER_CUSTOM
MICROSOFT = configuration_pb2.OAUTH_PROVIDER_MICROSOFT
_SCOPES = {CUSTOM: [STRICT_MAIL_SCOPE], MICROSOFT: ["offline_access", MICROSOFT_SMTP_SCOPE]}
_INLINE = re.compile(r"AUTH XOAUTH2 (\S+)")
_BEARER = re.compile(r"auth=Bearer ([^\x01]*)\x01\x01")


def tokens(number: int = 1, **changes: object) -> bytes:
    """Returns the answer that brings ``AT<number>`` and ``RT<number>`` for an hour; a *change* to ... leaves out."""
    fields: dict[str, object] = {
        "access_token": f"AT{number}",
        "refresh_token": f"RT{number}",
        "expires_in": 3599,
        "token_type": "Bearer",
        **changes,
    }
    return answer({name: value for name, value in fields.items() if value is not ...})


def refusal(error: str, *, status: int = 400, **more: object) -> bytes:
    """Returns an answer that brings no tokens (RFC 6749 section 5.2)."""
    return answer({"error": error, **more}, status=status)


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Lets mailport's clock go forward; the database's own stays."""
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + by)


def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets mailport's clock stand still from now on; the database's goes on."""
    now = datetime.now(UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _: now)


@dataclass
class Scripted:
    """Mailport and its peers, and words for what most tests do first."""

    stub: MailServiceAsyncStub
    endpoint: TokenEndpoint
    server: FaultySmtp
    ca: TestCA
    mailport: Mailport | None = None
    """Unless it is a process of its own."""
    provider: configuration_pb2.OauthProvider.ValueType = CUSTOM
    scopes: list[str] = field(default_factory=list)

    def settings(self, account: str = ROBOT) -> configuration_pb2.Settings:
        return configuration_pb2.Settings(
            from_address=account,
            smtp=configuration_pb2.SmtpTransport(host="localhost", port=self.server.port, ca_certificates=self.ca.pem),
            oauth=configuration_pb2.OAuthAuthentication(
                provider=self.provider,
                client_id="mailport",
                client_secret="CS-SECRET",
                authorization_endpoint=f"http://localhost:{self.endpoint.port}/authorize",
                token_endpoint=self.endpoint.url,
                scopes=self.scopes or _SCOPES[self.provider],
                username=account,
            ),
        )

    async def consent(self, *answers: bytes, name: str = "alerts", account: str = ROBOT) -> api.CompleteAuthResponse:
        """
        Makes a configuration active by consent alone; *answers* are what the endpoint says to this and from now on.

        The mail server takes AT1 at first, since signing in is how mailport learns whose a token without id_token is.
        """
        self.endpoint.answers[:] = answers
        self.server.tokens.setdefault(account, "AT1")
        await configure(self.stub, self.settings(account), name)
        session = await authorize(self.stub, name, save=True)
        return await complete(self.stub, returned(session, code="C0DE"))

    async def consent_again(self, *answers: bytes, name: str = "alerts") -> api.CompleteAuthResponse:
        """Renews the consent of the active revision."""
        self.endpoint.answers[:] = answers
        session = await authorize(self.stub, name)
        return await complete(self.stub, returned(session, code="C0DE-2"))

    @property
    def refreshed_with(self) -> Sequence[str]:
        """The refresh tokens that were posted."""
        forms = [asked.form for asked in self.endpoint.asked]
        return [form["refresh_token"] for form in forms if form["grant_type"] == "refresh_token"]

    @property
    def shown_tokens(self) -> Sequence[str]:
        """The access tokens that were shown to the mail server within the command line."""
        found = (_INLINE.fullmatch(command) for command in self.server.commands)
        texts = [base64.b64decode(match[1]).decode() for match in found if match]
        return [bearer[1] for text in texts if (bearer := _BEARER.search(text))]
