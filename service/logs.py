"""JSON lines, and the names of events and fields: one constant event a line, data in fields, no secret, no content."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

RPC_ANSWERED: Final = "rpc_answered"
RPC_FAILED: Final = "rpc_failed"
DELIVERY_SETTLED: Final = "delivery_settled"
DELIVERY_ATTEMPTED: Final = "delivery_attempted"
ATTEMPT_FAILED: Final = "attempt_failed"
CLAIM_FAILED: Final = "claim_failed"
REAP_FAILED: Final = "reap_failed"
STORED_NOT_HEARD: Final = "stored_not_heard"
WORKER_WAITS_FOR_DATABASE: Final = "worker_waits_for_database"
SERVING: Final = "serving"
DRAINING: Final = "draining"
STOPPED: Final = "stopped"
EXIT_FORCED: Final = "exit_forced"
RENEWAL_FAILED: Final = "renewal_failed"
REFRESH_FAILED: Final = "refresh_failed"
KEEPING_FAILED: Final = "keeping_failed"
PART_FAILED: Final = "part_failed"
ROSTER_FAILED: Final = "roster_failed"
WORKER_MISSING: Final = "worker_missing"
WORKER_BACK: Final = "worker_back"
END_ANNOUNCED: Final = "end_announced"
TOKEN_REFRESHED: Final = "token_refreshed"
TOKEN_REFRESH_FAILED: Final = "token_refresh_failed"
GRANT_DIED: Final = "grant_died"
CONSENT_ENDED: Final = "consent_ended"
WATCH_STANDS: Final = "watch_stands"
WATCH_BROKE: Final = "watch_broke"
WATCH_ENDED: Final = "watch_ended"
WATCH_FAILED: Final = "watch_failed"

CONFIGURATION_ID: Final = "configuration_id"
DELIVERY_ID: Final = "delivery_id"
TENANT: Final = "tenant"
DATA_CENTER: Final = "data_center"
ATTEMPT: Final = "attempt"
STATE: Final = "state"
REASON: Final = "reason"
STAGE: Final = "stage"
EXPECTED_TIME: Final = "expected_time"
DAYS_LEFT: Final = "days_left"
IS_CERTAIN: Final = "is_certain"
WORDS: Final = "words"
REMEDY: Final = "remedy"

_NOISY: Final = (
    "mail.log",
    "aiosmtplib",
    "asyncio",
    "httpx2",
    "httpcore2",
    "authlib",
    "joserfc",
    "uvicorn",
    "psycopg.pool",
    "psycopg",
)
"""
Loggers of libraries that write addresses, message lines, tokens, statements with their parameters or connection strings
below WARNING, or might in a later version.
"""


def set_up_logs(*, level: str, form: str, stream: TextIO | None = None) -> None:
    """
    Sends every log line of the process to *stream*, standard error unless given.

    *level* is a name of the standard library (``info``), *form* ``json`` or ``text``. Libraries whose debug lines hold
    addresses, content or secrets are never let below WARNING. An exception is shown by its types and places in the
    code, without its text, which may hold what a caller or a peer wrote.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        # Its usual way to show exceptions prints local variables.
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _show_exception,
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _show_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    match event.pop("exc_info", None):
        case (_, BaseException() as error, _):
            event["exception"] = "\n".join(_described(error, set()))
    return event


def _described(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    yield f"{type(error).__module__}.{type(error).__qualname__}"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    inner = list(error.exceptions) if isinstance(error, BaseExceptionGroup) else []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for each in [*inner, *([before] if before else [])]:
        if id(each) not in seen:
            yield "within:" if each in inner else "after:"
            yield from _described(each, seen)
