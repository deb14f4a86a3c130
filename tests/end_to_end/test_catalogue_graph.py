"""
The failure catalogue's Graph rows where they are really met: said by Graph, told through gRPC.

Each row has a mailbox of its own, at which Graph answers every call that sends with the row's words: a proof, a test
mail and a queued one tell exactly its reason, kind and stage.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

import grpc

from mailport.v1 import delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import USER_EMAIL, configure, consented, reaches, read, send, validate
from tests.end_to_end.graphs import graph_settings, simulator
from tests.end_to_end.test_journey import details
from tests.unit.domain.failures.rows import Row, catalogue_rows

GRAPH: Final = [row for row in catalogue_rows() if row.surface == "graph"]
STATES: Final = {
    "PERMANENT": delivery_pb2.DELIVERY_STATE_FAILED,
    "TRANSIENT": delivery_pb2.DELIVERY_STATE_RETRYING,
    "THROTTLED": delivery_pb2.DELIVERY_STATE_RETRYING,
    "REAUTHORIZE": delivery_pb2.DELIVERY_STATE_HELD,
    "IN_DOUBT": delivery_pb2.DELIVERY_STATE_IN_DOUBT,
    "MISCONFIGURED": delivery_pb2.DELIVERY_STATE_RETRYING,
}
_WITHOUT_STATUS: Final = {"P079": 507}
"""The catalogue does not say with which one it came."""
_MANY: Final = 1_000


def account_of(row: Row) -> str:
    return f"{row.name.lower()}@sandbox.example"


def plan(mailport: Mailport, row: Row) -> None:
    """Lets Graph answer all that sends from the row's mailbox as the row says, from now on."""
    simulator(mailport).fail_next(
        Fault(
            operation=Operation.SEND_MAIL,
            mailbox=account_of(row),
            status=row.http_status or _WITHOUT_STATUS[row.name],
            body=row.answer,
            times=_MANY,
        )
    )


async def failure_of(call: Awaitable[object]) -> tuple[failure_pb2.Failure, failure_pb2.Trace]:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        found = details(error)
        failure, trace = found["Failure"], found["Trace"]
        assert isinstance(failure, failure_pb2.Failure)
        assert isinstance(trace, failure_pb2.Trace)
        return failure, trace
    raise AssertionError("nothing was refused")


def verdict(failure: failure_pb2.Failure) -> tuple[str, str, str]:
    kind = failure_pb2.FailureKind.Name(failure.kind).removeprefix("FAILURE_KIND_")
    return failure.reason, kind, failure_pb2.FailureStage.Name(failure.stage).removeprefix("FAILURE_STAGE_")


async def test_given_each_row_of_graph_when_graph_says_so_then_proofs_and_deliveries_tell_exactly_it(
    mailport: Mailport,
) -> None:
    stub, told, states = mailport.stub, [], []
    for row in GRAPH:
        name, account = row.name.lower(), account_of(row)
        await configure(stub, graph_settings(mailport, account=account), name)
        await consented(mailport, account, name)
        simulator(mailport).reset()
        plan(mailport, row)
        proof = api.ValidateAndSaveRequest(configuration_id=name, user_email=USER_EMAIL)
        told.append((row.name, "ValidateAndSave", *await failure_of(stub.ValidateAndSave(proof))))
        assert not (await read(stub, name)).HasField("active"), "nothing is saved by a proof that failed"
        simulator(mailport).reset()
        await validate(stub, name)
        plan(mailport, row)
        test = api.SendTestRequest(configuration_id=name, to=USER_EMAIL)
        told.append((row.name, "SendTest", *await failure_of(stub.SendTest(test))))
        delivery = await reaches(stub, await send(stub, row.name, name), *STATES.values())
        told.append((row.name, "Send", delivery.failure, delivery.attempts[0].trace))
        states.append((row.name, delivery.state, delivery.attempt_count, delivery.recipients[0].failure.reason))

    assert [(name, way, *verdict(failure)) for name, way, failure, _ in told] == [
        (row.name, way, row.reason, row.kind, row.stage)
        for row in GRAPH
        for way in ("ValidateAndSave", "SendTest", "Send")
    ]
    assert states == [(row.name, STATES[row.kind], 1, row.reason) for row in GRAPH]
    for name, way, failure, trace in told:
        failed = [step.stage for step in trace.steps if not step.succeeded]
        assert failed, f"{name} {way}"
        assert set(failed) <= {failure.stage}, f"{name} {way}: {trace}"
        assert any("client-request-id" in step.detail for step in trace.steps), f"{name} {way}"
    assert len(GRAPH) == 17
