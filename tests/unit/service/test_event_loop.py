"""The event loop that is served on: the fast one where it is, the usual one elsewhere."""

from __future__ import annotations

import asyncio
import sys

import pytest

from service import event_loop


async def loops_module() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_given_uvloop_when_run_then_it_is_the_loop() -> None:
    assert event_loop.run(loops_module()) == "uvloop"


def test_given_no_uvloop_when_run_then_asyncios_own_loop_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # importing it fails from now on

    assert event_loop.run(loops_module()) == "asyncio"


def test_given_work_that_fails_when_run_then_its_error_comes_out() -> None:
    async def fail() -> None:
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        event_loop.run(fail())
