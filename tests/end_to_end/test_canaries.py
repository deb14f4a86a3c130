"""
T10 for OAuth and SMTP: secrets are planted everywhere, peers repeat them, and they come out nowhere (P14, P15, P30).

A real process with its logs at debug, a database that logs every statement with its parameters, peers that write each
secret into their error texts. All RPCs are made, well and badly; then everything that came out is searched.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from psycopg import sql

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.system.keyfile import KeyFile
from mailport.v1 import configuration_pb2, delivery_pb2, mailbox_service_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.canary import Hit, Scanner, report
from tests.conftest import FASTER
from tests.end_to_end.conftest import a_message
from tests.end_to_end.listening import Listener, all_methods
from tests.end_to_end.planting import ACCOUNT, Planted, client, settings, without_person
from tests.end_to_end.process import MailportProcess, a_process
from tests.integration.oauth.token_endpoint import CUT, HANG, Reply, TokenEndpoint
from tests.peers.ca import TestCA, server_context
from tests.peers.echoing_smtp import EchoingSmtp, disguises
from tests.peers.faulty_smtp import FaultySmtp
from tests.unit.service.rpc.test_never_a_secret import SECRET_FIELDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TELLING: Final = {
    **FASTER,
    "log_statement": "all",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_min_error_statement": "error",
    "log_error_verbosity": "verbose",
}
"""An operator's database that writes all it can."""
JWT_BEARER: Final = configuration_pb2.OAUTH_GRANT_TYPE_JWT_BEARER
MAILBOX: Final = mailbox_service_pb2.DESCRIPTOR.services_by_name["MailboxService"].methods_by_name
LATER: Final = set(MAILBOX)
"""What this version does not offer yet."""
CLIENT_CREDENTIALS: Final = configuration_pb2.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS


@dataclass
class Scene:
    """What the flows work with, and what they leave behind."""

    listener: Listener
    mailport: MailportProcess
    planted: Planted
    dsn: str
    endpoint: TokenEndpoint
    mail: EchoingSmtp
    spare: EchoingSmtp
    """For configurations whose deliveries go on in the background, so that they do not use up the other's refusals."""
    ca: TestCA
    deliveries: list[str] = field(default_factory=list)
    places: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def smtp(self) -> dict[str, object]:
        return self.smtp_of(self.mail)

    def smtp_of(self, server: FaultySmtp) -> dict[str, object]:
        return {"host": "localhost", "port": server.port, "ca_certificates": self.ca.pem}

    def keep(self, place: str, *data: bytes) -> None:
        self.places.setdefault(place, []).extend(data)

    async def configure(self, name: str, written: configuration_pb2.Settings) -> None:
        await self.listener.ok(
            "Configure", api.ConfigureRequest(configuration_id=name, settings=written), of=api.ConfigureResponse
        )

    async def authorize(self, name: str, *, save: bool = False) -> str:
        """Returns the state of a new consent session."""
        request = api.AuthorizeRequest(configuration_id=name, save=save)
        begun = await self.listener.ok("Authorize", request, of=api.AuthorizeResponse)
        self.dump()
        return self.planted.saw("state", begun.state)

    def code(self) -> str:
        return self.planted.new("code", "4/0A{}=")

    def landed(self, **query: str) -> str:
        return f"{self.listener.web_url}/oauth/callback?{urlencode(query)}"

    async def test(self, name: str, *, is_refused: str | None = None, **fields: object) -> None:
        """Sends a test mail, and expects the reason *is_refused*, or that it is sent."""
        request = api.SendTestRequest(configuration_id=name, to="anna@example.test", **fields)  # type: ignore[arg-type]
        if is_refused is None:
            await self.listener.ok("SendTest", request, of=api.SendTestResponse)
        else:
            assert await self.listener.refused("SendTest", request) == is_refused
        self.dump()

    async def read(self, name: str) -> configuration_pb2.Configuration:
        request = api.GetConfigurationRequest(configuration_id=name)
        got = await self.listener.ok("GetConfiguration", request, of=api.GetConfigurationResponse)
        return got.configuration

    def dump(self) -> None:
        """Keeps each column of each row: octets as they are, all else as text."""
        with psycopg.connect(self.dsn, autocommit=True, options="-c log_statement=none") as reader:
            tables = reader.execute("select table_name from information_schema.tables where table_schema = 'public'")
            for (table,) in tables.fetchall():
                for row in reader.execute(sql.SQL("select * from {}").format(sql.Identifier(table))):
                    values = [bytes(v) if isinstance(v, bytes | memoryview) else _written(v) for v in row]
                    self.keep(f"table {table}", *values)


