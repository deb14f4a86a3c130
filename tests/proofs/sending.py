"""Callers that keep to the contract: a call that failed is repeated under the same key until it is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import grpc

from mailport.v1 import configuration_pb2, delivery_pb2, mail_service_pb2_grpc
from mailport.v1 import mail_service_pb2 as api
from tests.proofs.history import KEY_HEADER, Submitted
from tests.proofs.replicas import Replica
from tests.proofs.sink import Sink

CONFIGURATION: Final = "proofs"
SENDER: Final = "robot@example.com"
RECIPIENT: Final = "anna@example.com"
REPEATABLE: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
)
"""What a caller may meet when a replica dies, or is overloaded."""
_CALL_SECONDS: Final = 10
_AGAIN_SECONDS: Final = 0.05


async def configure(replica: Replica, sink: Sink, name: str = CONFIGURATION) -> None:
    """Makes *name* a configuration that sends to *sink*, which forgets the mail that proved it."""
    settings = configuration_pb2.Settings(
        from_address=SENDER,
        smtp=configuration_pb2.SmtpTransport(
            host="127.0.0.1", port=sink.port, security=configuration_pb2.CONNECTION_SECURITY_NONE
        ),
    )
    await replica.stub.Configure(api.ConfigureRequest(configuration_id=name, settings=settings))
    await replica.stub.ValidateAndSave(api.ValidateAndSaveRequest(configuration_id=name, user_email=SENDER))
    await sink.forget()


def a_request(
    key: str, *, holds_doubt: bool = False, configuration: str = CONFIGURATION, to: Sequence[str] = (RECIPIENT,)
) -> api.SendRequest:
    """Returns the call that sends the message of *key*; its copies tell the key in their header."""
    return api.SendRequest(
        configuration_id=configuration,
        idempotency_key=key,
        message=delivery_pb2.Message(
            to=[delivery_pb2.Address(address=address) for address in to],
            subject=f"Message {key}",
            text_body=f"This is {key}.\n" * 20,
            headers=[delivery_pb2.Header(name=KEY_HEADER, value=key)],
            in_doubt_policy=delivery_pb2.IN_DOUBT_POLICY_HOLD if holds_doubt else delivery_pb2.IN_DOUBT_POLICY_RETRY,
        ),
    )


class Callers:
    """Notes what was given and what was answered; `submitted` is for the judge."""

    def __init__(self) -> None:
        self._given: dict[str, bool] = {}
        self._answered: dict[str, set[str]] = {}
        self.failed_calls = 0
        self.failed_with: Counter[grpc.StatusCode] = Counter()
        """The same by what they failed with."""

    def submitted(self) -> list[Submitted]:
        """Returns every message that was given, with what the answers said."""
        return [
            Submitted(key=key, holds_doubt=holds, delivery_ids=frozenset(self._answered.get(key, ())))
            for key, holds in self._given.items()
        ]

    def answered(self, key: str) -> str:
        """Returns the delivery of a message whose call was answered."""
        (delivery_id,) = self._answered[key]
        return delivery_id

    async def once(self, stub: mail_service_pb2_grpc.MailServiceAsyncStub, request: api.SendRequest) -> bool:
        """Makes the call once; False: it failed in a way that lets it be repeated. Raises what else it failed with."""
        key = request.idempotency_key
        self._given[key] = request.message.in_doubt_policy == delivery_pb2.IN_DOUBT_POLICY_HOLD
        try:
            sent = await stub.Send(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() not in REPEATABLE:
                raise
            self.failed_calls += 1
            self.failed_with[error.code()] += 1
            return False
        self._answered.setdefault(key, set()).add(sent.delivery.delivery_id)
        return True

    async def until_answered(self, replicas: Sequence[Replica], request: api.SendRequest) -> None:
        """Makes the call until it is answered, at the next replica each time."""
        for number in range(10_000):
            if await self.once(replicas[number % len(replicas)].stub, request):
                return
            await asyncio.sleep(_AGAIN_SECONDS)
        raise AssertionError(f"{request.idempotency_key} was never answered")
