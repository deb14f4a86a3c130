"""One line a call: what was called by whom, how it ended, how long it took. Nothing of what was asked or answered."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import grpc

from service.logs import REASON, RPC_ANSWERED, RPC_FAILED, TENANT

METHOD: Final = "method"
CODE: Final = "code"
DURATION_MS: Final = "duration_ms"
INCIDENT_ID: Final = "incident_id"
FAULTS: Final = "faults"
FRAMES: Final = "frames"
_MOST_FRAMES: Final = 30

_logger = logging.getLogger("service.rpc")


@dataclass(slots=True)
class Line:
    """What is known of a call by its end."""

    method: str
    """As gRPC names it, e.g. ``/mailport.v1.MailService/Send``."""
    code: grpc.StatusCode = grpc.StatusCode.OK
    tenant: str = ""
    """Empty while the caller is unknown."""
    reason: str = ""
    """The ErrorInfo's word; empty when all went well."""

    def write(self, took: timedelta) -> None:
        """Writes the line."""
        fields = {METHOD: self.method, CODE: self.code.name, DURATION_MS: round(took / timedelta(milliseconds=1), 3)}
        if self.tenant:
            fields[TENANT] = self.tenant
        if self.reason:
            fields[REASON] = self.reason
        _logger.info(RPC_ANSWERED, extra=fields)

    def write_fault(self, fault: BaseException, incident_id: str) -> None:
        """Writes where *fault* arose, and never what it says: the text may hold anything, a password too (P15)."""
        fields = {
            METHOD: self.method,
            TENANT: self.tenant,
            INCIDENT_ID: incident_id,
            FAULTS: [type(each).__qualname__ for each in _with_causes(fault)],
            FRAMES: [
                f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
                for each in _with_causes(fault)
                for frame in traceback.extract_tb(each.__traceback__, limit=-_MOST_FRAMES)
            ],
        }
        _logger.error(RPC_FAILED, extra=fields)


def _with_causes(fault: BaseException) -> Iterator[BaseException]:
    """Yields the fault and what led to it, the nearest first."""
    seen: set[int] = set()
    each: BaseException | None = fault
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
