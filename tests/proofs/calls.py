"""For each RPC a call that does what it is for, with all that has to be there before it, any number of times over."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from mailport.v1 import mail_service_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.identity.behaviour import Behaviour
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.consents import USER_EMAIL, authorize, configure, consented, sandbox_settings

METHODS: Final = mail_service_pb2.DESCRIPTOR.services_by_name["MailService"].methods_by_name
LATER: Final[set[str]] = set()
"""What this version does not offer yet."""
STREAMED: Final = 5
"""Messages on one stream."""
_ACCOUNT: Final = "robot@sandbox.example"
_TOMORROW: Final = timedelta(days=1)


@dataclass
class Stage:
    """A mailport without a worker, so that nothing changes but what calls change."""

    mailport: Mailport
    _numbers: count[int] = field(default_factory=count)

    def name(self) -> str:
        """Returns an id that was not used yet."""
        return f"c{next(self._numbers)}"

    async def active(self) -> str:
        """Returns a configuration that sends."""
        name = self.name()
        await self.mailport.configure(name=name)
        return name

    async def oauth_draft(self) -> str:
        name = self.name()
        await configure(self.mailport.stub, sandbox_settings(self.mailport, Behaviour.STRICT, _ACCOUNT), name)
        return name

    async def queued(self, *, later: bool = False) -> str:
        """Returns a delivery that nobody attempts."""
        request = api.SendRequest(configuration_id=await self.active(), message=a_message())
        if later:
            request.message.send_time.CopyFrom(_tomorrow())
        return (await self.mailport.stub.Send(request)).delivery.delivery_id


@dataclass(frozen=True)
class Call:
    """A request that can be made once."""

    method: str
    request: Any
    """For a stream of requests: all of them."""
    parts: int = 1
    """Into how many effects it falls that may be had one by one."""

    def begin(self, mailport: Mailport) -> Any:
        """Makes it; returns gRPC's call."""
        made = getattr(mailport.stub, self.method)
        return made(iter(self.request) if isinstance(self.request, list) else self.request)


async def finish(call: Any, method: str) -> None:
    """Waits for the end of a call, or, of one that has none, for its first answer."""
    if not METHODS[method].server_streaming:
        await call
        return
    answers: AsyncIterator[Any] = aiter(call)
    async for _ in answers:
        if not METHODS[method].client_streaming:
            call.cancel()
            return


Preparing = Callable[[Stage], Awaitable[Call]]
CALLS: Final[dict[str, Preparing]] = {}


def _of(method: str) -> Callable[[Callable[[Stage], Awaitable[Any]]], Callable[[Stage], Awaitable[Any]]]:
    def keep(prepare: Callable[[Stage], Awaitable[Any]]) -> Callable[[Stage], Awaitable[Any]]:
        async def prepared(stage: Stage) -> Call:
            request = await prepare(stage)
            return Call(method, request, parts=len(request) if isinstance(request, list) else 1)

        CALLS[method] = prepared
        return prepare

    return keep


def _tomorrow() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + _TOMORROW)
    return stamp


@_of("Configure")
async def _configure(stage: Stage) -> api.ConfigureRequest:
    return api.ConfigureRequest(configuration_id=stage.name(), settings=stage.mailport.settings())


@_of("GetConfiguration")
async def _get_configuration(stage: Stage) -> api.GetConfigurationRequest:
    return api.GetConfigurationRequest(configuration_id=await stage.active())


@_of("ListConfigurations")
async def _list_configurations(_: Stage) -> api.ListConfigurationsRequest:
    return api.ListConfigurationsRequest()


@_of("DeleteConfiguration")
async def _delete_configuration(stage: Stage) -> api.DeleteConfigurationRequest:
    return api.DeleteConfigurationRequest(configuration_id=await stage.active())


@_of("GetOptions")
async def _get_options(_: Stage) -> api.GetOptionsRequest:
    return api.GetOptionsRequest()


@_of("Authorize")
async def _authorize(stage: Stage) -> api.AuthorizeRequest:
    return api.AuthorizeRequest(configuration_id=await stage.oauth_draft())


