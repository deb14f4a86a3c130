"""The way to Graph: names, networks and TLS, before anything is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.ports.network import DeniedAddress, EgressDenied, NameUnavailable, NameUnknown, ResolutionFailed
from domain.reasons import Reason
from tests.fakes.network import FakeResolver
from tests.graph_builders import Mark, a_message, a_sender
from tests.peers.ca import TestCA, server_context
from tests.peers.scripted_http import Reply, ScriptedHttp


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    """An authority of one's own."""
    return TestCA(tmp_path / "ca")


async def test_given_tls_when_submitted_then_the_trace_shows_what_was_negotiated_and_with_whom(ca: TestCA) -> None:
    tls = server_context(ca.issue("localhost"))
    async with ScriptedHttp(lambda _: Reply(202), tls=tls) as peer, a_sender(peer.url, ca_file=ca.path) as sender:
        report = await sender.submit(a_message())

    negotiated = report.trace.steps[-1].tls
    assert report.failure is None
    assert negotiated is not None
    assert negotiated.version == "TLSv1.3"
    assert negotiated.cipher
    assert negotiated.certificate_subject == "localhost"
    assert negotiated.certificate_issuer == "mailport test CA"
    assert negotiated.certificate_expire_time is not None


@pytest.mark.parametrize(
    ("names", "expired", "reason"),
    [
        (["elsewhere.example"], False, Reason.CERT_NAME_MISMATCH),
        (["localhost"], True, Reason.CERT_EXPIRED),
    ],
)
async def test_given_a_certificate_that_does_not_do_when_submitted_then_no_token_leaves(
    ca: TestCA, names: list[str], expired: bool, reason: Reason
) -> None:
    tls = server_context(ca.issue("bad", names=names, expired=expired))
    async with ScriptedHttp(lambda _: Reply(202), tls=tls) as peer, a_sender(peer.url, ca_file=ca.path) as sender:
        report = await sender.submit(a_message())

    assert report.failure is not None
    assert (report.failure.reason, report.failure.stage) == (reason, Stage.TLS)
    assert report.failure.kind is FailureKind.MISCONFIGURED
    assert peer.heard == []


@pytest.mark.parametrize(
    ("trouble", "reason", "stage", "kind"),
    [
        (NameUnknown("graph.example", "x"), Reason.DNS_NAME_UNKNOWN, Stage.DNS, FailureKind.MISCONFIGURED),
        (NameUnavailable("graph.example", "x"), Reason.DNS_UNAVAILABLE, Stage.DNS, FailureKind.TRANSIENT),
        (
            EgressDenied("graph.example", [DeniedAddress("10.0.0.1", "private")]),
            Reason.EGRESS_DENIED,
            Stage.CONNECT,
            FailureKind.MISCONFIGURED,
        ),
    ],
    ids=["unknown", "unavailable", "denied"],
)
async def test_given_a_host_that_may_not_be_reached_when_submitted_then_it_is_said_why_and_nothing_is_in_doubt(
    trouble: ResolutionFailed, reason: Reason, stage: Stage, kind: FailureKind
) -> None:
    resolver = FakeResolver({"graph.example": trouble})
    mark = Mark()
    async with a_sender("https://graph.example", resolver=resolver) as sender:
        report = await sender.submit(a_message(), before_content=mark)

    assert report.failure is not None
    assert (report.failure.reason, report.failure.stage, report.failure.kind) == (reason, stage, kind)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(202, headers={"Content-Encoding": "gzip"}),
        Reply(500, body=b"x" * 300_000),
    ],
    ids=["compressed", "endless"],
)
async def test_given_an_answer_that_is_not_read_when_submitted_then_it_is_in_doubt(reply: Reply) -> None:
    async with ScriptedHttp(lambda _: reply) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message())

    assert report.verdicts[0].is_in_doubt
