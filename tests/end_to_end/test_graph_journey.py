"""Microsoft Graph as a transport of equal rank: the same journey as over SMTP, through gRPC."""

from __future__ import annotations

from mailport.v1 import configuration_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import USER_EMAIL, configure, consented, sent, subjects_to
from tests.end_to_end.graphs import ACCOUNT, graph_settings, simulator


async def test_given_a_graph_account_when_set_up_proven_and_sent_with_then_it_is_as_over_smtp(
    mailport: Mailport,
) -> None:
    configured = await configure(mailport.stub, graph_settings(mailport))
    completed = await consented(mailport, ACCOUNT)
    request = api.ValidateAndSaveRequest(configuration_id="alerts", user_email=USER_EMAIL)
    proven = await mailport.stub.ValidateAndSave(request)
    tested = await mailport.stub.SendTest(api.SendTestRequest(configuration_id="alerts", to=USER_EMAIL))
    checked = await mailport.stub.CheckAccount(api.CheckAccountRequest(configuration_id="alerts"))
    delivery_id = (await sent(mailport.stub, "By Graph")).delivery_id
    delivery = (await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery

    assert configured.draft.state == configuration_pb2.REVISION_STATE_NEEDS_AUTHORIZATION
    assert completed.authorized
    assert proven.configuration.active.state == configuration_pb2.REVISION_STATE_ACTIVE
    for trace in (proven.trace, tested.trace, checked.trace, delivery.attempts[0].trace):
        stages = list(dict.fromkeys(step.stage for step in trace.steps))
        assert stages == [failure_pb2.FAILURE_STAGE_TOKEN, failure_pb2.FAILURE_STAGE_API], trace
        assert all(step.succeeded for step in trace.steps)
    assert any("client-request-id" in step.detail for step in delivery.attempts[0].trace.steps)
    assert subjects_to(mailport, "anna@example.com", ACCOUNT) == ["By Graph"]
    assert len(mailport.sandbox.inbox) == 3
    assert simulator(mailport).drafts() == []
