"""What every Clock and Entropy does (domain.ports.environment)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from adapters.system.clock import SystemClock
from adapters.system.entropy import SystemEntropy
from domain.ports.environment import Clock, Entropy
from tests.fakes.environment import FakeClock, FakeEntropy


def a_fake_clock() -> Clock:
    return FakeClock()


def a_system_clock() -> Clock:
    return SystemClock()


def a_fake_entropy() -> Entropy:
    return FakeEntropy()


def a_system_entropy() -> Entropy:
    return SystemEntropy(clock=SystemClock())


@pytest.fixture(params=[a_fake_clock, a_system_clock], ids=["fake", "system"])
def clock(request: pytest.FixtureRequest) -> Clock:
    make: Callable[[], Clock] = request.param
    return make()


@pytest.fixture(params=[a_fake_entropy, a_system_entropy], ids=["fake", "system"])
def entropy(request: pytest.FixtureRequest) -> Entropy:
    make: Callable[[], Entropy] = request.param
    return make()


def test_given_a_clock_when_read_then_the_instant_is_aware_and_in_utc(clock: Clock) -> None:
    now = clock.now()

    assert now.utcoffset() == timedelta(0)


def test_given_a_clock_when_read_repeatedly_then_monotonic_never_falls(clock: Clock) -> None:
    readings = [clock.monotonic() for _ in range(1000)]

    assert all(earlier <= later for earlier, later in pairwise(readings))


@pytest.mark.parametrize(("bits", "least"), [(128, 22), (256, 43), (257, 43)])
def test_given_a_width_when_a_token_is_made_then_it_is_that_long_and_url_safe(
    entropy: Entropy, bits: int, least: int
) -> None:
    token = entropy.token(bits)

    assert len(token) >= least
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)


def test_given_an_entropy_when_tokens_are_made_then_no_two_are_alike(entropy: Entropy) -> None:
    tokens = {entropy.token() for _ in range(1000)}

    assert len(tokens) == 1000


def test_given_a_guessable_width_when_a_token_is_made_then_refused(entropy: Entropy) -> None:
    with pytest.raises(ValueError, match="128"):
        entropy.token(127)


def test_given_an_entropy_when_ids_are_made_then_they_are_version_7_and_ascend(entropy: Entropy) -> None:
    ids = [entropy.uuid() for _ in range(2000)]

    assert {(made.version, made.variant) for made in ids} == {(7, "specified in RFC 4122")}
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_given_an_entropy_when_fractions_are_made_then_they_lie_in_the_unit_interval(entropy: Entropy) -> None:
    fractions = [entropy.fraction() for _ in range(1000)]

    assert all(0.0 <= fraction < 1.0 for fraction in fractions)
    assert len(set(fractions)) > 900


@pytest.mark.parametrize("digits", [4, 6, 12])
def test_given_a_length_when_codes_are_made_then_each_has_it_and_they_differ(entropy: Entropy, digits: int) -> None:
    codes = [entropy.code(digits) for _ in range(200)]

    assert all(re.fullmatch(rf"[0-9]{{{digits}}}", code) for code in codes)
    assert len(set(codes)) > 150


def test_given_a_guessable_length_when_a_code_is_made_then_refused(entropy: Entropy) -> None:
    with pytest.raises(ValueError, match="4"):
        entropy.code(3)