def _written(value: object) -> bytes:
    return (json.dumps(value) if isinstance(value, dict | list) else str(value)).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory, ca: TestCA) -> AsyncIterator[Scene]:
    """Everything has been done in it, and the process is gone."""
    folder = tmp_path_factory.mktemp("canaries") / "data"
    folder.mkdir(mode=0o700)
    keys, planted = folder / "ring.json", Planted()
    KeyFile(keys).create(now=datetime.now(UTC))
    ring = json.loads(keys.read_bytes())
    planted.saw("key", ring["digest_key"])
    planted.saw("key", ring["keys"][0]["material"])
    postgres = EmbeddedPostgres(folder.parent / "postgres", settings=_TELLING)
    dsn = await asyncio.to_thread(postgres.start)
    try:
        password = psycopg.conninfo.conninfo_to_dict(dsn)["password"]
        planted.saw("database password", str(password))
        async with AsyncExitStack() as stack:
            context = server_context(ca.issue("echoing"))
            mail = await stack.enter_async_context(EchoingSmtp(context=context))
            spare = await stack.enter_async_context(EchoingSmtp(context=context))
            endpoint = await stack.enter_async_context(TokenEndpoint(planted.grants))
            environment = {
                "MAILPORT_DATABASE_URL": dsn,
                "MAILPORT_KEYS_FILE": str(keys),
                "MAILPORT_LOG_LEVEL": "debug",
                "MAILPORT_LOG_FORMAT": "json",
            }
            mailport = await stack.enter_async_context(a_process(folder, **environment))
            listener = Listener(
                grpc_address=mailport.grpc_address, web_url=mailport.web_url, credential=planted.new("credential")
            )
            stack.push_async_callback(listener.close)
            made = Scene(listener, mailport, planted, dsn, endpoint, mail, spare, ca)
            await play(made)
            made.keep("argv", *_command_lines(mailport.process.pid))
            made.dump()
            assert mailport.process.stdout is not None
            assert await mailport.stop() == 0
            made.keep("standard output", await mailport.process.stdout.read())
        made.keep("log", (folder.parent / "data.log").read_bytes())
        made.keep("database's log", (folder.parent / "postgres/pg.log").read_bytes())
        yield made
    finally:
        await asyncio.to_thread(postgres.stop)


def _command_lines(pid: int) -> list[bytes]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{each}/cmdline").read_bytes() for each in (str(pid), *children)]


async def play(scene: Scene) -> None:
    """Goes through all there is; each part says what it does."""
    late = asyncio.create_task(a_token_endpoint_that_never_answers(scene))
    await settings_that_are_refused(scene)
    await consents_that_are_refused(scene)
    await consents_on_the_page(scene)
    await tokens_that_are_refused(scene)
    await mail_with_tokens(scene)
    await mail_that_is_steered(scene)
    await accounts_without_a_person(scene)
    await accounts_with_a_password(scene)
    await a_pasted_answer(scene)
    await mailboxes_that_are_not_there(scene)
    await late
    await pages_and_lists(scene)
    await an_end(scene)


async def settings_that_are_refused(scene: Scene) -> None:
    secret, password = scene.planted.new("client_secret"), scene.planted.new("password")
    wrong = settings({"host": f"https://{secret}", "port": 0}, oauth=client(f"{secret}\n", "ftp://x"))
    also = settings({"host": "localhost", "port": 70_000}, password=f"{password}\x07")
    key = scene.planted.service_account()
    cut = settings(scene.smtp, oauth=without_person(key[:-40], "https://id.example.test/token", JWT_BEARER))
    wrong.smtp.host = "https://x"
    for written in (wrong, also, cut):
        request = api.ConfigureRequest(configuration_id="wrong", settings=written)
        assert await scene.listener.refused("Configure", request) != ""
        unsaved = api.SendTestRequest(to="anna@example.test", settings=written)
        assert await scene.listener.refused("SendTest", unsaved) != ""


