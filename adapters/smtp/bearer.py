"""The access token of one attempt: fetched before anything is dialled, renewed once when the server refuses it."""

from __future__ import annotations

from datetime import timedelta

from adapters.smtp.dialogue import Timer, Witness
from adapters.smtp.sasl import token_responses
from adapters.smtp.tracing import Stopped, TraceLog
from domain.errors import MailportError, Unavailable
from domain.failures.evidence import Symptom
from domain.failures.failure import Stage
from domain.no_token import failure_without_token
from domain.ports.transport import TokenSource
from domain.reasons import Reason
from domain.secret import Secret


class Bearer:
    """Who signs in with a token, and with which; each step is in the trace, and the token in no text."""

    def __init__(
        self,
        *,
        username: str,
        without_person: bool,
        tokens: TokenSource,
        witness: Witness,
        trace: TraceLog,
        timer: Timer,
    ) -> None:
        """Signs *username* in; *without_person*: with tokens that nobody consented to."""
        self.username = username
        self.without_person = without_person
        self._tokens = tokens
        self._witness = witness
        self._trace = trace
        self._timer = timer
        self._token: Secret | None = None
        self._is_renewed = False

    @property
    def token(self) -> Secret:
        """The token to show; there is one once `fetch` has returned."""
        if self._token is None:
            raise RuntimeError("no token was fetched")
        return self._token

    @property
    def is_renewed(self) -> bool:
        """Tells whether the one renewal was made."""
        return self._is_renewed

    async def fetch(self) -> None:
        """Gets the token; raises Stopped with why there is none."""
        await self._get(rejected=None, detail="an access token is there")

    async def renew(self) -> bool:
        """Gets another token for one that was refused; False when that was done before, or gave the same one again."""
        if self._is_renewed:
            return False
        self._is_renewed = True
        rejected = self.token
        await self._get(rejected=rejected, detail="renewed, since the server refused the access token")
        return self._token != rejected

    async def _get(self, *, rejected: Secret | None, detail: str) -> None:
        with self._trace.step(Stage.TOKEN) as step:
            try:
                async with self._timer.limit(timedelta(seconds=self._timer.seconds_left)):
                    token = await self._tokens.token(rejected=rejected)
            except MailportError as error:
                raise self._stopped(error) from error
            except TimeoutError:
                late = Unavailable("No access token came within the attempt's time.", reason=Reason.AUTH_UNAVAILABLE)
                raise self._stopped(late) from None
            if not token:
                raise Stopped(self._witness.saw(Stage.TOKEN, Symptom.NO_CONSENT))
            self._witness.never_repeat(token, *self._responses(token))
            self._token = token
            step.detail = detail

    def _stopped(self, error: MailportError) -> Stopped:
        failure = failure_without_token(error, now=self._witness.now())
        return Stopped(self._witness.without_token(failure), failure=failure)

    def _responses(self, token: Secret) -> tuple[bytes, ...]:
        host, port = self._witness.server
        return token_responses(username=self.username, token=token, host=host, port=port)
