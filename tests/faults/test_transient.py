"""T8: what goes wrong at a token endpoint for a while ends no grant (P12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest

from domain.errors import ProviderRefused
from domain.grant import GrantState
from service.container import Container
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.faults import Fault
from tests.faults.provider import Provider
from tests.faults.sizes import SIZES
from tests.faults.wiring import Accounts, account_of, ask

_TRANSIENT: Final = (
    Fault.SERVER_ERROR,
    Fault.HTML_503,
    Fault.TIMEOUT,
    Fault.TRUNCATED_JSON,
    Fault.TOO_MANY_REQUESTS,
    Fault.TEMPORARILY_UNAVAILABLE,
    Fault.INVALID_CLIENT,
)
_LOST: Final = frozenset({Fault.HTML_503, Fault.TIMEOUT, Fault.TRUNCATED_JSON, Fault.LOST_ANSWER})
"""After these nobody knows what the provider did."""


@pytest.mark.parametrize(
    ("behaviour", "faults"),
    [
        (Behaviour.STRICT, _TRANSIENT),
        # A refresh token that stays is worth as much after an answer that nobody could read.
        (Behaviour.GOOGLE, (*_TRANSIENT, Fault.LOST_ANSWER)),
    ],
)
async def test_given_a_grant_when_its_token_endpoint_fails_in_any_way_that_passes_then_it_lives_and_is_refreshed_later(
    behaviour: Behaviour,
    faults: tuple[Fault, ...],
    parts: Container,
    accounts: Accounts,
    provider: Provider,
    figures: Callable[[str], None],
) -> None:
    parts.authorization_server.add_kwargs(total=timedelta(seconds=1))
    name = await accounts.consented(behaviour)
    struck = [fault for fault in faults for _ in range(SIZES.fault_rounds)]

    for number, fault in enumerate(struck):
        await accounts.expire(name)
        await provider.fail_next(fault, behaviour)
        with pytest.raises(ProviderRefused):
            await ask(parts, name)
        failed = await accounts.grant(name)
        assert failed.generation == number + 1
        assert failed.state is (GrantState.REFRESH_IN_DOUBT if fault in _LOST else GrantState.AUTHORIZED), fault
        assert failed.retry_time is not None

        await accounts.expire(name)
        token = await ask(parts, name)
        stored = await accounts.grant(name)
        assert stored.state is GrantState.AUTHORIZED
        assert stored.access_tokens[0].token.reveal() == token

    given = (await provider.grants())[account_of(name)]
    calls = await provider.refresh_calls(behaviour)
    figures(f"T8 transient faults, {behaviour}: {len(struck)} struck, {calls} calls, 0 dead")
    assert given.is_alive
    assert given.reuse_detected == 0
    assert calls == 2 * len(struck)
