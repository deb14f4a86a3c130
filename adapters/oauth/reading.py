"""What came back for one request, in the domain's words; nothing of it is repeated that was secret (F41)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx2

from adapters.oauth.answers import NotAnAnswer, read_fields, read_tokens
from adapters.oauth.requests import FormRequest
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import LONGEST_REPLY, cut, explain
from domain.failures.failure import HEALS_BY_WAITING, Stage
from domain.failures.oauth_error import read_oauth_error
from domain.failures.scrub import Scrubber, forms_of
from domain.retry_after import read_retry_after
from domain.token import TokenAnswer, TokenRefusal


@dataclass(frozen=True, slots=True, repr=False)
class Heard:
    """An HTTP answer, read to its end; may hold tokens, so without repr."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):
    """No complete answer came, and *symptom* says why; *was_sent*: the request may have been carried out."""

    def __init__(self, symptom: Symptom, detail: str, *, was_sent: bool) -> None:
        super().__init__(symptom)
        self.symptom = symptom
        self.detail = detail
        self.was_sent = was_sent


class Reading:
    """Reads what comes back for one request."""

    def __init__(self, request: FormRequest, *, met_time: datetime, without_person: bool = False) -> None:
        self._url = httpx2.URL(request.endpoint)
        self._without_person = without_person
        self._scrubber = Scrubber(form for secret in request.secrets for form in forms_of(secret))
        self._met_time = met_time

    def silence(self, silence: NoAnswer) -> TokenRefusal:
        """Returns what it means that no answer came."""
        evidence = self._evidence(symptom=silence.symptom, detail=silence.detail)
        return TokenRefusal(failure=explain(evidence), is_answer=not silence.was_sent)

    def answer(self, heard: Heard, *, client_id: str) -> TokenAnswer | TokenRefusal:
        """Returns what was granted, or why nothing was."""
        try:
            fields = read_fields(heard.body)
        except NotAnAnswer as trouble:
            return self._unreadable(heard, str(trouble))
        # Zoho and others refuse with 200, so that the body tells and not the status.
        if 200 <= heard.status <= 299 and not fields.get("error"):
            try:
                return read_tokens(fields, client_id=client_id)
            except NotAnAnswer as trouble:
                return self._unreadable(heard, str(trouble))
        return self._refusal(heard, fields)

    def _refusal(self, heard: Heard, fields: Mapping[str, object]) -> TokenRefusal:
        self._scrubber.learn(form for token in _tokens_in(fields) for form in forms_of(token))
        # Scrubbed before it is taken apart and cut: half a secret would not be found any more.
        told = read_oauth_error(self._clean(fields))
        error = told.error
        evidence = self._evidence(
            code=heard.status,
            error=error,
            subcode=told.subcode,
            text=cut(told.description, LONGEST_REPLY),
            detail=error,
            retry_time=read_retry_after(heard.headers, now=self._met_time),
        )
        failure = explain(evidence)
        if failure.kind in HEALS_BY_WAITING:
            # Whatever the word is, this says nothing about the grant (F29); a gateway may still have passed it on.
            return TokenRefusal(failure=failure, is_answer=bool(error))
        return TokenRefusal(failure=failure, error=error)

    def _clean(self, fields: Mapping[str, object]) -> Mapping[str, object]:
        texts = {name: self._scrubber.clean(value) for name, value in fields.items() if isinstance(value, str)}
        inner = fields.get("error")
        return {**fields, **texts, **({"error": self._clean(inner)} if isinstance(inner, dict) else {})}

    def _unreadable(self, heard: Heard, why: str) -> TokenRefusal:
        """Returns the refusal for a body that is none; nothing of it is repeated, since tokens may be in it (F41)."""
        is_well = 200 <= heard.status <= 299
        evidence = self._evidence(
            symptom=Symptom.GARBAGE if is_well else None,
            code=heard.status,
            detail=f"HTTP {heard.status}, {why}",
            retry_time=read_retry_after(heard.headers, now=self._met_time),
        )
        return TokenRefusal(failure=explain(evidence), is_answer=300 <= heard.status <= 499)

    def _evidence(
        self,
        *,
        symptom: Symptom | None = None,
        code: int = 0,
        error: str = "",
        subcode: str = "",
        text: str = "",
        detail: str = "",
        retry_time: datetime | None = None,
    ) -> Evidence:
        return Evidence(
            surface=Surface.OAUTH_TOKEN,
            stage=Stage.TOKEN,
            symptom=symptom,
            code=code,
            error=error,
            subcode=subcode,
            without_person=self._without_person,
            text=text,
            detail=self._scrubber.clean(detail),
            host=self._url.host,
            port=self._url.port or (443 if self._url.scheme == "https" else 80),
            met_time=self._met_time,
            retry_time=retry_time,
        )


def key_refusal(*, met_time: datetime) -> TokenRefusal:
    """Returns what it means that the client's key cannot sign, so that nothing was asked."""
    evidence = Evidence(
        surface=Surface.OAUTH_TOKEN,
        stage=Stage.TOKEN,
        symptom=Symptom.KEY_UNUSABLE,
        without_person=True,
        met_time=met_time,
    )
    return TokenRefusal(failure=explain(evidence))


def _tokens_in(fields: Mapping[str, object]) -> list[str]:
    names = ("access_token", "refresh_token", "id_token")
    return [value for name in names if isinstance(value := fields.get(name), str) and value]


def error_in(body: bytes) -> str:
    """Returns the OAuth error that *body* names; empty when it names none."""
    try:
        return read_oauth_error(read_fields(body)).error
    except NotAnAnswer:
        return ""
