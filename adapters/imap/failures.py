"""The table that turns what an IMAP server says and does into the domain's words; pure, tested without a network."""

from __future__ import annotations

import errno
import imaplib
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from imapclient.exceptions import ProtocolError

from adapters.imap.conversation import Refused
from adapters.imap.wire import EarlyPlaintext, TooMuch
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import cut, explain
from domain.failures.failure import Failure, Stage
from domain.failures.trace import last_words
from domain.providers import preset_for_host
from domain.settings.model import MailboxSettings

_LONGEST_TEXT: Final = 2048

WHAT_SERVERS_CAUSE: Final = (Refused, TooMuch, OSError, imaplib.IMAP4.error, ProtocolError, ValueError, RecursionError)
"""
All that an answer can raise, hostile ones included: what is not as it should be is a ValueError in any reading of it.

Exceptions of ssl, EarlyPlaintext aside, are OSErrors.
"""


class Stopped(Exception):
    """Going on is pointless, and *evidence* says why; *failure* where somebody else has explained it already."""

    def __init__(self, evidence: Evidence, *, failure: Failure | None = None) -> None:
        super().__init__(evidence.symptom or evidence.subcode)
        self.evidence = evidence
        self.failure = failure or explain(evidence)

    @property
    def reply(self) -> str:
        """The server's last words, as a step of the trace shows them."""
        return last_words(self.failure)

    @property
    def detail(self) -> str:
        """What was seen, as a step of the trace shows it."""
        if self.evidence.symptom is None:
            return self.evidence.detail
        name = self.evidence.symptom.replace("_", " ")
        return f"{name}: {self.evidence.detail}" if self.evidence.detail else name

    @property
    def is_end(self) -> bool:
        """Tells whether the connection is of no more use: all but a NO or BAD."""
        return self.evidence.symptom is not None or self.evidence.subcode == "BYE"


class Outcome(Exception):
    """What came of a piece of work, without any fault of the connection."""


class Gone(Outcome):
    """The message is no longer in the folder."""


class ReadOnly(Outcome):
    """The folder can be read and not changed."""


class CannotMove(Outcome):
    """The server has neither MOVE nor UIDPLUS: only an EXPUNGE of all deleted messages would take the original away."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Makes evidence of what is met at one server; *clean* scrubs its words."""

    settings: MailboxSettings
    clean: Callable[[str], str]
    now: Callable[[], datetime]
    with_token: bool
    without_person: bool

    def saw(self, symptom: Symptom, detail: str = "", *, surface: Surface = Surface.IMAP) -> Stopped:
        """Returns what ends it, seen and not said."""
        return Stopped(self._evidence(surface, symptom=symptom, detail=detail))

    def heard(self, refused: Refused, *, detail: str = "", signing_in: bool = False) -> Stopped:
        """Returns what ends it, in the server's own words."""
        return Stopped(
            self._evidence(
                Surface.IMAP,
                error=refused.code,
                subcode=refused.status,
                text=cut(self.clean(refused.text), _LONGEST_TEXT),
                detail=detail,
                signing_in=signing_in,
            )
        )

    def without_token(self, failure: Failure) -> Stopped:
        """Returns what ends it where there is no token to sign in with."""
        return Stopped(Evidence(surface=Surface.OAUTH_TOKEN, stage=Stage.TOKEN, detail=failure.cause), failure=failure)

    def met(self, error: BaseException) -> Stopped:
        """Returns what ends it; *error* is one of `WHAT_SERVERS_CAUSE` or EarlyPlaintext."""
        match error:
            case Refused():
                return self.heard(error)
            case TooMuch():
                return self.saw(Symptom.REPLY_TOO_LARGE, str(error))
            case EarlyPlaintext():
                return self.saw(Symptom.EARLY_PLAINTEXT, surface=Surface.TLS)
            case TimeoutError():
                return self.saw(Symptom.SILENT)
            case ssl.SSLError():
                return self.saw(Symptom.LOST, (error.reason or "").replace("_", " ").lower())
            case OSError():
                return self.saw(Symptom.LOST, in_words(error))
            case imaplib.IMAP4.abort() if "EOF" in str(error) or "unterminated line" in str(error):
                return self.saw(Symptom.LOST)
            case _:
                # Not its text, which may hold anything of a message.
                return self.saw(Symptom.GARBAGE, type(error).__name__.lower() if not str(error) else "")

    def _evidence(
        self,
        surface: Surface,
        *,
        symptom: Symptom | None = None,
        error: str = "",
        subcode: str = "",
        text: str = "",
        detail: str = "",
        signing_in: bool = False,
    ) -> Evidence:
        host = self.settings.host
        preset = preset_for_host(host)
        return Evidence(
            surface=surface,
            stage=Stage.MAILBOX,
            symptom=symptom,
            error=error,
            subcode=subcode,
            text=text,
            detail=self.clean(detail),
            with_token=self.with_token and signing_in,
            without_person=self.without_person and signing_in,
            host=host.name,
            port=self.settings.port,
            provider=preset.provider_id if preset else "",
            security=self.settings.security.value,
            met_time=self.now(),
        )


def in_words(error: OSError) -> str:
    """Says what *error* is, for people."""
    if error.errno is None:
        return ""
    return f"{os.strerror(error.errno).lower()} ({errno.errorcode.get(error.errno, error.errno)})"
