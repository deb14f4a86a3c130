"""What the end-to-end tests of consents share: settings for the sandbox's providers, and the steps on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.scopes import STRICT_MAIL_SCOPE
from tests.end_to_end.conftest import Mailport, a_message

if TYPE_CHECKING:
    from mailport.v1.mail_service_pb2_grpc import MailServiceAsyncStub

WITHIN = timedelta(seconds=30)
USER_EMAIL = "admin@sandbox.example"
PROVIDER = {
    Behaviour.GOOGLE: configuration_pb2.OAUTH_PROVIDER_GOOGLE,
    Behaviour.MICROSOFT: configuration_pb2.OAUTH_PROVIDER_MICROSOFT,
    Behaviour.STRICT: configuration_pb2.OAUTH_PROVIDER_CUSTOM,
}
"""Each as itself: the rules take endpoints on loopback for Google and Microsoft too, and a mail server of nobody's."""
_SCOPES = {Behaviour.STRICT: ["openid", "email", STRICT_MAIL_SCOPE]}
"""Those of the others come from the presets."""


def sandbox_settings(
    mailport: Mailport, behaviour: Behaviour, account: str, *, token_seconds: int | None = None
) -> configuration_pb2.Settings:
    """Returns settings for *account* at the sandbox's provider, whose access tokens live *token_seconds*."""
    identity = mailport.sandbox.identity
    endpoints = identity.endpoints(mailport.service.web_url, behaviour)
    settings = mailport.settings()
    settings.from_address = account
    settings.oauth.CopyFrom(
        configuration_pb2.OAuthAuthentication(
            provider=PROVIDER[behaviour],
            client_id=identity.client_id(behaviour),
            client_secret=identity.client_secret(behaviour),
            authorization_endpoint=endpoints.authorization
            + (f"?access_token_seconds={token_seconds}" if token_seconds else ""),
            token_endpoint=endpoints.token,
            revocation_endpoint=endpoints.revocation,
            scopes=_SCOPES.get(behaviour, []),
            username=account,
        )
    )
    return settings


async def configure(
    stub: MailServiceAsyncStub, settings: configuration_pb2.Settings, name: str = "alerts"
) -> configuration_pb2.Configuration:
    """Stores *settings* as a draft."""
    answer = await stub.Configure(api.ConfigureRequest(configuration_id=name, settings=settings))
    return answer.configuration


async def authorize(stub: MailServiceAsyncStub, name: str = "alerts", *, save: bool = False) -> api.AuthorizeResponse:
    """Starts a consent session."""
    return await stub.Authorize(api.AuthorizeRequest(configuration_id=name, save=save))


def returned(session: api.AuthorizeResponse, **parameters: str) -> str:
    """Returns the address that a browser lands on with the session's state and *parameters*."""
    return f"{session.redirect_url}?{urlencode({'state': session.state, **parameters})}"


async def complete(stub: MailServiceAsyncStub, callback_url: str) -> api.CompleteAuthResponse:
    """Hands over what the browser came back with."""
    return await stub.CompleteAuth(api.CompleteAuthRequest(callback_url=callback_url))


async def consented(
    mailport: Mailport, account: str, name: str = "alerts", *, save: bool = False
) -> api.CompleteAuthResponse:
    """Lets *account* consent at the sandbox."""
    session = await authorize(mailport.stub, name, save=save)
    landed = mailport.sandbox.identity.consent(session.authorization_url, account=account)
    return await complete(mailport.stub, landed)


async def read(stub: MailServiceAsyncStub, name: str = "alerts") -> configuration_pb2.Configuration:
    answer = await stub.GetConfiguration(api.GetConfigurationRequest(configuration_id=name))
    return answer.configuration


async def validate(stub: MailServiceAsyncStub, name: str = "alerts") -> configuration_pb2.Configuration:
    """Proves the draft."""
    request = api.ValidateAndSaveRequest(configuration_id=name, user_email=USER_EMAIL)
    return (await stub.ValidateAndSave(request)).configuration


async def send(stub: MailServiceAsyncStub, subject: str, name: str = "alerts") -> str:
    """Hands a mail in and returns its id, whatever becomes of it."""
    request = api.SendRequest(configuration_id=name, message=a_message(subject=subject))
    return (await stub.Send(request)).delivery.delivery_id


async def sent(stub: MailServiceAsyncStub, subject: str, name: str = "alerts") -> delivery_pb2.Delivery:
    """Sends a mail and returns its delivery, which must be SENT."""
    request = api.SendRequest(configuration_id=name, message=a_message(subject=subject), wait=True)
    delivery = (await stub.Send(request, timeout=WITHIN.total_seconds())).delivery
    assert delivery.state == delivery_pb2.DELIVERY_STATE_SENT, delivery
    return delivery


async def reaches(
    stub: MailServiceAsyncStub, delivery_id: str, *states: delivery_pb2.DeliveryState.ValueType
) -> delivery_pb2.Delivery:
    """Waits, by asking, until the delivery is in one of *states*, which need not be final."""
    async with asyncio.timeout(WITHIN.total_seconds()):
        while True:
            delivery = (await stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery
            if delivery.state in states:
                return delivery
            await asyncio.sleep(0.02)


async def token_has_ended(stub: MailServiceAsyncStub, name: str = "alerts") -> datetime:
    """Waits until the access token has really ended, and returns when it did."""
    while True:
        end = (await read(stub, name)).grant.access_token_expire_time.ToDatetime(UTC)
        left = end - datetime.now(UTC)
        if left < timedelta(0):
            return end
        await asyncio.sleep(left.total_seconds())


def end_kept_sessions(mailport: Mailport) -> None:
    """
    Ends the sessions that wait for the next mail, as their idle seconds do: it signs in anew, and needs a good token.

    A session that is kept stays signed in when its token ends (RFC 4954 section 4).
    """
    assert mailport.service.parts is not None
    mailport.service.parts.transport().forget("")


def subjects_to(mailport: Mailport, recipient: str, sender: str) -> Sequence[str]:
    """Returns what the sandbox received from *sender* for *recipient*, in the order it came."""
    return [
        message.subject
        for message in mailport.sandbox.inbox
        if message.recipients == (recipient,) and message.sender == sender
    ]


def assert_in_order(released: Sequence[delivery_pb2.Delivery]) -> None:
    """
    Held mail sets out in the order it came in.

    Up to five go out side by side, so that the order in which they arrive is the mail server's.
    """
    starts = [delivery.attempts[-1].start_time.ToDatetime(UTC) for delivery in released]
    assert starts == sorted(starts)
