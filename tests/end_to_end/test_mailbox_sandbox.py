"""MailboxService with the sandbox: what was sent is answered and bounced, tokens sign in, and connections die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest

from domain.host import Host
from domain.mailbox_names import account_of, read_message_id
from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.identity.behaviour import Behaviour
from tests.builders import a_mailbox, an_address
from tests.end_to_end import consents
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.mailboxes import Box, arrived, box_of, raw, sandbox_settings
from tests.end_to_end.test_journey import reason

OFFICE = "office@sandbox.example"


@pytest.fixture
async def channel(mailport: Mailport) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(mailport.service.grpc_address) as channel:
        yield channel


@pytest.fixture
async def box(mailport: Mailport, channel: grpc.aio.Channel) -> Box:
    """A configuration that reads the sandbox's whole inbox."""
    await mailport.configure(sandbox_settings(mailport))
    return box_of(mailport, channel)


async def deliver(mailport: Mailport, message: bytes, *, to: str = "robot@sandbox.example") -> None:
    """Puts a message from outside into the inbox."""
    await mailport.sandbox.inbox.add(
        receive_time=datetime.now(UTC), sender="zoe@example.org", recipients=(to,), raw=message
    )


async def sent(mailport: Mailport, **fields: object) -> delivery_pb2.Delivery:
    request = api.SendRequest(configuration_id="alerts", message=a_message(**fields), wait=True)
    return (await mailport.stub.Send(request)).delivery


