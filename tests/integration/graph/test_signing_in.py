"""What a proof tells without sending anything: the token, the mailbox, and the permission to send."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.address import EmailAddress
from domain.failures.failure import FailureKind, Stage
from domain.ports.transport import SignIn
from domain.reasons import Reason
from domain.settings.model import GrantType, MailSettings, OAuthAuthentication
from service.sandbox.graph.directory import MailboxState, Right
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from tests.graph_builders import ROBOT, a_message, a_sender
from tests.peers.graph import GraphPeer

SHARED = EmailAddress("shared", "sandbox.example")
TEAM = EmailAddress("team", "sandbox.example")


async def signed_in(peer: GraphPeer, *permissions: str, mailbox: EmailAddress | None = None) -> SignIn:
    token = peer.graph.access_token(str(ROBOT), *permissions)
    async with a_sender(peer.root, token, mailbox=mailbox) as sender:
        return await sender.sign_in()


@pytest.mark.parametrize("permissions", [("Mail.Send",), ("Mail.Send", "Mail.ReadWrite")], ids=str)
async def test_given_the_permission_to_send_when_proven_then_it_is_good_and_nothing_is_sent(
    peer: GraphPeer, permissions: tuple[str, ...]
) -> None:
    proof = await signed_in(peer, *permissions)

    assert proof.failure is None
    assert [step.stage for step in proof.trace.steps] == [Stage.TOKEN, Stage.API, Stage.API]
    assert (len(peer.inbox), peer.graph.drafts(), peer.graph.sent()) == (0, [], [])


async def test_given_no_permission_to_send_when_proven_then_it_is_named(peer: GraphPeer) -> None:
    proof = await signed_in(peer, "Mail.ReadWrite")

    assert proof.failure is not None
    assert (proof.failure.reason, proof.failure.kind) == (Reason.MISSING_SCOPE, FailureKind.MISCONFIGURED)
    assert "Mail.Send," in proof.failure.cause
    assert proof.failure.fixes


async def test_given_a_shared_mailbox_when_proven_then_the_shared_permission_counts(peer: GraphPeer) -> None:
    good = await signed_in(peer, "Mail.Send.Shared", mailbox=SHARED)
    bad = await signed_in(peer, "Mail.Send", mailbox=SHARED)

    assert good.failure is None
    assert bad.failure is not None
    assert "Mail.Send.Shared" in bad.failure.cause
    assert "Full Access to the mailbox shared@sandbox.example" in bad.failure.remedy


async def test_given_no_cloud_mailbox_when_proven_then_that_is_the_failure(peer: GraphPeer) -> None:
    peer.graph.directory.set_state(str(ROBOT), MailboxState.NOT_ENABLED)

    proof = await signed_in(peer)

    assert proof.failure is not None
    assert proof.failure.reason is Reason.MAILBOX_NOT_FOUND


async def test_given_an_application_when_submitted_then_it_goes_by_its_address_and_never_by_me(peer: GraphPeer) -> None:
    async with a_sender(peer.root, peer.graph.access_token("")) as sender:
        settings = as_app(sender.settings)
        report = await sender.submit(a_message(), settings=settings)

    assert report.failure is None
    assert ["/users/robot@sandbox.example/sendMail" in record.path for record in peer.graph.records] == [True]


def as_app(settings: MailSettings) -> MailSettings:
    assert isinstance(settings.authentication, OAuthAuthentication)
    app = replace(settings.authentication, grant_type=GrantType.CLIENT_CREDENTIALS)
    return replace(settings, authentication=app)


async def test_given_another_from_address_when_submitted_then_exchange_s_right_decides(peer: GraphPeer) -> None:
    content = a_message().replace(b"From: Robot <robot@sandbox.example>", b"From: Team <team@sandbox.example>")
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT))) as sender:
        refused = await sender.submit(content)
        peer.graph.directory.allow(str(ROBOT), str(TEAM), Right.SEND_AS)
        taken = await sender.submit(content)

    assert refused.failure is not None
    assert (refused.failure.reason, refused.failure.kind) == (Reason.SENDER_REFUSED, FailureKind.MISCONFIGURED)
    assert "Send As" in refused.failure.remedy
    assert taken.failure is None
    assert [message.header("From") for message in peer.inbox] == ["Team <team@sandbox.example>"]


@pytest.mark.parametrize("saves", [True, False])
async def test_given_the_wish_for_a_copy_when_submitted_then_sent_items_has_one_or_none(
    peer: GraphPeer, saves: bool
) -> None:
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT)), save_to_sent_items=saves) as sender:
        report = await sender.submit(a_message())

    (message,) = list(peer.inbox)
    assert report.failure is None
    assert len(peer.graph.sent()) == int(saves)
    assert (message.subject, message.message_id) == ("Grüße", "<one@sandbox.example>")


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
async def test_given_a_wish_to_wait_when_refused_then_it_is_the_retry_time(
    peer: GraphPeer, status: int, as_date: bool
) -> None:
    """F36."""
    fault = Fault(
        operation=Operation.SEND_MAIL, status=status, retry_after=timedelta(seconds=120), retry_after_as_date=as_date
    )
    peer.graph.fail_next(fault)
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT))) as sender:
        report = await sender.submit(a_message())

    assert report.failure is not None
    assert report.failure.retry_time is not None
    waited = report.failure.retry_time - peer.graph.now()
    assert timedelta(seconds=60) < waited <= timedelta(seconds=121)
    assert report.failure.kind in (FailureKind.THROTTLED, FailureKind.TRANSIENT)
