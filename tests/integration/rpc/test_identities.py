"""Who calls, over real TLS and with real tokens (P19)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from domain.caller import Caller, Role
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.identity import BearerIdentity, CertificateIdentity, Identity, KeyCache, KeysInvalid, load_jwks
from service.rpc.identity.keys import LARGEST_JWKS_BYTES
from service.rpc.tls import TlsFilesInvalid, server_credentials
from service.usecases.get_options import FormOptions
from tests.fakes.environment import FakeClock
from tests.integration.rpc.edge import Edge, an_edge, refusal
from tests.peers.ca import Issued, TestCA
from tests.unit.service.rpc.identity.calls import AUDIENCE, ISSUER, Issuer

BILLING = "spiffe://acme/billing"
CLIENTS = {BILLING: Caller("acme", frozenset({Role.SEND}))}


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    return TestCA(tmp_path / "ca")


def trusting(ca: TestCA, client: Issued | None = None) -> grpc.ChannelCredentials:
    if client is None:
        return grpc.ssl_channel_credentials(ca.path.read_bytes())
    return grpc.ssl_channel_credentials(ca.path.read_bytes(), client.key.read_bytes(), client.certificate.read_bytes())


@asynccontextmanager
async def mutual_tls(ca: TestCA, client: Issued | None, *, authority: TestCA | None = None) -> AsyncIterator[Edge]:
    server = ca.issue("server")
    credentials = server_credentials(certificate=server.certificate, key=server.key, client_ca=ca.path)
    async with an_edge(
        identity=CertificateIdentity(clients=CLIENTS),
        credentials=credentials,
        channel_credentials=trusting(authority or ca, client),
    ) as edge:
        edge.use_cases.returns("get_options", FormOptions(providers=(), data_centers=(), callback_url=""))
        yield edge


async def test_given_a_listed_certificate_when_called_then_tenant_and_roles_are_the_listed_ones(ca: TestCA) -> None:
    async with mutual_tls(ca, ca.issue("billing", uri=BILLING)) as edge:
        await edge.mail.GetOptions(pb.GetOptionsRequest())
        edge.use_cases.returns("configure", None)

        refused = await refusal(edge.mail.Configure(pb.ConfigureRequest(configuration_id="alerts")))

    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
    assert refused.metadata == {"roles": "configure"}
    assert [name for name, _, _ in edge.use_cases.asked] == ["get_options"]


async def test_given_an_unlisted_certificate_when_called_then_it_is_unauthenticated(ca: TestCA) -> None:
    async with mutual_tls(ca, ca.issue("stranger", uri="spiffe://evil/stranger")) as edge:
        refused = await refusal(edge.mail.GetOptions(pb.GetOptionsRequest()))

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNAUTHENTICATED")
    assert edge.use_cases.asked == []


async def test_given_no_certificate_or_one_of_another_authority_when_connecting_then_there_is_no_connection(
    ca: TestCA, tmp_path: Path
) -> None:
    foreign = TestCA(tmp_path / "foreign").issue("billing", uri=BILLING)

    for client in (None, foreign, ca.issue("late", uri=BILLING, expired=True)):
        async with mutual_tls(ca, client) as edge:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await edge.mail.GetOptions(pb.GetOptionsRequest(), timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert edge.use_cases.asked == []


async def test_given_a_certificate_renewed_on_disk_when_connecting_then_the_new_one_is_shown(
    ca: TestCA, tmp_path: Path
) -> None:
    renewed_ca = TestCA(tmp_path / "renewed")
    live = ca.issue("live")
    credentials = server_credentials(certificate=live.certificate, key=live.key, client_ca=None)
    async with an_edge(credentials=credentials, channel_credentials=trusting(ca)) as edge:
        edge.use_cases.returns("get_options", FormOptions(providers=(), data_centers=(), callback_url=""))
        await edge.mail.GetOptions(pb.GetOptionsRequest())

        renewed = renewed_ca.issue("server")
        shutil.copy(renewed.key, live.key)
        shutil.copy(renewed.certificate, live.certificate)

        async with grpc.aio.secure_channel(edge.target, trusting(renewed_ca)) as channel:
            await Edge(edge.target, channel, edge.use_cases, edge.server).mail.GetOptions(
                pb.GetOptionsRequest(), timeout=5
            )

    assert len(edge.use_cases.asked) == 2


async def test_given_certificate_files_that_vanish_when_connecting_then_the_former_ones_are_shown(ca: TestCA) -> None:
    live = ca.issue("live")
    credentials = server_credentials(certificate=live.certificate, key=live.key, client_ca=None)
    async with an_edge(credentials=credentials, channel_credentials=trusting(ca)) as edge:
        edge.use_cases.returns("get_options", FormOptions(providers=(), data_centers=(), callback_url=""))
        live.certificate.unlink()

        await edge.mail.GetOptions(pb.GetOptionsRequest(), timeout=5)

    assert len(edge.use_cases.asked) == 1


def test_given_no_certificate_file_when_starting_then_it_is_named(ca: TestCA, tmp_path: Path) -> None:
    live = ca.issue("live")

    with pytest.raises(TlsFilesInvalid, match=r"missing\.pem cannot be read"):
        server_credentials(certificate=tmp_path / "missing.pem", key=live.key, client_ca=None)


def bearer(issuer: Issuer, clock: FakeClock) -> Identity:
    return BearerIdentity(keys=KeyCache(load=issuer.jwks, clock=clock), issuer=ISSUER, audience=AUDIENCE, clock=clock)


async def test_given_tokens_when_called_then_tenant_and_email_reach_the_use_case_and_a_bad_one_does_not() -> None:
    clock = FakeClock()
    issuer = Issuer(clock)
    async with an_edge(identity=bearer(issuer, clock)) as edge:
        edge.use_cases.raises("get_delivery", RuntimeError())
        request = pb.GetDeliveryRequest(delivery_id="d")

        await refusal(edge.mail.GetDelivery(request, metadata=(("authorization", f"Bearer {issuer.token()}"),)))
        bad = await refusal(edge.mail.GetDelivery(request, metadata=(("authorization", "Bearer eyJ.e30.x"),)))
        none = await refusal(edge.mail.GetDelivery(request))

    ((_, (caller, _), _),) = edge.use_cases.asked
    assert caller == Caller("acme", frozenset({Role.SEND, Role.READ}), "jane@example.com")
    assert {bad.code, none.code} == {grpc.StatusCode.UNAUTHENTICATED}
    assert "eyJ" not in bad.message


@asynccontextmanager
async def keys_at(answer: bytes) -> AsyncIterator[str]:
    """An address on loopback that answers each request with these bytes and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        try:
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body


async def test_given_keys_at_an_address_when_loaded_then_tokens_are_checked_with_them() -> None:
    clock = FakeClock()
    issuer = Issuer(clock)
    async with keys_at(ok(await issuer.jwks())) as url:
        keys = KeyCache(load=load_jwks(url), clock=clock)

        assert await keys.key("k1") is not None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ok(b" " * (LARGEST_JWKS_BYTES + 1)), "larger than 256 KiB"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "answered 500"),
        (b"garbage\r\n\r\n", "cannot be reached"),
        (b"", "cannot be reached"),
    ],
)
async def test_given_an_address_that_answers_otherwise_when_loaded_then_the_reason_is_told(
    answer: bytes, why: str
) -> None:
    async with keys_at(answer) as url:
        with pytest.raises(KeysInvalid, match=why):
            await load_jwks(url)()


async def test_given_a_proxy_in_the_environment_when_loaded_then_it_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with keys_at(ok(b"{}")) as url:
        assert await load_jwks(url)() == b"{}"