async def consents_that_are_refused(scene: Scene) -> None:
    listener, planted = scene.listener, scene.planted
    secret = planted.new("client_secret", "cs {} ü&%")
    await scene.configure("office", settings(scene.smtp, oauth=client(secret, scene.endpoint.url)))

    async def refused(**fields: str) -> str:
        return await listener.refused("CompleteAuth", api.CompleteAuthRequest(**fields))

    # No callbacks: nothing is asked of anybody, and the state stays.
    state, code = await scene.authorize("office"), scene.code()
    assert await refused(state=planted.new("state"), code=code) == "STATE_INVALID"
    for fields in (
        {"code": code},
        {"state": state},
        {"state": state, "code": f"{code}\r\n"},
        {"state": state, "code": code + "x" * 9_000},
        {"state": state, "code": code, "callback_url": scene.landed(state=state, code=code)},
        {"callback_url": f"{scene.landed(state=state, code=code)}&code=2"},
        {"callback_url": f"{scene.landed(state=state, code=code)}%ff"},
        {"callback_url": f"http://127.0.0.1/{code}#{state}"},
        {"callback_url": f"{scene.landed(code=code)}&stat={state}"},
    ):
        assert await refused(**fields) != ""

    # The provider refuses in the browser, in both forms, and repeats whatever the address held.
    told = " ".join(each for secret in (code, state) for each in disguises(secret))
    said = {"error": "server_error", "error_description": told[:1000]}
    assert await refused(state=state, code=code, iss=f"https://{code}", **said) != ""
    state, code = await scene.authorize("office"), scene.code()
    told = " ".join(each for secret in (code, state) for each in disguises(secret))
    said = {"error": f"no {code}", "error_description": told}
    assert await refused(callback_url=scene.landed(state=state, code=code, **said)) != ""
    await scene.read("office")
    state = await scene.authorize("office")
    assert await refused(state=state, code=scene.code(), iss="https://elsewhere.example") != ""

    # The token endpoint refuses, in all manners.
    for reply in (
        planted.refuses,
        lambda asked: planted.refuses(asked, error="invalid_client", status=401),
        lambda asked: planted.refuses(asked, error="temporarily_unavailable", status=503),
        planted.misses,
        planted.mocks,
        planted.raves,
        planted.babbles,
        lambda asked: planted.grants(asked, token_type="mac"),
        lambda asked: planted.grants(asked, refresh_token=None),
        CUT,
    ):
        scene.endpoint.answers[:] = [reply]
        state, code = await scene.authorize("office"), scene.code()
        assert await refused(state=state, code=code) != ""
        await scene.read("office")
        scene.dump()
    # It grants, and the mail server refuses, so that the account is not proven.
    scene.endpoint.answers[:] = [planted.grants]
    scene.mail.refusals = 5
    assert await refused(state=await scene.authorize("office"), code=scene.code()) != ""
    scene.mail.refusals = 0
    assert await refused(state=state, code=code) == "STATE_INVALID"  # used up

    # And all is well, in both forms.
    request = api.CompleteAuthRequest(state=await scene.authorize("office"), code=scene.code())
    assert (await listener.ok("CompleteAuth", request, of=api.CompleteAuthResponse)).authorized
    landed = scene.landed(state=await scene.authorize("office"), code=scene.code(), session_state=planted.new("state"))
    whole = api.CompleteAuthRequest(callback_url=landed)
    assert (await listener.ok("CompleteAuth", whole, of=api.CompleteAuthResponse)).authorized
    scene.dump()


