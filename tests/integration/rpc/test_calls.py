"""Calls through a real server: what use cases are asked, what clients are answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from domain.caller import DEFAULT_CALLER, Caller, Role
from domain.consent_callback import WrittenCallback
from domain.delivery import DeliveryState
from domain.errors import ConfigInvalid, NotFound, ProviderRefused, Unavailable, Violation
from domain.failures.evidence import Surface
from domain.failures.explain import Explanation
from domain.failures.failure import FailureKind
from domain.grant import GrantRevocation
from domain.message import WrittenAddress
from domain.ports.changes import Change, ChangeFilter
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.written import WrittenSettings, WrittenSmtp
from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2, mailbox_service_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.page_tokens import change_cursor
from service.usecases import send_test
from service.usecases.authorize import Authorization
from service.usecases.check_account import AccountChecked
from service.usecases.complete_auth import Completed
from service.usecases.explain import Question
from service.usecases.get_options import FormOptions
from service.usecases.paging import Page
from service.usecases.prove import Proof
from service.usecases.revoke_auth import Revoked
from service.usecases.send import Sent
from service.usecases.validate_and_save import Validated
from service.usecases.watch_deliveries import Watched
from tests.consent_builders import a_grant
from tests.integration.rpc.edge import an_edge, first_of, refusal
from tests.unit.service.rpc.builders import (
    ALERTS,
    DELIVERY_ID,
    NOW,
    PASSWORD,
    a_configuration_view,
    a_delivery_view,
    a_failure,
    a_revision,
    a_trace,
    a_warning,
    an_attempt,
)


async def test_given_settings_when_configured_then_the_use_case_gets_them_and_warnings_come_back() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("configure", a_configuration_view(draft=a_revision(2, warnings=(a_warning(),))))
        settings = configuration_pb2.Settings(
            from_address="a@example.com", smtp=configuration_pb2.SmtpTransport(host="smtp.example.com", port=587)
        )

        response = await edge.mail.Configure(
            pb.ConfigureRequest(configuration_id="alerts", settings=settings, etag='"6"')
        )

    written = WrittenSettings(from_address="a@example.com", transport=WrittenSmtp(host="smtp.example.com", port=587))
    assert edge.use_cases.asked == [("configure", (DEFAULT_CALLER, "alerts", written), {"etag": '"6"', "found": ()})]
    assert response.configuration.etag == '"7"'
    assert [each.reason for each in response.warnings] == ["TLS_VERSION_OLD"]


async def test_given_an_id_when_a_configuration_is_read_deleted_or_confirmed_then_the_use_case_gets_it() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("get_configuration", a_configuration_view())
        edge.use_cases.returns("delete_configuration", GrantRevocation.REVOKED)
        edge.use_cases.returns("confirm_validation", a_configuration_view())

        read = await edge.mail.GetConfiguration(pb.GetConfigurationRequest(configuration_id="alerts"))
        deleted = await edge.mail.DeleteConfiguration(
            pb.DeleteConfigurationRequest(configuration_id="alerts", etag="e")
        )
        confirmed = await edge.mail.ConfirmValidation(
            pb.ConfirmValidationRequest(configuration_id="alerts", code="1234 5678")
        )

    assert edge.use_cases.asked == [
        ("get_configuration", (DEFAULT_CALLER, "alerts"), {}),
        ("delete_configuration", (DEFAULT_CALLER, "alerts"), {"etag": "e"}),
        ("confirm_validation", (DEFAULT_CALLER, "alerts", "1234 5678"), {"found": []}),
    ]
    assert read.configuration.configuration_id == confirmed.configuration.configuration_id == "alerts"
    assert deleted.grant_revocation == configuration_pb2.GRANT_REVOCATION_REVOKED


async def test_given_a_consent_when_started_ended_and_given_up_then_use_cases_get_it_and_their_answers_come() -> None:
    authorization = Authorization("https://id.example.com/?state=S", "S", NOW, "https://m.example.com/cb", ())
    view = a_configuration_view()
    async with an_edge() as edge:
        edge.use_cases.returns("authorize", authorization)
        edge.use_cases.returns("complete_auth", Completed(view=view, grant=a_grant(), warnings=()))
        edge.use_cases.returns("revoke_auth", Revoked(view, GrantRevocation.NOT_SUPPORTED))

        started = await edge.mail.Authorize(
            pb.AuthorizeRequest(configuration_id="alerts", redirect_url="https://r", save=True, login_hint="h")
        )
        ended = await edge.mail.CompleteAuth(pb.CompleteAuthRequest(state="S", code="C", iss="I"))
        revoked = await edge.mail.RevokeAuth(pb.RevokeAuthRequest(configuration_id="alerts"))

    callback = WrittenCallback(state="S", code=Secret("C"), iss="I")
    assert edge.use_cases.asked == [
        (
            "authorize",
            (DEFAULT_CALLER, "alerts"),
            {"redirect_url": "https://r", "save": True, "login_hint": "h", "for_active": False},
        ),
        ("complete_auth", (DEFAULT_CALLER, callback), {}),
        ("revoke_auth", (DEFAULT_CALLER, "alerts"), {}),
    ]
    assert (started.state, started.redirect_url) == ("S", "https://m.example.com/cb")
    assert (ended.authorized, ended.account) == (True, "robot@example.com")
    assert revoked.grant_revocation == configuration_pb2.GRANT_REVOCATION_NOT_SUPPORTED


async def test_given_pages_when_listed_then_each_token_leads_to_the_next_page() -> None:
    where = DeliveryFilter(configuration_id="alerts", states=frozenset({DeliveryState.SENT}))
    async with an_edge() as edge:
        edge.use_cases.returns("list_configurations", Page((a_configuration_view(),), has_more=True))
        edge.use_cases.returns("list_deliveries", Page((a_delivery_view(),), has_more=True))
        asked: dict[str, Any] = {
            "configuration_id": "alerts",
            "states": [delivery_pb2.DELIVERY_STATE_SENT],
            "page_size": 1,
        }

        configurations = await edge.mail.ListConfigurations(pb.ListConfigurationsRequest(page_size=1))
        await edge.mail.ListConfigurations(
            pb.ListConfigurationsRequest(page_size=1, page_token=configurations.next_page_token)
        )
        deliveries = await edge.mail.ListDeliveries(pb.ListDeliveriesRequest(**asked))
        await edge.mail.ListDeliveries(pb.ListDeliveriesRequest(**asked, page_token=deliveries.next_page_token))
        other = await refusal(edge.mail.ListDeliveries(pb.ListDeliveriesRequest(page_token=deliveries.next_page_token)))

    position = DeliveryPosition(NOW, DELIVERY_ID)
    assert [named for _, _, named in edge.use_cases.asked] == [
        {"size": 1, "after": ""},
        {"size": 1, "after": "alerts"},
        {"size": 1, "after": None},
        {"size": 1, "after": position},
    ]
    assert edge.use_cases.asked[-1][1] == (DEFAULT_CALLER, where)
    assert (other.code, other.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


async def test_given_options_when_asked_then_they_are_told() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns(
            "get_options", FormOptions(providers=(), data_centers=("eu-1",), callback_url="https://x")
        )

        response = await edge.mail.GetOptions(pb.GetOptionsRequest())

    assert response.callback_url == "https://x"
    assert len(response.tls_versions) == 4


async def test_given_a_pasted_answer_when_explained_then_the_question_arrives_and_the_explanation_comes_back() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("explain", Explanation(failure=a_failure(), is_recognized=True, help_url="https://x"))

        response = await edge.mail.Explain(pb.ExplainRequest(text="535 5.7.8 no", surface=pb.SURFACE_SMTP))

    assert edge.use_cases.asked == [("explain", (Question(text="535 5.7.8 no", surface=Surface.SMTP),), {})]
    assert (response.recognized, response.help_url) == (True, "https://x")
    assert response.failure.reason == a_failure().reason


async def test_given_no_answer_when_explained_then_the_field_is_named() -> None:
    async with an_edge() as edge:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.mail.Explain(pb.ExplainRequest(text=" "))

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_given_a_proof_when_validated_then_the_use_case_learns_the_time_that_is_left() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("validate_and_save", Validated(a_configuration_view(), a_trace(), ALERTS, None))

        response = await edge.mail.ValidateAndSave(
            pb.ValidateAndSaveRequest(
                configuration_id="alerts", user_email="u@example.com", require_confirmation=True, etag="e"
            ),
            timeout=20,
        )

    ((_, arguments, named),) = edge.use_cases.asked
    assert arguments == (DEFAULT_CALLER, "alerts")
    assert timedelta(seconds=19) < named.pop("time_left") <= timedelta(seconds=20.1)
    assert named == {"user_email": "u@example.com", "require_confirmation": True, "etag": "e"}
    assert response.validation_recipient == "alerts@example.com"


@pytest.mark.parametrize(("has_settings", "unsaved"), [(False, None), (True, WrittenSettings())])
async def test_given_a_test_mail_when_sent_then_unsaved_settings_are_told_from_none(
    has_settings: bool, unsaved: WrittenSettings | None
) -> None:
    proof = Proof(message_id="<1@example.com>", trace=a_trace(), reply="250 OK")
    async with an_edge() as edge:
        sent = send_test.TestSent(proof=proof, tested=send_test.Tested.DRAFT, warnings=())
        edge.use_cases.returns("send_test", sent)
        request = pb.SendTestRequest(configuration_id="alerts", to="t@example.com")
        if has_settings:
            request.settings.SetInParent()

        response = await edge.mail.SendTest(request)

    ((_, arguments, named),) = edge.use_cases.asked
    assert arguments == (DEFAULT_CALLER, "alerts")
    assert (named["to"], named["unsaved"]) == ("t@example.com", unsaved)
    assert response.provider_reply == "250 OK"


async def test_given_an_account_when_checked_then_trace_and_warnings_come_back() -> None:
    async with an_edge() as edge:
        checked = AccountChecked(trace=a_trace(), tested=send_test.Tested.ACTIVE, warnings=(a_warning(),))
        edge.use_cases.returns("check_account", checked)

        response = await edge.mail.CheckAccount(pb.CheckAccountRequest(configuration_id="alerts"), timeout=20)
        refused = await refusal(edge.mail.CheckAccount(pb.CheckAccountRequest()))

    ((_, arguments, named),) = edge.use_cases.asked
    assert arguments == (DEFAULT_CALLER, "alerts")
    assert timedelta(seconds=19) < named["time_left"] <= timedelta(seconds=20.1)
    assert response.tested == pb.TESTED_SETTINGS_ACTIVE
    assert [each.field for each in response.warnings] == [a_warning().field]
    assert len(response.trace.steps) == len(a_trace().steps)
    assert refused.detail(BadRequest).field_violations[0].field == "configuration_id"


async def test_given_unsaved_settings_when_tested_then_no_configuration_need_be_named() -> None:
    async with an_edge() as edge:
        edge.use_cases.raises("send_test", NotFound("asked"))
        unsaved = pb.SendTestRequest(to="t@example.com", settings=configuration_pb2.Settings(from_name="x"))

        await refusal(edge.mail.SendTest(unsaved))
        await refusal(edge.mail.SendTest(pb.SendTestRequest(to="t@example.com")))

    with_settings, without = (named["found"] for _, _, named in edge.use_cases.asked)
    assert with_settings == []
    assert [(each.field, each.reason) for each in without] == [("configuration_id", Reason.FIELD_REQUIRED)]


async def test_given_several_things_wrong_at_the_edge_when_called_then_the_use_case_names_them_beside_its_own() -> None:
    never = Timestamp(nanos=-1)
    settings = configuration_pb2.Settings(oauth=configuration_pb2.OAuthAuthentication(client_secret_expire_time=never))
    async with an_edge() as edge:
        for name in ("configure", "confirm_validation", "send", "send_test"):
            edge.use_cases.raises(name, NotFound("asked"))

        await refusal(edge.mail.Configure(pb.ConfigureRequest(settings=settings)))
        await refusal(edge.mail.ConfirmValidation(pb.ConfirmValidationRequest()))
        await refusal(edge.mail.Send(pb.SendRequest(message=delivery_pb2.Message(send_time=never))))
        await refusal(edge.mail.SendTest(pb.SendTestRequest(configuration_id="a\nb", settings=settings)))

    found = {name: [each.field for each in named["found"]] for name, _, named in edge.use_cases.asked}
    assert found == {
        "configure": ["settings.oauth.client_secret_expire_time"],
        "confirm_validation": ["configuration_id"],
        "send": ["configuration_id", "message.send_time"],
        "send_test": ["settings.oauth.client_secret_expire_time", "configuration_id"],
    }


async def test_given_a_message_when_sent_then_the_delivery_comes_back() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("send", Sent(view=a_delivery_view(), is_replay=True))
        message = delivery_pb2.Message(to=[delivery_pb2.Address(address="t@example.com")])

        response = await edge.mail.Send(
            pb.SendRequest(configuration_id="alerts", message=message, idempotency_key="k1", wait=True)
        )

    ((_, arguments, named),) = edge.use_cases.asked
    assert arguments[:2] == (DEFAULT_CALLER, "alerts")
    assert arguments[2].to == (WrittenAddress("t@example.com"),)
    assert (named["key"], named["wait"]) == ("k1", True)
    assert timedelta(seconds=29) < named["time_left"] <= timedelta(seconds=30)
    assert (response.delivery.delivery_id, response.replayed) == (DELIVERY_ID, True)


async def test_given_a_delivery_when_read_then_its_attempts_are_told() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("get_delivery", a_delivery_view(an_attempt(1), an_attempt(2)))

        response = await edge.mail.GetDelivery(pb.GetDeliveryRequest(delivery_id=DELIVERY_ID))

    assert [attempt.number for attempt in response.delivery.attempts] == [1, 2]


async def test_given_wrong_settings_when_configured_then_the_client_reads_every_violation() -> None:
    violations = [
        Violation("settings.smtp.port", Reason.PORT_OUT_OF_RANGE, "70000 is no port.", "Use 587."),
        Violation("settings.smtp.host", Reason.HOST_INVALID, "No host: „x“.", "Write it alone."),
    ]
    async with an_edge() as edge:
        edge.use_cases.raises("configure", ConfigInvalid(violations))

        refused = await refusal(edge.mail.Configure(pb.ConfigureRequest(configuration_id="alerts")))

    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_SETTINGS")
    assert [each.field for each in refused.detail(BadRequest).field_violations] == [each.field for each in violations]
    assert refused.detail(BadRequest).field_violations[1].description == "No host: „x“. Write it alone."


async def test_given_a_server_that_says_no_at_length_when_tested_then_a_default_client_reads_failure_and_remedy() -> (
    None
):
    failure = a_failure(kind=FailureKind.TRANSIENT, provider_reply="ß" * 1024, cause="漢" * 2000)
    async with an_edge() as edge:
        edge.use_cases.raises("send_test", ProviderRefused(failure, trace=a_trace(steps=100, reply="x" * 512)))

        refused = await refusal(edge.mail.SendTest(pb.SendTestRequest(configuration_id="alerts", to="t@example.com")))

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "AUTH_REJECTED")
    assert refused.detail(failure_pb2.Failure).remedy == "Enter the password again."


async def test_given_a_database_that_is_away_when_called_then_the_delay_is_told() -> None:
    async with an_edge() as edge:
        edge.use_cases.raises("get_delivery", Unavailable("The database is away.", retry_after=timedelta(seconds=3)))

        refused = await refusal(edge.mail.GetDelivery(pb.GetDeliveryRequest(delivery_id="d")))

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert refused.detail(RetryInfo).retry_delay.ToTimedelta() == timedelta(seconds=3)


async def test_given_a_fault_when_called_then_client_and_log_share_the_incident_and_no_text_leaks_f41(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with an_edge() as edge:
        edge.use_cases.raises("send_test", RuntimeError(f"could not sign in with {PASSWORD}"))
        request = pb.SendTestRequest(
            configuration_id="alerts",
            to="t@example.com",
            settings=configuration_pb2.Settings(basic=configuration_pb2.BasicAuthentication(password=PASSWORD)),
        )

        refused = await refusal(edge.mail.SendTest(request))

    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert refused.metadata["incident_id"] in refused.message
    faults = [record for record in caplog.records if record.getMessage() == "rpc_failed"]
    assert [vars(record)["incident_id"] for record in faults] == [refused.metadata["incident_id"]]
    everything = " ".join(str(vars(record)) for record in caplog.records) + str(refused)
    assert PASSWORD not in everything
    assert "t@example.com" not in everything


async def test_given_calls_when_they_end_then_each_leaves_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with an_edge() as edge:
        edge.use_cases.returns("get_options", FormOptions(providers=(), data_centers=(), callback_url=""))
        edge.use_cases.raises("get_delivery", NotFound("There is none."))

        await edge.mail.GetOptions(pb.GetOptionsRequest())
        await refusal(edge.mail.GetDelivery(pb.GetDeliveryRequest(delivery_id="d")))
        await refusal(first_of(edge.mailbox.WatchMailbox(mailbox_service_pb2.WatchMailboxRequest())))

    lines = [vars(record) for record in caplog.records if record.getMessage() == "rpc_answered"]
    assert [
        (line["method"].rpartition("/")[2], line["code"], line.get("reason"), line["tenant"]) for line in lines
    ] == [
        ("GetOptions", "OK", None, "default"),
        ("GetDelivery", "NOT_FOUND", "NOT_FOUND", "default"),
        ("WatchMailbox", "INVALID_ARGUMENT", "FIELD_REQUIRED", "default"),
    ]


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7fshort"])
async def test_given_bytes_that_are_no_request_when_called_then_they_are_refused_as_input(raw: bytes) -> None:
    async with an_edge() as edge:
        call: Any = edge.channel.unary_unary("/mailport.v1.MailService/GetConfiguration")

        refused = await refusal(call(raw))

    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "VALUE_MALFORMED")
    assert edge.use_cases.asked == []


async def test_given_a_method_that_does_not_exist_when_called_then_it_is_unimplemented() -> None:
    async with an_edge() as edge:
        call: Any = edge.channel.unary_unary("/mailport.v1.MailService/Nope")

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"")

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_given_twenty_calls_at_once_when_answered_then_each_is_answered_once_f47() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("send", Sent(view=a_delivery_view(), is_replay=False))
        request = pb.SendRequest(configuration_id="alerts", idempotency_key="k1")

        responses = await asyncio.gather(*(edge.mail.Send(request) for _ in range(20)))

    assert {response.delivery.delivery_id for response in responses} == {DELIVERY_ID}
    assert len(edge.use_cases.asked) == 20


async def test_given_a_watch_when_called_then_the_use_case_gets_caller_filters_and_cursor_and_each_answer_comes() -> (
    None
):
    change = Change(8, a_delivery_view().delivery, DeliveryState.SENDING)

    async def watched(*_: object, **__: object) -> AsyncIterator[Watched]:
        yield Watched(7)
        yield Watched(8, change)

    async with an_edge() as edge:
        edge.use_cases.answers["watch_deliveries"] = watched
        request = pb.WatchDeliveriesRequest(configuration_id="alerts", cursor=change_cursor(5, "default"))
        answers = [each async for each in edge.mail.WatchDeliveries(request)]

    ((name, (caller, where), named),) = edge.use_cases.asked
    assert (name, caller.tenant, where, named) == (
        "watch_deliveries",
        "default",
        ChangeFilter(configuration_id="alerts"),
        {"after": 5},
    )
    assert [each.cursor for each in answers] == [change_cursor(7, "default"), change_cursor(8, "default")]
    assert not answers[0].HasField("delivery")
    assert not answers[0].HasField("change_time")
    assert answers[1].delivery.delivery_id == DELIVERY_ID
    assert answers[1].previous_state == delivery_pb2.DELIVERY_STATE_SENDING
    assert answers[1].change_time == answers[1].delivery.update_time


@pytest.mark.parametrize(
    ("rpc", "request_type"), [("Cancel", pb.CancelDeliveryRequest), ("Retry", pb.RetryDeliveryRequest)]
)
async def test_given_a_delivery_when_steered_then_the_use_case_gets_its_id_and_its_answer_is_shown(
    rpc: str, request_type: Any
) -> None:
    async with an_edge() as edge:
        edge.use_cases.returns(f"{rpc.lower()}_delivery", a_delivery_view(an_attempt(1)))

        response = await getattr(edge.mail, f"{rpc}Delivery")(request_type(delivery_id=DELIVERY_ID))

    ((_, (caller, delivery_id), _named),) = edge.use_cases.asked
    assert (caller.tenant, delivery_id) == ("default", DELIVERY_ID)
    assert response.delivery.delivery_id == DELIVERY_ID
    assert len(response.delivery.attempts) == 1


class ReadOnly:
    """An identity: a caller of acme that may read alone."""

    async def caller(self, _: object) -> Caller:
        return Caller("acme", frozenset({Role.READ}))


async def test_given_a_caller_that_may_only_read_when_streams_are_called_then_it_may_watch_its_own_and_not_send() -> (
    None
):
    async def watched(caller: Caller, *_: object, **__: object) -> AsyncIterator[Watched]:
        assert caller.tenant == "acme"
        yield Watched(7)

    async with an_edge(identity=ReadOnly()) as edge:
        edge.use_cases.answers["watch_deliveries"] = watched
        answer = await first_of(edge.mail.WatchDeliveries(pb.WatchDeliveriesRequest()))
        foreign = pb.WatchDeliveriesRequest(cursor=change_cursor(7, "globex"))
        with_foreign_cursor = await refusal(first_of(edge.mail.WatchDeliveries(foreign)))
        sending = await refusal(first_of(edge.mail.SendStream(iter([pb.SendStreamRequest(client_reference="1")]))))

    assert answer.cursor == change_cursor(7, "acme")
    assert (with_foreign_cursor.code, with_foreign_cursor.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "CURSOR_INVALID",
    )
    assert (sending.code, sending.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
