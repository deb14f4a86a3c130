"""MailService: each method parses, runs its use case, renders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from domain.errors import Violation
from mailport.v1 import mail_service_pb2 as pb
from mailport.v1 import mail_service_pb2_grpc
from service.rpc.call import current_call
from service.rpc.ending import Ending
from service.rpc.page_tokens import read_change_cursor, read_configurations_token, read_deliveries_token
from service.rpc.parse import (
    keep_id,
    parse_callback,
    parse_change_filter,
    parse_delivery_filter,
    parse_expire_after,
    parse_id,
    parse_message,
    parse_optional_id,
    parse_question,
    parse_settings,
)
from service.rpc.render import (
    render_account_checked,
    render_authorization,
    render_completed,
    render_configuration,
    render_configurations_page,
    render_deliveries_page,
    render_delivery,
    render_explained,
    render_options,
    render_revocation,
    render_revoked,
    render_test_sent,
    render_validated,
    render_watched,
)
from service.rpc.send_stream import SendStream
from service.usecases.authorize import Authorize
from service.usecases.cancel_delivery import CancelDelivery
from service.usecases.check_account import CheckAccount
from service.usecases.complete_auth import CompleteAuth
from service.usecases.configure import Configure
from service.usecases.confirm_validation import ConfirmValidation
from service.usecases.delete_configuration import DeleteConfiguration
from service.usecases.explain import Explain
from service.usecases.get_configuration import GetConfiguration
from service.usecases.get_delivery import GetDelivery
from service.usecases.get_options import GetOptions
from service.usecases.list_configurations import ListConfigurations
from service.usecases.list_deliveries import ListDeliveries
from service.usecases.retry_delivery import RetryDelivery
from service.usecases.revoke_auth import RevokeAuth
from service.usecases.send import Send
from service.usecases.send_test import SendTest
from service.usecases.validate_and_save import ValidateAndSave
from service.usecases.watch_deliveries import WatchDeliveries

Context = grpc.aio.ServicerContext[Any, Any]


class MailServicer(mail_service_pb2_grpc.MailServiceServicer):
    """Sets mail up, proves and sends it; mail_service.proto says what each RPC does."""

    def __init__(
        self,
        *,
        configure: Configure,
        get_configuration: GetConfiguration,
        list_configurations: ListConfigurations,
        delete_configuration: DeleteConfiguration,
        get_options: GetOptions,
        authorize: Authorize,
        complete_auth: CompleteAuth,
        revoke_auth: RevokeAuth,
        validate_and_save: ValidateAndSave,
        confirm_validation: ConfirmValidation,
        send_test: SendTest,
        check_account: CheckAccount,
        send: Send,
        get_delivery: GetDelivery,
        list_deliveries: ListDeliveries,
        cancel_delivery: CancelDelivery,
        retry_delivery: RetryDelivery,
        watch_deliveries: WatchDeliveries,
        send_stream: SendStream,
        explain: Explain,
    ) -> None:
        self._configure = configure
        self._get_configuration = get_configuration
        self._list_configurations = list_configurations
        self._delete_configuration = delete_configuration
        self._get_options = get_options
        self._authorize = authorize
        self._complete_auth = complete_auth
        self._revoke_auth = revoke_auth
        self._validate_and_save = validate_and_save
        self._confirm_validation = confirm_validation
        self._send_test = send_test
        self._check_account = check_account
        self._send = send
        self._get_delivery = get_delivery
        self._list_deliveries = list_deliveries
        self._cancel_delivery = cancel_delivery
        self._retry_delivery = retry_delivery
        self._watch_deliveries = watch_deliveries
        self._send_stream = send_stream
        self._explain = explain
        self._ending = Ending()

    def end_streams(self) -> None:
        """Lets the streams end, since the process does."""
        self._ending.begin()

    async def Configure(self, request: pb.ConfigureRequest, context: Context) -> pb.ConfigureResponse:
        written, found = parse_settings(request.settings)
        view = await self._configure(
            current_call().caller, request.configuration_id, written, etag=request.etag, found=found
        )
        configuration = render_configuration(view)
        return pb.ConfigureResponse(configuration=configuration, warnings=configuration.draft.warnings)

    async def GetConfiguration(
        self, request: pb.GetConfigurationRequest, context: Context
    ) -> pb.GetConfigurationResponse:
        configuration_id = parse_id(request.configuration_id, field="configuration_id")
        view = await self._get_configuration(current_call().caller, configuration_id)
        return pb.GetConfigurationResponse(configuration=render_configuration(view))

    async def ListConfigurations(
        self, request: pb.ListConfigurationsRequest, context: Context
    ) -> pb.ListConfigurationsResponse:
        after = read_configurations_token(request.page_token)
        page = await self._list_configurations(current_call().caller, size=request.page_size, after=after)
        return render_configurations_page(page)

    async def DeleteConfiguration(
        self, request: pb.DeleteConfigurationRequest, context: Context
    ) -> pb.DeleteConfigurationResponse:
        configuration_id = parse_id(request.configuration_id, field="configuration_id")
        revocation = await self._delete_configuration(current_call().caller, configuration_id, etag=request.etag)
        return pb.DeleteConfigurationResponse(grant_revocation=render_revocation(revocation))

    async def GetOptions(self, request: pb.GetOptionsRequest, context: Context) -> pb.GetOptionsResponse:
        return render_options(await self._get_options())

    async def Authorize(self, request: pb.AuthorizeRequest, context: Context) -> pb.AuthorizeResponse:
        authorization = await self._authorize(
            current_call().caller,
            parse_id(request.configuration_id, field="configuration_id"),
            redirect_url=request.redirect_url,
            save=request.save,
            login_hint=request.login_hint,
            for_active=request.for_active,
        )
        return render_authorization(authorization)

    async def CompleteAuth(self, request: pb.CompleteAuthRequest, context: Context) -> pb.CompleteAuthResponse:
        return render_completed(await self._complete_auth(current_call().caller, parse_callback(request)))

    async def RevokeAuth(self, request: pb.RevokeAuthRequest, context: Context) -> pb.RevokeAuthResponse:
        configuration_id = parse_id(request.configuration_id, field="configuration_id")
        return render_revoked(await self._revoke_auth(current_call().caller, configuration_id))

    async def ValidateAndSave(self, request: pb.ValidateAndSaveRequest, context: Context) -> pb.ValidateAndSaveResponse:
        call = current_call()
        validated = await self._validate_and_save(
            call.caller,
            parse_id(request.configuration_id, field="configuration_id"),
            user_email=request.user_email,
            require_confirmation=request.require_confirmation,
            etag=request.etag,
            time_left=call.time_left(),
        )
        return render_validated(validated)

    async def ConfirmValidation(
        self, request: pb.ConfirmValidationRequest, context: Context
    ) -> pb.ConfirmValidationResponse:
        found: list[Violation] = []
        configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
        view = await self._confirm_validation(current_call().caller, configuration_id, request.code, found=found)
        return pb.ConfirmValidationResponse(configuration=render_configuration(view))

    async def SendTest(self, request: pb.SendTestRequest, context: Context) -> pb.SendTestResponse:
        call = current_call()
        unsaved, of_settings = parse_settings(request.settings) if request.HasField("settings") else (None, ())
        found = list(of_settings)
        # Unsaved settings need no configuration; without them the test is of a configuration, which has a name.
        parse_configuration_id = parse_id if unsaved is None else parse_optional_id
        sent = await self._send_test(
            call.caller,
            keep_id(parse_configuration_id, request.configuration_id, field="configuration_id", found=found),
            to=request.to,
            unsaved=unsaved,
            time_left=call.time_left(),
            found=found,
        )
        return render_test_sent(sent)

    async def CheckAccount(self, request: pb.CheckAccountRequest, context: Context) -> pb.CheckAccountResponse:
        call = current_call()
        configuration_id = parse_id(request.configuration_id, field="configuration_id")
        return render_account_checked(
            await self._check_account(call.caller, configuration_id, time_left=call.time_left())
        )

    async def Send(self, request: pb.SendRequest, context: Context) -> pb.SendResponse:
        call = current_call()
        found: list[Violation] = []
        configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
        written, of_message = parse_message(request.message)
        sent = await self._send(
            call.caller,
            configuration_id,
            written,
            key=request.idempotency_key,
            wait=request.wait,
            time_left=call.time_left(),
            found=(*found, *of_message),
        )
        return pb.SendResponse(delivery=render_delivery(sent.view), replayed=sent.is_replay)

    def SendStream(
        self, request_iterator: AsyncIterator[pb.SendStreamRequest], context: Context
    ) -> AsyncIterator[pb.SendStreamResponse]:
        return self._send_stream(request_iterator, ending=self._ending)

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: Context) -> pb.GetDeliveryResponse:
        delivery_id = parse_id(request.delivery_id, field="delivery_id")
        view = await self._get_delivery(current_call().caller, delivery_id)
        return pb.GetDeliveryResponse(delivery=render_delivery(view))

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Context) -> pb.ListDeliveriesResponse:
        where = parse_delivery_filter(request)
        after = read_deliveries_token(request.page_token, where)
        page = await self._list_deliveries(current_call().caller, where, size=request.page_size, after=after)
        return render_deliveries_page(page, where)

    async def CancelDelivery(self, request: pb.CancelDeliveryRequest, context: Context) -> pb.CancelDeliveryResponse:
        delivery_id = parse_id(request.delivery_id, field="delivery_id")
        view = await self._cancel_delivery(current_call().caller, delivery_id)
        return pb.CancelDeliveryResponse(delivery=render_delivery(view))

    async def RetryDelivery(self, request: pb.RetryDeliveryRequest, context: Context) -> pb.RetryDeliveryResponse:
        found: list[Violation] = []
        delivery_id = keep_id(parse_id, request.delivery_id, field="delivery_id", found=found)
        expire_after = parse_expire_after(request, found=found)
        view = await self._retry_delivery(current_call().caller, delivery_id, expire_after=expire_after, found=found)
        return pb.RetryDeliveryResponse(delivery=render_delivery(view))

    async def WatchDeliveries(
        self, request: pb.WatchDeliveriesRequest, context: Context
    ) -> AsyncIterator[pb.WatchDeliveriesResponse]:
        caller = current_call().caller
        where = parse_change_filter(request)
        after = read_change_cursor(request.cursor, caller.tenant)
        async for watched in self._ending.cut(self._watch_deliveries(caller, where, after=after)):
            yield render_watched(watched, caller.tenant)

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        return render_explained(await self._explain(parse_question(request)))
