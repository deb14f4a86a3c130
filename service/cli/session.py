"""One client command: its channel, its calls, and how it answers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypeVar

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from mailport.v1 import mail_service_pb2_grpc, mailbox_service_pb2_grpc
from service.cli.connection import Connection
from service.cli.exits import ExitCode, exit_code_of
from service.terminal.refusals import Refusal, read_refusal
from service.terminal.refused import draw_refusal
from service.terminal.style import Style

_Q = TypeVar("_Q", bound=Message)
_A = TypeVar("_A", bound=Message)
_NO_ANSWER: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class CallRefused(Exception):
    """A call was refused; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal

    @property
    def is_unanswered(self) -> bool:
        """Tells whether mailport may have done it all the same: nobody answered, or not in time."""
        return self.refusal.code in _NO_ANSWER and not self.refusal.reason

    @property
    def is_over(self) -> bool:
        """Tells whether the time that the user gave is over, and nothing else."""
        return self.refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED and not self.refusal.reason

    @property
    def helps_to_repeat(self) -> bool:
        """Tells whether the same call may succeed a little later."""
        return self.refusal.code is grpc.StatusCode.UNAVAILABLE

    def advising(self, advice: str) -> CallRefused:
        """Returns the same with *advice* at the end of its message."""
        return CallRefused(replace(self.refusal, message=f"{self.refusal.message} {advice}"))


class Session:
    """
    Calls mailport for one command, and prints the answer or the refusal.

    *timeout_seconds* bounds each call, None: not at all. With *is_json* answers go to standard output and refusals to
    standard error as JSON; otherwise as text for a person.
    """

    def __init__(self, connection: Connection, *, timeout_seconds: float | None, is_json: bool) -> None:
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self.is_json = is_json
        self._metadata = connection.metadata()
        self._channel = connection.open()
        self.mail = mail_service_pb2_grpc.MailServiceStub(self._channel)
        self.mailbox = mailbox_service_pb2_grpc.MailboxServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, method: grpc.UnaryUnaryMultiCallable[_Q, _A], request: _Q) -> _A:
        """Calls one of the methods of `mail` or `mailbox`. Raises CallRefused."""
        try:
            return method(request, timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise CallRefused(self._explained(read_refusal(error))) from error  # type: ignore[arg-type]

    def stream(self, method: Callable[..., Iterable[_A]], request: object) -> Iterator[_A]:
        """Calls one of their streams, and yields what comes as it comes. Raises CallRefused."""
        try:
            yield from method(request, timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise CallRefused(self._explained(read_refusal(error))) from error  # type: ignore[arg-type]

    def answer_line(self, response: Message, draw: Callable[[Style], str]) -> None:
        """Prints one of many answers in one line, as JSON or as *draw* makes it, at once."""
        if self.is_json:
            line = MessageToJson(response, always_print_fields_with_no_presence=True, ensure_ascii=False, indent=None)
        else:
            line = draw(Style.of(sys.stdout, os.environ))
        print(line, flush=True)

    def answer(self, response: Message, draw: Callable[[Style], Iterable[str]]) -> None:
        """Prints *response* as JSON, or the lines that *draw* makes of it."""
        if self.is_json:
            print(MessageToJson(response, always_print_fields_with_no_presence=True, ensure_ascii=False))
        else:
            print("\n".join(draw(Style.of(sys.stdout, os.environ))))

    def refuse(self, refusal: Refusal) -> ExitCode:
        """Prints why a call was refused, on standard error; returns the exit code for it."""
        if self.is_json:
            print(json.dumps({"error": refusal.to_json()}, indent=2, ensure_ascii=False), file=sys.stderr)
        else:
            print("\n".join(draw_refusal(refusal, Style.of(sys.stderr, os.environ))), file=sys.stderr)
        return exit_code_of(refusal)

    def _explained(self, refusal: Refusal) -> Refusal:
        """Adds what only the client knows where no mailport answered: where it looked, and for how long."""
        if refusal.reason:
            return refusal
        server, timeout = self._connection.server, self._timeout_seconds
        if refusal.code is grpc.StatusCode.UNAVAILABLE:
            message = (
                f"No mailport answers at {server} ({refusal.message}). "
                "Start one with `mailport serve --sandbox`, or name another with --server HOST:PORT."
            )
        elif refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED and timeout is not None:
            message = f"{server} did not answer within {timeout:g} s. Give it longer with --timeout SECONDS."
        else:
            return refusal
        return replace(refusal, message=message)