async def consents_on_the_page(scene: Scene) -> None:
    listener, planted = scene.listener, scene.planted
    secret = planted.new("client_secret")
    await scene.configure("page", settings(scene.smtp, oauth=client(secret, scene.endpoint.url)))
    state, code = await scene.authorize("page"), scene.code()
    told = " ".join(each for secret in (code, state) for each in disguises(secret))
    said = {"error": "access_denied", "error_description": told}
    assert await listener.page(scene.landed(state=state, code=code, **said)) == 400
    scene.endpoint.answers[:] = [planted.refuses]
    refused = scene.landed(state=await scene.authorize("page"), code=scene.code())
    assert await listener.page(refused) == 400
    scene.endpoint.answers[:] = [planted.grants]
    landed = scene.landed(state=await scene.authorize("page", save=True), code=scene.code())
    assert await listener.page(landed, method="HEAD") == 200
    assert await listener.page(landed, **{"Sec-Purpose": "prefetch"}) == 503
    assert await listener.page(landed, method="POST") == 405
    assert await listener.page(landed, cookie=f"session={planted.new('credential')}", referer=landed) == 200
    assert await listener.page(landed) == 200  # it tells again what came of it
    assert await listener.page(f"{landed}&code=2") == 400
    assert await listener.page(scene.landed(state=planted.new("state"), code=scene.code())) == 400
    assert await listener.page(landed.replace("/oauth/", "/oauth//")) == 404


async def tokens_that_are_refused(scene: Scene) -> None:
    """Refreshes that fail: the endpoint is asked whenever the former access token is used up, that is at once."""
    planted = scene.planted
    replies: tuple[Reply, ...] = (planted.refuses, planted.raves, planted.babbles, planted.mocks, CUT)
    for number, reply in enumerate(replies):
        name = f"refresh-{number}"
        secret = planted.new("client_secret")
        await scene.configure(name, settings(scene.smtp_of(scene.spare), oauth=client(secret, scene.endpoint.url)))
        scene.endpoint.answers[:] = [planted.grants]
        completed = api.CompleteAuthRequest(state=await scene.authorize(name, save=True), code=scene.code())
        await scene.listener.ok("CompleteAuth", completed, of=api.CompleteAuthResponse)
        scene.endpoint.answers[:] = [reply]
        request = api.SendTestRequest(configuration_id=name, to="anna@example.test")
        assert await scene.listener.refused("SendTest", request) != ""
        await send(scene, name, wait=False)
        await scene.read(name)
        scene.dump()
    scene.endpoint.answers[:] = [planted.grants]


async def send(scene: Scene, name: str, *, wait: bool = True, **fields: object) -> delivery_pb2.Delivery:
    request = api.SendRequest(configuration_id=name, message=a_message(**fields), wait=wait)
    sent = await scene.listener.ok("Send", request, of=api.SendResponse)
    scene.deliveries.append(sent.delivery.delivery_id)
    return await follow(scene, sent.delivery.delivery_id)


async def follow(scene: Scene, delivery_id: str) -> delivery_pb2.Delivery:
    request = api.GetDeliveryRequest(delivery_id=delivery_id)
    return (await scene.listener.ok("GetDelivery", request, of=api.GetDeliveryResponse)).delivery


async def mail_with_tokens(scene: Scene) -> None:
    listener, mail = scene.listener, scene.mail
    await scene.test("office")
    mail.refusals = 1  # renewed once, then taken
    await scene.test("office")
    mail.refusals = 2
    request = api.SendTestRequest(configuration_id="office", to="anna@example.test")
    assert await listener.refused("SendTest", request) != ""
    mail.refusals = 2
    proof = api.ValidateAndSaveRequest(configuration_id="office", user_email="admin@example.test")
    assert await listener.refused("ValidateAndSave", proof) != ""
    mail.refusals = 0
    proof.require_confirmation = True
    await listener.ok("ValidateAndSave", proof, of=api.ValidateAndSaveResponse)
    (code,) = re.findall(rb"\b\d{8}\b", mail.messages[-1].content)[:1]
    wrong = api.ConfirmValidationRequest(configuration_id="office", code=f"{(int(code) + 1) % 10**8:08}")
    assert await listener.refused("ConfirmValidation", wrong) == "CONFIRMATION_CODE_WRONG"
    right = api.ConfirmValidationRequest(configuration_id="office", code=code.decode())
    await listener.ok("ConfirmValidation", right, of=api.ConfirmValidationResponse)
    unsaved = api.SendTestRequest(
        configuration_id="office", to="anna@example.test", settings=(await scene.read("office")).active.settings
    )
    await listener.ok("SendTest", unsaved, of=api.SendTestResponse)

    sent = await send(scene, "office")
    assert sent.state == delivery_pb2.DELIVERY_STATE_SENT
    for stage, code_there in (("mail", 550), ("rcpt", 550), ("rcpt", 451), ("data", 554), ("dot", 554), ("dot", 250)):
        mail.plan[stage] = f"{code_there} 5.7.1 not with {{token}}"
        await send(scene, "office", wait=code_there != 451)
        scene.dump()
        del mail.plan[stage]


