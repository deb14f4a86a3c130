"""What Graph's answers mean: for the call that sends, and for all the others, which send nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from domain.failures.catalogue.wording import WAIT
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import explain
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.providers.microsoft import OFFLINE_ACCESS
from domain.reasons import Reason
from domain.retry_after import read_retry_after
from domain.settings.model import GraphTransport, MailSettings, OAuthAuthentication
from domain.text import shown

ACCEPTED: Final = 202
_LONGEST_TEXT: Final = 2048
_LONGEST_CODE: Final = 100
_NOT_CARRIED_OUT: Final = frozenset({501, 503, 505, 507, 509})
"""5xx that say themselves that nothing was done; any other may come from a gateway that did not wait for Exchange."""
_DENIED: Final = re.compile(r"(Error)?AccessDenied|Authorization_RequestDenied|ErrorInsufficientPermissions.*", re.I)
_POLICY: Final = re.compile(r"\[raop\]|accesspolicy", re.IGNORECASE)
_ID_FIRST: Final = re.compile(
    rb'\s*\{\s*(?:"@odata\.\w{1,32}"\s*:\s*"(?:[^"\\]|\\.){0,2048}"\s*,\s*)*"id"\s*:\s*"([^"\\]{1,1024})"'
)
"""The id of something that was made, in an answer that is cut off: behind nothing but annotations."""
_TAGS: Final = re.compile(r"<[^>]{0,200}>")


@dataclass(frozen=True, slots=True)
class GraphAnswer:
    """One answer, taken apart; `text` is not scrubbed yet."""

    status: int
    code: str = ""
    """Graph's error code; empty where there is none."""
    text: str = ""
    retry_time: datetime | None = None
    request_id: str = ""
    """Graph's own id of the request, for Microsoft's support."""
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        """Tells whether the request was carried out."""
        return 200 <= self.status <= 299

    @property
    def leaves_doubt(self) -> bool:
        """
        Tells whether the call that sends may have sent with this answer.

        202 is the only acceptance; another 2xx is none, and nothing says what became of the message. 4xx, 503 and its
        like are definite, also as answers of Graph's gateways; any other 5xx came after the body had left
        (learn.microsoft.com/answers/questions/2286986).
        """
        if self.status == ACCEPTED or 300 <= self.status <= 499:
            return False
        return self.status not in _NOT_CARRIED_OUT

    def says(self, *codes: str) -> bool:
        """Tells whether the error code is one of *codes*, letter case aside."""
        return self.code.casefold() in {code.casefold() for code in codes}


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> GraphAnswer:
    """
    Takes an answer apart; never raises, whatever came.

    *headers* do not mind letter case. A body that is not Graph's (a gateway's page) gives its words as the text. Of one
    that is cut off, the id is read where it stands first, as Graph writes it.
    """
    fields = _object(body)
    error = fields.get("error")
    code, text = "", ""
    if isinstance(error, Mapping):
        code, text = _word(error.get("code")), _word(error.get("message"))
    elif isinstance(error, str):
        code, text = error, _word(fields.get("error_description"))
    elif status >= 300 and not fields:
        text = " ".join(_TAGS.sub(" ", body[: 4 * _LONGEST_TEXT].decode("utf-8", "replace")).split())
    challenge = headers.get("www-authenticate", "")
    if "insufficient_claims" in challenge and not text.casefold().count("challenge"):
        text = f"{text} insufficient_claims: a claims challenge came along".strip()
    return GraphAnswer(
        status=status,
        code="insufficient_claims" if "insufficient_claims" in challenge else code[:_LONGEST_CODE],
        text=text[:_LONGEST_TEXT],
        retry_time=read_retry_after(headers, now=now),
        request_id=headers.get("request-id", "")[:64],
        body=fields,
    )


def failure_of(answer: GraphAnswer, *, text: str, host: str, met_time: datetime, sends: bool) -> Failure:
    """
    Returns what *answer* means; *text* are its words, scrubbed.

    *sends*: it answered the call that sends, so that what `GraphAnswer.leaves_doubt` is IN_DOUBT. Any other request
    has sent nothing, and is never in doubt.
    """
    failure = explain(
        Evidence(
            surface=Surface.GRAPH,
            stage=Stage.API,
            code=answer.status,
            error=answer.code,
            text=text,
            host=host,
            provider="microsoft",
            met_time=met_time,
            retry_time=answer.retry_time,
        )
    )
    if sends and answer.leaves_doubt:
        return failure if failure.kind is FailureKind.IN_DOUBT else _unknown(failure, answer)
    if failure.kind is FailureKind.IN_DOUBT:
        return replace(
            failure,
            reason=Reason.SERVER_BUSY,
            kind=FailureKind.TRANSIENT,
            cause="Microsoft Graph's gateway had no answer from Exchange to a request that sends nothing yet.",
            remedy=WAIT,
        )
    heals = (FailureKind.THROTTLED, FailureKind.TRANSIENT)
    if answer.status in (429, 503, 504) and failure.kind not in heals:
        # Whatever code stands beside it: Graph asks for patience, and neither message nor consent is the worse for it.
        return replace(failure, kind=FailureKind.THROTTLED if answer.status == 429 else FailureKind.TRANSIENT)
    return failure


