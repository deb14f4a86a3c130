"""The gRPC server: mailport's services behind their interceptor, health, reflection, and the bounds of connections."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from mailport.v1 import (
    mail_service_pb2,
    mail_service_pb2_grpc,
    mailbox_service_pb2,
    mailbox_service_pb2_grpc,
)
from service.rpc.intake import a_server
from service.rpc.interceptors import EdgeInterceptor
from service.rpc.lateness import Lateness
from service.rpc.mailbox_servicer import MailboxServicer
from service.rpc.servicer import MailServicer

MAIL_SERVICE: Final = mail_service_pb2.DESCRIPTOR.services_by_name["MailService"].full_name
MAILBOX_SERVICE: Final = mailbox_service_pb2.DESCRIPTOR.services_by_name["MailboxService"].full_name
_HEALTH_NAMES: Final = ("", MAIL_SERVICE, MAILBOX_SERVICE)


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.so_reuseport", 0),  # two servers on one port would share the calls in silence
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    # gRPC counts a call that is answered until the server has let go of it: of 200 a client can use 100 safely.
    ("grpc.max_concurrent_streams", 200),
    ("grpc.max_connection_age_ms", _milliseconds(timedelta(minutes=30))),
    ("grpc.max_connection_age_grace_ms", _milliseconds(timedelta(seconds=60))),
    ("grpc.max_connection_idle_ms", _milliseconds(timedelta(minutes=10))),
    # A client may ping every 20 seconds, without calls too (F44); the rest is for the network's haste.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", _milliseconds(timedelta(seconds=15))),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 2),
    # A client that vanished without a word is noticed, and what it watched is freed.
    ("grpc.keepalive_time_ms", _milliseconds(timedelta(seconds=60))),
    ("grpc.keepalive_timeout_ms", _milliseconds(timedelta(seconds=20))),
)
"""Channel arguments; clients are advised to set ``grpc.keepalive_time_ms`` to 20,000 or more."""


class GrpcServer:
    """Serves mailport's API at one address. To be made inside the running loop."""

    def __init__(
        self,
        *,
        address: str,
        mail: MailServicer,
        mailbox: MailboxServicer,
        interceptor: EdgeInterceptor,
        lateness: Lateness | None = None,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        """
        *address* is ``host:port``, IPv6 in brackets; without *credentials* it is served in plain text.

        *lateness* is kept up to date while it serves.
        """
        self._address = address
        self._credentials = credentials
        self._mail = mail
        self._mailbox = mailbox
        self._interceptor = interceptor
        self._lateness = lateness
        self._looking: asyncio.Task[None] | None = None
        self._health = health.aio.HealthServicer()
        self._server = a_server((interceptor,), OPTIONS)
        mail_service_pb2_grpc.add_MailServiceServicer_to_server(mail, self._server)
        mailbox_service_pb2_grpc.add_MailboxServiceServicer_to_server(mailbox, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (MAIL_SERVICE, MAILBOX_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> int:
        """
        Opens the port, serves, and says through health that it does; returns the port, which a 0 asked to be chosen.

        Raises RuntimeError when the address cannot be opened.
        """
        for name in _HEALTH_NAMES:
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        if self._credentials is None:
            port = self._server.add_insecure_port(self._address)
        else:
            port = self._server.add_secure_port(self._address, self._credentials)
        await self._server.start()
        if self._lateness is not None:
            self._looking = asyncio.create_task(self._lateness.run(), name="lateness of the loop")
        for name in _HEALTH_NAMES:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, grace: timedelta) -> None:
        """
        Says through health that it ends, takes no more calls, ends streams, and gives what runs *grace*.

        Where there is any grace, callers are turned away with UNAVAILABLE first, for three seconds at most.
        """
        await self._health.enter_graceful_shutdown()
        self._mail.end_streams()
        self._mailbox.end_streams()
        if grace > timedelta(0):
            await self._interceptor.turn_away()
        await self._server.stop(grace.total_seconds())
        if self._looking is not None:
            self._looking.cancel()