async def mail_that_is_steered(scene: Scene) -> None:
    """Streamed, followed, cancelled and tried again, while the mail server repeats what it was shown."""
    listener, mail, planted = scene.listener, scene.mail, scene.planted
    following = api.WatchDeliveriesRequest(configuration_id="office")
    stood = await listener.ok("WatchDeliveries", following, of=api.WatchDeliveriesResponse, at_most=1)
    mail.plan["dot"] = "554 5.7.1 not with {token}"
    request = api.SendStreamRequest(client_reference="r1", configuration_id="office", message=a_message())
    streamed = await listener.ok("SendStream", request, of=api.SendStreamResponse)
    scene.deliveries.append(streamed.delivery.delivery_id)
    nowhere = api.SendStreamRequest(client_reference="r2", configuration_id="none", message=a_message())
    assert (await listener.ok("SendStream", nowhere, of=api.SendStreamResponse)).HasField("error")
    following.cursor = stood.cursor
    last = await watched_until_failed(listener, following)  # with what the server said
    assert "***" in last.delivery.failure.provider_reply
    following.cursor = planted.new("access token", "ya29.{}")
    assert await listener.refused("WatchDeliveries", following) == "CURSOR_INVALID"

    again = api.RetryDeliveryRequest(delivery_id=streamed.delivery.delivery_id)
    await listener.ok("RetryDelivery", again, of=api.RetryDeliveryResponse)
    following.cursor = last.cursor
    last = await watched_until_failed(listener, following)
    del mail.plan["dot"]

    tomorrow = Timestamp()
    tomorrow.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    waiting = api.SendRequest(configuration_id="office", message=a_message(send_time=tomorrow))
    queued = (await listener.ok("Send", waiting, of=api.SendResponse)).delivery
    cancelled = api.CancelDeliveryRequest(delivery_id=queued.delivery_id)
    await listener.ok("CancelDelivery", cancelled, of=api.CancelDeliveryResponse)
    retried = api.RetryDeliveryRequest(delivery_id=queued.delivery_id)
    assert await listener.refused("RetryDelivery", retried) == "DELIVERY_FINAL"
    cancelled.delivery_id = streamed.delivery.delivery_id
    assert await listener.refused("CancelDelivery", cancelled) == "DELIVERY_FINAL"
    scene.dump()


async def watched_until_failed(listener: Listener, following: api.WatchDeliveriesRequest) -> Any:
    """Follows from a cursor: where it stands, accepted (unless it was begun at once), begun, refused."""
    last: Any = None
    for count in (3, 4):
        last = await listener.ok("WatchDeliveries", following, of=api.WatchDeliveriesResponse, at_most=count)
        if last.delivery.state == delivery_pb2.DELIVERY_STATE_FAILED:
            break
    assert last.delivery.state == delivery_pb2.DELIVERY_STATE_FAILED
    return last