@_of("CompleteAuth")
async def _complete_auth(stage: Stage) -> api.CompleteAuthRequest:
    session = await authorize(stage.mailport.stub, await stage.oauth_draft())
    landed = stage.mailport.sandbox.identity.consent(session.authorization_url, account=_ACCOUNT)
    return api.CompleteAuthRequest(callback_url=landed)


@_of("RevokeAuth")
async def _revoke_auth(stage: Stage) -> api.RevokeAuthRequest:
    name = await stage.oauth_draft()
    await consented(stage.mailport, _ACCOUNT, name)
    return api.RevokeAuthRequest(configuration_id=name)


@_of("ValidateAndSave")
async def _validate_and_save(stage: Stage) -> api.ValidateAndSaveRequest:
    name = stage.name()
    await configure(stage.mailport.stub, stage.mailport.settings(), name)
    return api.ValidateAndSaveRequest(configuration_id=name, user_email=USER_EMAIL)


@_of("ConfirmValidation")
async def _confirm_validation(stage: Stage) -> api.ConfirmValidationRequest:
    name = stage.name()
    await configure(stage.mailport.stub, stage.mailport.settings(), name)
    await stage.mailport.stub.ValidateAndSave(
        api.ValidateAndSaveRequest(configuration_id=name, user_email=USER_EMAIL, require_confirmation=True)
    )
    code = re.search(rb"\b\d{8}\b", list(stage.mailport.sandbox.inbox)[-1].raw)
    assert code is not None
    return api.ConfirmValidationRequest(configuration_id=name, code=code.group().decode())


@_of("SendTest")
async def _send_test(stage: Stage) -> api.SendTestRequest:
    return api.SendTestRequest(configuration_id=await stage.active(), to="anna@example.com")


@_of("Explain")
async def _explain(_: Stage) -> api.ExplainRequest:
    return api.ExplainRequest(text="535 5.7.8 Error: authentication failed")


@_of("CheckAccount")
async def _check_account(stage: Stage) -> api.CheckAccountRequest:
    return api.CheckAccountRequest(configuration_id=await stage.active())


@_of("Send")
async def _send(stage: Stage) -> api.SendRequest:
    name = await stage.active()
    return api.SendRequest(configuration_id=name, message=a_message(), idempotency_key=f"k-{name}")


@_of("SendStream")
async def _send_stream(stage: Stage) -> list[api.SendStreamRequest]:
    name = await stage.active()
    return [
        api.SendStreamRequest(
            client_reference=str(number),
            configuration_id=name,
            message=a_message(),
            idempotency_key=f"k-{name}-{number}",
        )
        for number in range(STREAMED)
    ]


@_of("GetDelivery")
async def _get_delivery(stage: Stage) -> api.GetDeliveryRequest:
    return api.GetDeliveryRequest(delivery_id=await stage.queued())


@_of("ListDeliveries")
async def _list_deliveries(_: Stage) -> api.ListDeliveriesRequest:
    return api.ListDeliveriesRequest()


@_of("CancelDelivery")
async def _cancel_delivery(stage: Stage) -> api.CancelDeliveryRequest:
    return api.CancelDeliveryRequest(delivery_id=await stage.queued(later=True))


@_of("RetryDelivery")
async def _retry_delivery(stage: Stage) -> api.RetryDeliveryRequest:
    return api.RetryDeliveryRequest(delivery_id=await stage.queued(later=True))


@_of("WatchDeliveries")
async def _watch_deliveries(stage: Stage) -> api.WatchDeliveriesRequest:
    await stage.queued()
    return api.WatchDeliveriesRequest()


UNCHANGING: Final = {
    "GetConfiguration",
    "ListConfigurations",
    "GetOptions",
    "GetDelivery",
    "ListDeliveries",
    "WatchDeliveries",
    "SendTest",
    "CheckAccount",
    "Explain",
}
"""What stores nothing; of all others the complete effect has to show."""
