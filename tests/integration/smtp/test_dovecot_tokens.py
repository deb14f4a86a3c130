"""A real submission server that checks tokens by introspection: XOAUTH2 and OAUTHBEARER as Dovecot speaks them."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from tests.fakes.tokens import FakeTokens
from tests.integration.smtp.introspection import Introspection
from tests.integration.smtp.sending import IMPLICIT_TLS, STARTTLS, Sender, failure_of, some_settings, step_of
from tests.integration.smtp.test_tokens import OAUTH
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.require import require

ALICE = dataclasses.replace(OAUTH, username="alice@example.test")
LONG = "T" * 3000


@pytest.fixture(scope="module")
def introspection() -> Iterator[Introspection]:
    with Introspection({"GOOD": ALICE.username, LONG: ALICE.username, "BOBS": "bob@example.test"}) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def token_dovecot(ca: TestCA, introspection: Introspection) -> Iterator[Dovecot]:
    require("Dovecot", missing=Dovecot.missing())
    folder = Path(tempfile.mkdtemp(prefix="mailport-dovecot-tokens-"))
    server = Dovecot(folder=folder, issued=ca.issue("dovecot-tokens"), users={}, introspection_url=introspection.url)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("token", ["GOOD", LONG], ids=["short", "long"])
async def test_given_a_good_token_when_sent_then_the_mail_is_in_the_mailbox(
    sender: Sender, token_dovecot: Dovecot, token: str
) -> None:
    """F23: a token of 3,000 letters does not fit the command."""
    recipient = f"inbox-{len(token)}@example.test"
    settings = some_settings(token_dovecot.submission, security=STARTTLS, authentication=ALICE)

    report = await sender.submit(settings, recipient, tokens=FakeTokens(token))

    assert report.failure is None
    assert step_of(report, Stage.AUTH).detail == "OAUTHBEARER"
    assert b"\nHello\n" in token_dovecot.mail_of(recipient)[0]


async def test_given_a_stale_token_when_renewed_then_the_mail_goes_out_on_the_same_connection(
    sender: Sender, token_dovecot: Dovecot
) -> None:
    settings = some_settings(token_dovecot.submissions, security=IMPLICIT_TLS, authentication=ALICE)
    tokens = FakeTokens("STALE", "GOOD")

    report = await sender.submit(settings, "renewed@example.test", tokens=tokens)

    assert report.failure is None
    assert tokens.rejected == [None, "STALE"]
    assert [step.stage for step in report.trace.steps].count(Stage.CONNECT) == 1


@pytest.mark.parametrize("token", ["STALE", "BOBS"])
async def test_given_tokens_that_are_bad_or_anothers_when_sent_then_consent_is_needed(
    sender: Sender, token_dovecot: Dovecot, token: str
) -> None:
    settings = some_settings(token_dovecot.submission, security=STARTTLS, authentication=ALICE)

    report = await sender.submit(settings, tokens=FakeTokens(token, f"{token}2"))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, FailureKind.REAUTHORIZE)
    assert sender.passed_no_return == 0


async def test_given_a_token_that_was_revoked_when_sent_again_then_it_is_refused(
    sender: Sender, token_dovecot: Dovecot, introspection: Introspection
) -> None:
    settings = some_settings(token_dovecot.submission, security=STARTTLS, authentication=ALICE)
    introspection.tokens["SHORT-LIVED"] = ALICE.username
    before = await sender.submit(settings, "revoked@example.test", tokens=FakeTokens("SHORT-LIVED"))

    del introspection.tokens["SHORT-LIVED"]
    after = await sender.submit(settings, "revoked@example.test", tokens=FakeTokens("SHORT-LIVED"))

    assert before.failure is None
    assert failure_of(after).kind is FailureKind.REAUTHORIZE