def silence_of(symptom: Symptom, detail: str, *, stage: Stage, host: str, met_time: datetime, sends: bool) -> Failure:
    """Returns what it means that no answer came; *sends*: to the call that sends, of which something may have left."""
    return explain(
        Evidence(
            surface=Surface.GRAPH,
            stage=stage,
            symptom=symptom,
            detail=detail,
            host=host,
            provider="microsoft",
            past_no_return=sends,
            met_time=met_time,
        )
    )


def is_missing_permission(answer: GraphAnswer) -> bool:
    """Tells whether the token lacks a permission, as far as Graph tells it from a missing right in Exchange."""
    return answer.status == 403 and bool(_DENIED.fullmatch(answer.code)) and not _POLICY.search(answer.text)


def missing_permission(
    permission: str, why: str, settings: MailSettings, graph: GraphTransport, *, answer: GraphAnswer, text: str
) -> Failure:
    """
    Returns the failure that names the Graph *permission* which is missing; *why* it is needed ends a sentence.

    *text* are the answer's words, scrubbed. Nothing was sent.
    """
    shared = graph.mailbox is not None and _needs_person(settings)
    name = f"{permission}.Shared" if shared else permission
    rights = f", and give the user Full Access to the mailbox {graph.mailbox}" if shared else ""
    return Failure(
        reason=Reason.MISSING_SCOPE,
        kind=FailureKind.MISCONFIGURED,
        stage=Stage.API,
        cause=f"The access token has no permission {name}, which is needed {why}. Nothing was sent.",
        remedy=f"Add {name} to the app's permissions and to the scopes in the settings{rights}, then call Authorize "
        "again."
        if _needs_person(settings)
        else f"Add {name} to the app's application permissions and have an administrator consent.",
        provider_code=" ".join(part for part in (str(answer.status), answer.code) if part),
        provider_reply=text,
        fixes=_with_scope(name, settings, graph),
    )


def too_large(why: str, graph: GraphTransport) -> Failure:
    """Returns the failure for a message that Graph takes by no route; *why* ends a sentence. Nothing was asked."""
    return Failure(
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        stage=Stage.API,
        cause=f"Microsoft Graph at {shown(urlsplit(graph.base_url).hostname or '')} takes no such message: {why}.",
        remedy="Make the attachments smaller, or send a link instead.",
    )


def _unknown(failure: Failure, answer: GraphAnswer) -> Failure:
    said = "200 instead of 202" if answer.status == 200 else str(answer.status)
    return replace(
        failure,
        reason=Reason.OUTCOME_UNKNOWN,
        kind=FailureKind.IN_DOUBT,
        cause=f"Microsoft Graph answered {said} to the call that sends, after the message had left: nobody can know "
        "whether it was taken.",
        remedy="Look in Sent Items before sending it again by hand. A queued message is settled under its "
        "in_doubt_policy; a test mail is not sent again by itself.",
        fixes=(),
    )


def _with_scope(name: str, settings: MailSettings, graph: GraphTransport) -> tuple[Fix, ...]:
    oauth = settings.authentication
    if not isinstance(oauth, OAuthAuthentication) or not oauth.grant_type.needs_person:
        return ()
    scope = f"{graph.base_url}/{name}"
    written = [each for each in oauth.scopes if each.lower() != OFFLINE_ACCESS]
    return (Fix("settings.oauth.scopes", " ".join([*written, scope, OFFLINE_ACCESS])),)


def _needs_person(settings: MailSettings) -> bool:
    oauth = settings.authentication
    return not isinstance(oauth, OAuthAuthentication) or oauth.grant_type.needs_person


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        first = _ID_FIRST.match(body)
        return {"id": first[1].decode("ascii", "replace")} if first else {}
    return found if isinstance(found, dict) else {}


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
