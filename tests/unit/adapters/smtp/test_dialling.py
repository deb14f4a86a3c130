from __future__ import annotations

import asyncio

import pytest

from adapters.smtp.dialling import Overtaken, Unreachable, by_turns, dial
from domain.ports.network import PeerAddress
from tests.peers.net import black_hole, free_port


def v4(number: int, port: int = 25) -> PeerAddress:
    return PeerAddress(f"127.0.0.{number}", port, 4)


def v6(number: int) -> PeerAddress:
    return PeerAddress(f"::{number}", 25, 6)


@pytest.mark.parametrize(
    ("addresses", "ordered"),
    [
        ([], []),
        ([v4(1), v4(2)], [v4(1), v4(2)]),
        ([v6(1), v6(2), v4(1), v4(2)], [v6(1), v4(1), v6(2), v4(2)]),
        ([v4(1), v6(1), v6(2), v6(3)], [v4(1), v6(1), v6(2), v6(3)]),
    ],
)
def test_given_two_families_when_ordered_then_they_alternate(
    addresses: list[PeerAddress], ordered: list[PeerAddress]
) -> None:
    """RFC 8305 section 4."""
    assert by_turns(addresses) == ordered


async def test_given_refusing_addresses_when_dialled_then_the_next_is_tried_at_once() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    start = asyncio.get_running_loop().time()

    dialled = await dial([*(v4(number, free_port()) for number in range(2, 12)), v4(1, port)], seconds=5)

    assert dialled.peer == v4(1, port)
    assert dialled.socket.getpeername() == ("127.0.0.1", port)
    assert [each.peer.ip for each in dialled.dead] == [f"127.0.0.{number}" for number in range(2, 12)]
    assert all(isinstance(each.error, ConnectionRefusedError) for each in dialled.dead)
    assert asyncio.get_running_loop().time() - start < 0.25
    dialled.socket.close()
    server.close()
    await server.wait_closed()


async def test_given_no_address_answers_when_dialled_then_all_are_named_in_time() -> None:
    """F13."""
    with black_hole() as port, pytest.raises(Unreachable) as raised:
        await dial([v4(2, port), v4(1, port)], seconds=0.3)

    assert isinstance(raised.value.errors[v4(2, port)], TimeoutError)
    assert isinstance(raised.value.errors[v4(1, port)], ConnectionRefusedError)
    assert {each.peer: each.error for each in raised.value.dead} == raised.value.errors


async def test_given_a_slow_address_when_another_answers_then_it_counts_as_overtaken() -> None:
    """F13."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with black_hole(port=port):
        dialled = await dial([v4(2, port), v4(1, port)], seconds=5)

    assert [(each.peer, type(each.error)) for each in dialled.dead] == [(v4(2, port), Overtaken)]
    assert dialled.dead[0].duration > dialled.duration
    dialled.socket.close()
    server.close()
    await server.wait_closed()


async def test_given_no_time_when_dialled_then_no_address_is_said_to_have_been_tried() -> None:
    with pytest.raises(Unreachable) as raised:
        await dial([v4(1), v4(2)], seconds=0)

    assert raised.value.dead == ()
    assert set(map(str, raised.value.errors.values())) == {"not dialled, since the time was used up"}


async def test_given_dialling_is_cancelled_when_addresses_are_under_way_then_nothing_is_left() -> None:
    with black_hole() as port:
        dialling = asyncio.create_task(dial([v4(2, port)], seconds=60))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        dialling.cancel()

        with pytest.raises(asyncio.CancelledError):
            await dialling

    assert asyncio.all_tasks() == {asyncio.current_task()}