async def read(mailport: Mailport, delivery_id: str) -> delivery_pb2.Delivery:
    return (await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery


def a_report(message_id: str, *, action: str = "failed", status: str = "5.1.1") -> bytes:
    """A delivery report as Postfix writes it."""
    return (
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.com>\r\nTo: robot@sandbox.example\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <report@mx.example.com>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nI could not deliver it.\r\n\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        f"Final-Recipient: rfc822; anna@example.com\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <anna@example.com>: no such user\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize("message_id", ["", "<order-17@sandbox.example>"], ids=["made", "chosen"])
async def test_given_a_reply_when_listed_read_and_watched_then_it_names_the_delivery(
    mailport: Mailport, box: Box, message_id: str
) -> None:
    delivery = await sent(mailport, message_id=message_id)
    watch, _ = await box.watch()

    await deliver(mailport, raw("Re: Disk full", In_Reply_To=delivery.message_id))
    await deliver(mailport, raw("deeper", References=f"<x@example.org> {delivery.message_id} <y@example.org>"))
    await deliver(mailport, raw("stranger", In_Reply_To="<somebody@example.org>"))
    watched = [(await arrived(watch)).message for _ in range(3)]
    watch.cancel()
    listed = (await box.page(size=3)).messages[::-1]
    read_whole = [(await box.get(each.mailbox_message_id))[0] for each in listed]

    for messages in (watched, listed, read_whole):
        assert [each.delivery_id for each in messages] == [delivery.delivery_id, delivery.delivery_id, ""]


@pytest.mark.parametrize("by", ["ListMessages", "GetMessage", "WatchMailbox"])
async def test_given_a_bounce_when_it_is_seen_then_it_is_on_the_delivery_and_seeing_it_again_changes_nothing(
    mailport: Mailport, box: Box, by: str
) -> None:
    delivery = await sent(mailport)
    await deliver(mailport, raw("before"))
    before = (await box.page(size=1)).messages[0]
    watch, _ = await box.watch()
    watch.cancel()

    if by == "WatchMailbox":
        watch, _ = await box.watch()
        await deliver(mailport, a_report(delivery.message_id))
        seen = (await arrived(watch)).message
        watch.cancel()
    else:
        await deliver(mailport, a_report(delivery.message_id))
        if by == "ListMessages":
            seen = (await box.page(size=1)).messages[0]
        else:
            unread = await read(mailport, delivery.delivery_id)
            assert not unread.bounces
            seen = (await box.get(next_id(mailport, before.mailbox_message_id)))[0]
    bounced = await read(mailport, delivery.delivery_id)
    await box.every()
    again = await read(mailport, delivery.delivery_id)

    assert seen.delivery_id == delivery.delivery_id
    assert seen.bounce.reported_message_id == delivery.message_id
    (bounce,) = bounced.bounces
    assert (bounce.address, bounce.action, bounce.status) == (
        "anna@example.com",
        delivery_pb2.BOUNCE_ACTION_FAILED,
        "5.1.1",
    )
    assert "no such user" in bounce.diagnostic
    assert bounce.report_time == seen.receive_time
    assert bounced.state == delivery_pb2.DELIVERY_STATE_SENT
    assert again == bounced


def next_id(mailport: Mailport, message_id: str) -> str:
    """The name of the message that comes after another one, whose UID is one higher."""
    account = account_of(a_mailbox(host=Host("localhost"), email=an_address(mailport.sandbox.username)))
    former = read_message_id(message_id, account=account)
    return str(replace(former, uid=former.uid + 1))


@pytest.mark.parametrize("behaviour", list(Behaviour))
async def test_given_a_consent_when_the_mailbox_is_read_then_a_token_opens_it_and_one_that_ended_is_renewed(
    mailport: Mailport, channel: grpc.aio.Channel, behaviour: Behaviour
) -> None:
    settings = consents.sandbox_settings(mailport, behaviour, OFFICE, token_seconds=3)
    settings.mailbox.CopyFrom(
        configuration_pb2.MailboxSettings(
            email=OFFICE,
            host="localhost",
            port=mailport.sandbox.imap_port,
            security=configuration_pb2.CONNECTION_SECURITY_STARTTLS,
            use_oauth=True,
            ca_certificates=mailport.sandbox.ca_pem,
        )
    )
    await consents.configure(mailport.stub, settings)
    box = box_of(mailport, channel)
    await consents.consented(mailport, OFFICE)
    await consents.validate(mailport.stub)
    watch, _ = await box.watch()

    await consents.token_has_ended(mailport.stub)
    await mailport.sandbox.imap.drop_sessions()
    await deliver(mailport, raw(1), to=OFFICE)
    told = await arrived(watch)
    listed = await box.page(size=1)
    watch.cancel()

    assert told.message.subject == "1"
    assert listed.messages[0].mailbox_message_id == told.message.mailbox_message_id


async def test_given_a_consent_that_is_revoked_when_watched_then_the_watch_ends_and_says_so(
    mailport: Mailport, channel: grpc.aio.Channel
) -> None:
    settings = consents.sandbox_settings(mailport, Behaviour.STRICT, OFFICE)
    settings.mailbox.CopyFrom(
        configuration_pb2.MailboxSettings(
            email=OFFICE,
            host="localhost",
            port=mailport.sandbox.imap_port,
            use_oauth=True,
            ca_certificates=mailport.sandbox.ca_pem,
        )
    )
    await consents.configure(mailport.stub, settings)
    box = box_of(mailport, channel)
    await consents.consented(mailport, OFFICE, save=True)
    watch, _ = await box.watch()

    await mailport.stub.RevokeAuth(api.RevokeAuthRequest(configuration_id="alerts"))
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await arrived(watch)

    assert (ended.value.code(), reason(ended.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "NEEDS_AUTHORIZATION")


async def test_given_connections_that_die_when_mail_arrives_meanwhile_then_each_message_comes_once_f40(
    mailport: Mailport, box: Box
) -> None:
    watch, _ = await box.watch()
    told = []
    for number in range(5):
        await mailport.sandbox.imap.drop_sessions()
        await deliver(mailport, raw(number))
        told.append((await arrived(watch)).message.subject)
    watch.cancel()

    assert told == [str(number) for number in range(5)]


async def test_given_a_deleted_configuration_when_watched_then_the_watch_ends_with_not_found(
    mailport: Mailport, box: Box
) -> None:
    watch, _ = await box.watch()

    await mailport.stub.DeleteConfiguration(api.DeleteConfigurationRequest(configuration_id="alerts"))
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await arrived(watch)

    assert ended.value.code() is grpc.StatusCode.NOT_FOUND


async def test_given_a_watch_when_the_process_stops_then_it_ends_at_once_and_says_why(
    mailport: Mailport, box: Box
) -> None:
    watch, _ = await box.watch()

    stopping = asyncio.ensure_future(mailport.service.drains[0]())
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await arrived(watch)
    await stopping

    assert (ended.value.code(), reason(ended.value)) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
