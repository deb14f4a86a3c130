"""An authorization server that does as the test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import count

from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import explain
from domain.failures.failure import Stage
from domain.ports.authorization import Revocation
from domain.secret import Secret
from domain.service_account import NotAKey, read_service_account_key
from domain.settings.model import GrantType, OAuthAuthentication
from domain.token import TokenAnswer, TokenRefusal


class Question(StrEnum):
    EXCHANGE = "exchange"
    REFRESH = "refresh"
    ACQUIRE = "acquire"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it was made; secrets in the clear, since tests compare them."""

    question: Question
    client: OAuthAuthentication
    secret: str
    """The code, or the token; for ACQUIRE the client secret or key."""
    verifier: str = ""
    redirect_url: str = ""
    scopes: tuple[str, ...] = ()


def a_refusal(
    error: str = "invalid_grant", *, description: str = "", status: int = 400, without_person: bool = False
) -> TokenRefusal:
    """Returns the refusal that the adapter makes of this answer; *without_person*: to `acquire`."""
    failure = explain(_evidence(code=status, error=error, text=description, without_person=without_person))
    return TokenRefusal(failure=failure, error=error)


def a_silence(symptom: Symptom = Symptom.SILENT, *, was_sent: bool = True) -> TokenRefusal:
    """Returns the refusal that the adapter makes of no answer."""
    return TokenRefusal(failure=explain(_evidence(symptom=symptom)), is_answer=not was_sent)


class FakeAuthorizationServer:
    """
    `domain.ports.authorization.AuthorizationServer`: a grant for each code, once; refreshes it until it is revoked.

    `answers` are used up one a token request, before anything else. *refusing* refuses every token request with that
    error. With *rotates* a refresh token is good once, and using it again ends the grant with all its tokens. What came
    is in `asked`; `while_asked` is awaited during each request, e.g. to block there. *account*, *nonce*, *lifetime*,
    *scopes* and *gives_refresh_token* are what is granted and may be changed between requests.
    """

    def __init__(
        self,
        *answers: TokenAnswer | TokenRefusal,
        refusing: str = "",
        rotates: bool = False,
        account: str = "robot@example.com",
        nonce: str = "",
        lifetime: timedelta | None = timedelta(hours=1),
        scopes: tuple[str, ...] | None = None,
        gives_refresh_token: bool = True,
    ) -> None:
        self.answers = deque(answers)
        self.refusing = refusing
        self.rotates = rotates
        self.account = account
        self.nonce = nonce
        self.lifetime = lifetime
        self.scopes = scopes
        self.gives_refresh_token = gives_refresh_token
        self.asked: list[Asked] = []
        self.reused: list[str] = []
        """Refresh tokens that were shown again after their rotation."""
        self.while_asked: Callable[[], Awaitable[None]] | None = None
        self.revocation: Revocation | None = None
        """What `revoke` answers; None: as it goes."""
        self._used_codes: set[str] = set()
        self._live: dict[str, int] = {}
        self._spent: dict[str, int] = {}
        self._numbers = count(1)

    def adopt(self, refresh_token: str) -> None:
        """Makes *refresh_token* one of a grant that was given before the test began."""
        self._live[refresh_token] = next(self._numbers)

    def questions(self, question: Question) -> list[Asked]:
        """Returns the requests of one kind."""
        return [asked for asked in self.asked if asked.question is question]

    async def exchange(
        self, client: OAuthAuthentication, *, code: Secret, verifier: Secret, redirect_url: str, scopes: tuple[str, ...]
    ) -> TokenAnswer | TokenRefusal:
        given = code.reveal()
        await self._ask(Asked(Question.EXCHANGE, client, given, verifier.reveal(), redirect_url, scopes))
        if told := self._told():
            return told
        if given in self._used_codes:
            return a_refusal()
        self._used_codes.add(given)
        number = next(self._numbers)
        refresh_token = f"RT{number}"
        self._live[refresh_token] = number
        return self._grant(refresh_token if self.gives_refresh_token else None)

    async def refresh(
        self, client: OAuthAuthentication, *, refresh_token: Secret, scopes: tuple[str, ...]
    ) -> TokenAnswer | TokenRefusal:
        given = refresh_token.reveal()
        client.client_secret.reveal()  # raises SecretUnreadable before anything is sent, as the adapter does
        await self._ask(Asked(Question.REFRESH, client, given, scopes=scopes))
        if told := self._told():
            return told
        if given in self._spent:
            self.reused.append(given)
            self._end(self._spent[given])
        if given not in self._live:
            return a_refusal()
        if not self.rotates:
            return self._grant(None)
        family = self._live.pop(given)
        self._spent[given] = family
        successor = f"RT{next(self._numbers)}"
        self._live[successor] = family
        return self._grant(successor)

    async def acquire(self, client: OAuthAuthentication, *, scopes: tuple[str, ...]) -> TokenAnswer | TokenRefusal:
        if client.grant_type is GrantType.JWT_BEARER:
            try:
                read_service_account_key(client.client_secret.reveal())
            except NotAKey:
                return TokenRefusal(failure=explain(_evidence(symptom=Symptom.KEY_UNUSABLE, without_person=True)))
        await self._ask(Asked(Question.ACQUIRE, client, client.client_secret.reveal(), scopes=scopes))
        if told := self._told(without_person=True):
            return told
        return replace(self._grant(None), account="", nonce="")

    async def revoke(self, client: OAuthAuthentication, *, token: Secret) -> Revocation:
        if not client.revocation_endpoint:
            return Revocation.NOT_SUPPORTED
        given = token.reveal()
        await self._ask(Asked(Question.REVOKE, client, given))
        if self.revocation is not None:
            return self.revocation
        if given in self._live:
            self._end(self._live[given])
        return Revocation.REVOKED

    async def _ask(self, asked: Asked) -> None:
        self.asked.append(asked)
        if self.while_asked is not None:
            await self.while_asked()

    def _told(self, *, without_person: bool = False) -> TokenAnswer | TokenRefusal | None:
        if self.answers:
            return self.answers.popleft()
        return a_refusal(self.refusing, without_person=without_person) if self.refusing else None

    def _end(self, family: int) -> None:
        self._live = {token: number for token, number in self._live.items() if number != family}

    def _grant(self, refresh_token: str | None) -> TokenAnswer:
        return TokenAnswer(
            access_token=Secret(f"AT{next(self._numbers)}"),
            expires_in=self.lifetime,
            refresh_token=Secret(refresh_token) if refresh_token else None,
            scopes=self.scopes,
            account=self.account,
            nonce=self.nonce,
        )


def _evidence(
    *,
    code: int = 0,
    error: str = "",
    text: str = "",
    symptom: Symptom | None = None,
    without_person: bool = False,
) -> Evidence:
    return Evidence(
        surface=Surface.OAUTH_TOKEN,
        stage=Stage.TOKEN,
        symptom=symptom,
        code=code,
        error=error,
        without_person=without_person,
        text=text,
        host="id.example.com",
        port=443,
    )
