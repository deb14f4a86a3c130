"""A Graph simulator and a transport towards it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from service.sandbox.graph.simulator import GraphSimulator
from tests.graph_builders import ROBOT, Sender, a_sender
from tests.peers.graph import GraphPeer, started_graph


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[GraphPeer]:
    """A simulator of its own."""
    async with started_graph() as started:
        yield started


@pytest_asyncio.fixture
async def graph(peer: GraphPeer) -> GraphSimulator:
    """What the peer is."""
    return peer.graph


@pytest_asyncio.fixture
async def sender(peer: GraphPeer) -> AsyncIterator[Sender]:
    """A transport whose token may do everything in the robot's mailbox."""
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT))) as made:
        yield made