async def accounts_without_a_person(scene: Scene) -> None:
    planted = scene.planted
    key = planted.service_account()
    clients = {
        "app": without_person(planted.new("client_secret"), scene.endpoint.url, CLIENT_CREDENTIALS),
        "robot": without_person(key, scene.endpoint.url, JWT_BEARER),
    }
    for name, oauth in clients.items():
        await scene.configure(name, settings(scene.smtp, oauth=oauth))
        for reply in (planted.refuses, planted.raves, planted.mocks, planted.babbles):
            scene.endpoint.answers[:] = [reply]
            unsaved = settings(scene.smtp, oauth=oauth)
            request = api.SendTestRequest(to="anna@example.test", settings=unsaved)
            assert await scene.listener.refused("SendTest", request) != ""
        request = api.SendTestRequest(configuration_id=name, to="anna@example.test")
        scene.endpoint.answers[:] = [planted.refuses]
        assert await scene.listener.refused("SendTest", request) != ""
        await scene.read(name)
        scene.endpoint.answers[:] = [planted.grants]
        await scene.listener.ok(
            "SendTest",
            api.SendTestRequest(to="anna@example.test", settings=settings(scene.smtp, oauth=oauth)),
            of=api.SendTestResponse,
        )
        scene.dump()


async def accounts_with_a_password(scene: Scene) -> None:
    password = scene.planted.new("password")
    plain = f"\0{ACCOUNT}\0{password}"
    lines = [line for told in (password, plain) for line in disguises(told) if "\0" not in line]
    context = server_context(scene.ca.issue("echoing-password"))
    async with FaultySmtp(context=context, passwords={ACCOUNT: password}) as server:
        smtp = scene.smtp_of(server)
        await scene.configure("basic", settings(smtp, password=password))
        server.plan["auth"] = "\r\n".join(f"535-5.7.8 no {line}" for line in lines) + "\r\n535 5.7.8 no"
        request = api.SendTestRequest(configuration_id="basic", to="anna@example.test")
        assert await scene.listener.refused("SendTest", request) != ""
        check = api.CheckAccountRequest(configuration_id="basic")
        assert await scene.listener.refused("CheckAccount", check) != ""
        proof = api.ValidateAndSaveRequest(configuration_id="basic", user_email="admin@example.test")
        assert await scene.listener.refused("ValidateAndSave", proof) != ""
        del server.plan["auth"]
        server.announce = (f"X-TOLD {password}",)
        await scene.listener.ok("CheckAccount", check, of=api.CheckAccountResponse)
        await scene.listener.ok("ValidateAndSave", proof, of=api.ValidateAndSaveResponse)
        server.plan["dot"] = f"554 5.7.1 {password}"
        await send(scene, "basic")
        scene.dump()


async def a_token_endpoint_that_never_answers(scene: Scene) -> None:
    """Beside all else, since it takes as long as mailport waits."""
    secret = scene.planted.new("client_secret")
    async with TokenEndpoint(HANG) as endpoint:
        oauth = without_person(secret, endpoint.url, CLIENT_CREDENTIALS)
        request = api.SendTestRequest(to="anna@example.test", settings=settings(scene.smtp, oauth=oauth))
        assert await scene.listener.refused("SendTest", request) != ""
        assert endpoint.is_hanging.is_set()


async def a_pasted_answer(scene: Scene) -> None:
    token = scene.planted.new("access token", "ya29.{}")
    told = f'{{"error": "invalid_grant", "access_token": "{token}"}} Bearer {token}'
    explained = await scene.listener.ok("Explain", api.ExplainRequest(text=told), of=api.ExplainResponse)
    assert explained.failure.reason == "REAUTH_REQUIRED"


async def mailboxes_that_are_not_there(scene: Scene) -> None:
    for name in MAILBOX:
        assert await scene.listener.refused(name, _mailbox_request(name)) == "MAILBOX_DISABLED"


def _mailbox_request(name: str) -> Message:
    request = getattr(mailbox_service_pb2, MAILBOX[name].input_type.name)(configuration_id="office")
    for wanted, value in (("mailbox_message_id", "x"), ("folder", "Sent")):
        if wanted in MAILBOX[name].input_type.fields_by_name:
            setattr(request, wanted, value)
    if name == "SetFlags":
        request.add_flags.append("$Done")
    assert isinstance(request, Message)
    return request


