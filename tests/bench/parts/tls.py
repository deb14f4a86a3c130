"""What STARTTLS and XOAUTH2 cost on kept connections, and what keeping them saves."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from mailport.v1 import configuration_pb2
from tests.bench import contestants as c
from tests.bench.child import child, python
from tests.bench.contest import COLUMNS, Contestant, hold, notes, rows
from tests.bench.mailports import SENDER, plain_settings
from tests.bench.plan import Plan
from tests.bench.sinks import timed_sink
from tests.bench.table import Section
from tests.peers.ca import TestCA

_MESSAGES: Final = 2_000
_CONNECTIONS: Final = 10


async def measure(plan: Plan) -> Section:
    """Measures mailport with and without TLS and tokens, and aiosmtplib with them."""
    callers = max(plan.callers)
    messages = plan.messages or _MESSAGES
    async with AsyncExitStack() as stack:
        ca = TestCA(plan.new_folder("ca"))
        issued = ca.issue("sink")
        everybody: list[Contestant] = []
        if plan.wants("mailport"):
            database = stack.enter_context(plan.database())
            for name, is_secure in (("plain", False), ("STARTTLS and XOAUTH2", True)):
                sink = await stack.enter_async_context(timed_sink(issued if is_secure else None))
                settings = plain_settings(sink.port)
                if is_secure:
                    settings = await _secure_settings(plan, stack, sink.port, ca)
                running, calling = await stack.enter_async_context(c.configured(plan, database, settings=settings))
                each = c.mailport(
                    running, calling, sink, name=f"mailport, {name}, {callers} callers", callers=callers,
                    messages=messages,
                )  # fmt: skip
                each.is_reference = not is_secure
                everybody.append(each)
        if plan.wants("aiosmtplib"):
            for kept, keep in ((f"{_CONNECTIONS} kept connections", True), ("a connection for each message", False)):
                sink = await stack.enter_async_context(timed_sink(issued))
                contestant = c.aiosmtplib(
                    sink,
                    name=f"aiosmtplib, STARTTLS and XOAUTH2, {kept}",
                    connections=_CONNECTIONS,
                    messages=messages if keep else min(messages, 500),
                    keep=keep,
                    ca=ca.path,
                )
                everybody.append(await stack.enter_async_context(contestant))
        await hold(plan, everybody)
    return Section(
        "STARTTLS and XOAUTH2",
        "As above, to a sink on asyncio that is the same with and without TLS; the token comes from the sandbox's"
        " identity provider. Reference: mailport without both. Wanted: pooled at most 1.5 times the cost of plain"
        f" (× reference ≥ 0.67), and at least 5 times a connection for each message ({_CONNECTIONS} at once).",
        COLUMNS,
        rows(everybody),
        notes(everybody),
    )


async def _secure_settings(plan: Plan, stack: AsyncExitStack, port: int, ca: TestCA) -> configuration_pb2.Settings:
    folder = {"folder": str(plan.new_folder("sandbox"))}
    client = (await stack.enter_async_context(child(*python("identity", folder)))).ready
    settings = plain_settings(port)
    settings.smtp.host = "localhost"
    settings.smtp.security = configuration_pb2.CONNECTION_SECURITY_STARTTLS
    settings.smtp.ca_certificates = ca.pem
    settings.oauth.CopyFrom(
        configuration_pb2.OAuthAuthentication(
            provider=configuration_pb2.OAUTH_PROVIDER_CUSTOM,
            grant_type=configuration_pb2.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS,
            username=SENDER,
            **client,
        )
    )
    return settings
