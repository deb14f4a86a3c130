"""The sandbox's usual ports, and what happens when another one was quicker."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from service import running
from service.container import StartFailed
from service.options import Options


async def test_given_a_usual_port_that_is_taken_just_after_it_was_free_when_started_then_on_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as quicker:
        taken = int(quicker.getsockname()[1])
        monkeypatch.setattr(running, "_usual_or_any", lambda _: taken)  # the look that came a moment too early

        async with running.started_sandbox(Options(data_dir=tmp_path)) as sandbox:
            ports = {sandbox.smtp_port, sandbox.smtps_port}

    assert len(ports) == 2
    assert taken not in ports


async def test_given_a_folder_that_cannot_be_written_when_started_then_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "sandbox").write_text("a file where the folder would be")

    with pytest.raises(StartFailed, match="sandbox cannot start"):
        async with running.started_sandbox(Options(data_dir=tmp_path)):
            pass