async def pages_and_lists(scene: Scene) -> None:
    listener = scene.listener
    await listener.ok("GetOptions", api.GetOptionsRequest(), of=api.GetOptionsResponse)
    listed = await listener.ok("ListConfigurations", api.ListConfigurationsRequest(), of=api.ListConfigurationsResponse)
    assert len(listed.configurations) > 5
    await listener.ok("ListDeliveries", api.ListDeliveriesRequest(), of=api.ListDeliveriesResponse)
    for delivery_id in scene.deliveries:
        delivery = await follow(scene, delivery_id)
        assert delivery.attempts[0].HasField("end_time"), "its attempt had as long as the endpoint that never answers"
    for path in ("/", "/livez", "/readyz", "/metrics"):
        assert await listener.page(f"{listener.web_url}{path}") == 200


async def an_end(scene: Scene) -> None:
    """Grants are given up, and the provider has something to say about it."""
    listener, planted = scene.listener, scene.planted
    for name, reply in (
        ("office", planted.refuses),
        ("page", planted.raves),
        ("refresh-1", planted.grants),
    ):
        scene.endpoint.answers[:] = [reply]
        request = api.RevokeAuthRequest(configuration_id=name)
        await listener.ok("RevokeAuth", request, of=api.RevokeAuthResponse)
        scene.dump()
    assert await listener.refused("RevokeAuth", api.RevokeAuthRequest(configuration_id="none")) != ""
    scene.endpoint.answers[:] = [planted.refuses]
    for name in ("office", "refresh-2", "robot", "basic"):
        deletion = api.DeleteConfigurationRequest(configuration_id=name)
        await listener.ok("DeleteConfiguration", deletion, of=api.DeleteConfigurationResponse)


async def test_given_all_that_was_done_then_no_rpc_and_no_kind_of_secret_was_left_out(scene: Scene) -> None:
    """Else the silence of the others would prove nothing."""
    assert scene.listener.driven == set(all_methods())
    assert scene.listener.succeeded == set(all_methods()) - LATER
    assert scene.planted.kinds == {
        "access token",
        "assertion",
        "client_secret",
        "code",
        "code_verifier",
        "credential",
        "database password",
        "key",
        "password",
        "private key",
        "refresh token",
        "state",
    }
    assert scene.mail.seen, "no token was shown to the mail server"


async def test_given_all_that_was_answered_when_walked_then_no_field_named_like_a_secret_was_set(scene: Scene) -> None:
    """P14: write only. Beside the names, an answer's `state` and address of Authorize are all that may hold one."""
    assert {"mailport.v1.BasicAuthentication.password_set", "mailport.v1.Grant.account"} <= scene.listener.fields_set
    named_so = {name for name in scene.listener.fields_set if name.rpartition(".")[2] in SECRET_FIELDS}
    assert named_so == {
        "mailport.v1.GetOptionsResponse.callback_url",  # the service's own address
        "mailport.v1.SendError.code",  # a gRPC status
    }


async def test_given_all_that_was_done_then_what_is_searched_holds_what_happened(scene: Scene) -> None:
    heard = b"\n".join(data for kept in scene.listener.heard.values() for data in kept)
    rows = {place.split()[1] for place in scene.places if place.startswith("table")}
    log = b"".join(scene.places["log"])
    statements = b"".join(scene.places["database's log"])

    assert heard.count(b"***") > 20, "the peers' words were not repeated at all, so that nothing is proven of them"
    assert {"oauth_grant", "access_token", "consent_session", "consent_record", "configuration", "delivery"} <= rows
    assert b'"level": "debug"' in log
    assert log.count(b"rpc_answered") > 50
    assert b"insert into access_token" in statements.lower()
    assert b"Parameters:" in statements or b"parameters:" in statements
    assert any(b"serve" in line for line in scene.places["argv"])


async def test_given_secrets_everywhere_when_all_was_done_then_they_came_out_nowhere(scene: Scene) -> None:
    scanner = Scanner(scene.planted.canaries)
    hits: list[Hit] = []
    for place, kept in {**scene.listener.heard, **scene.places}.items():
        # Rows and answers are often the same again.
        hits += scanner.hits(b"\n\n".join(dict.fromkeys(kept)), place)

    assert not hits, report(hits)
