"""Microsoft Graph as the other side of a proof: the sandbox's simulator, in the test's own process."""

from __future__ import annotations

import hashlib
from email import message_from_bytes
from typing import Final

from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.identity.behaviour import Behaviour
from tests.peers.graph import GraphPeer
from tests.proofs.history import KEY_HEADER, Arrival
from tests.proofs.replicas import Replica

MAILBOX: Final = "robot@sandbox.example"


async def configure(replica: Replica, peer: GraphPeer, *names: str) -> None:
    """Makes each of *names* a configuration that sends from the one mailbox, as an app; forgets the proofs."""
    endpoints = peer.identity.endpoints(peer.web_url, Behaviour.MICROSOFT)
    settings = configuration_pb2.Settings(
        from_address=MAILBOX,
        graph=configuration_pb2.GraphTransport(base_url=peer.root, mailbox=MAILBOX),
        oauth=configuration_pb2.OAuthAuthentication(
            provider=configuration_pb2.OAUTH_PROVIDER_MICROSOFT,
            grant_type=configuration_pb2.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS,
            client_id=peer.identity.client_id(Behaviour.MICROSOFT),
            client_secret=peer.identity.client_secret(Behaviour.MICROSOFT),
            token_endpoint=endpoints.token,
            username=MAILBOX,
        ),
    )
    for name in names:
        await replica.stub.Configure(api.ConfigureRequest(configuration_id=name, settings=settings))
        await replica.stub.ValidateAndSave(api.ValidateAndSaveRequest(configuration_id=name, user_email=MAILBOX))
    peer.graph.reset()


def arrivals(peer: GraphPeer) -> list[Arrival]:
    """Returns all that went out with a key, in order."""
    found = []
    for message in peer.inbox:
        raw = message.raw
        parsed = message_from_bytes(raw)
        if key := parsed.get(KEY_HEADER, ""):
            # Of what it says, part by part: Exchange draws the boundaries between files that were uploaded.
            parts = [part.get_payload(decode=True) for part in parsed.walk() if not part.is_multipart()]
            digest = hashlib.sha256(b"\0".join(part for part in parts if isinstance(part, bytes))).hexdigest()
            found.append(
                Arrival(
                    key=key,
                    message_id=parsed.get("Message-ID", ""),
                    digest=digest,
                    sender=message.sender,
                    recipients=message.recipients,
                )
            )
    return found
