"""Peers that a machine may lack: left out on a laptop, an error where everything must run."""

from __future__ import annotations

import os

import pytest

REQUIRE_PEERS = "MAILPORT_TESTS_REQUIRE_PEERS"


def require(peer: str, *, missing: str | None) -> None:
    """
    Skips the test, giving *missing* as the reason why *peer* cannot run here; goes on when that is None.

    With MAILPORT_TESTS_REQUIRE_PEERS=1 the test fails instead: there a skipped test would look like a passed one.
    """
    if missing is None:
        return
    if os.environ.get(REQUIRE_PEERS) == "1":
        pytest.fail(f"{peer} is required here ({REQUIRE_PEERS}=1): {missing}", pytrace=False)
    pytest.skip(f"{peer}: {missing}")
