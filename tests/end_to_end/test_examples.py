"""The examples and the walk do what they say, against a whole mailport."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from service.walk import walk_sandbox
from tests.end_to_end.conftest import Mailport
from tests.peers.require import require

EXAMPLES = Path(__file__).parents[2] / "examples"


async def python_client(mailport: Mailport, folder: Path, *, password: str) -> tuple[int | None, str, str]:
    (folder / "password").write_text(password + "\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / "python_client.py"),
        "--server", mailport.service.grpc_address,
        "--smtp", f"{mailport.sandbox.smtp_host}:{mailport.sandbox.smtp_port}",
        "--ca-file", str(mailport.sandbox.ca_path),
        "--username", mailport.sandbox.username,
        "--password-file", str(folder / "password"),
        "--to", "you@sandbox.example",
        stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), timeout=60)
    return process.returncode, output.decode(), errors.decode()


async def test_given_the_sandbox_when_the_python_example_runs_then_it_takes_six_steps_and_the_mail_arrives(
    mailport: Mailport, tmp_path: Path
) -> None:
    code, output, errors = await python_client(mailport, tmp_path, password=mailport.sandbox.password)

    assert (code, errors) == (0, "")
    assert [line[0] for line in output.splitlines() if line[0] != " "] == list("123456")
    assert [mail.subject for mail in mailport.sandbox.inbox].count("Hello") == 1


async def test_given_a_wrong_password_when_the_python_example_runs_then_it_explains_the_refusal(
    mailport: Mailport, tmp_path: Path
) -> None:
    code, _, errors = await python_client(mailport, tmp_path, password="wrong")

    assert code == 1
    assert "FAILURE_STAGE_AUTH" in errors
    assert len(mailport.sandbox.inbox) == 0


async def test_given_the_sandbox_when_walked_twice_then_each_walk_reaches_its_mail_in_the_inbox(
    mailport: Mailport, capsys: pytest.CaptureFixture[str]
) -> None:
    walks = [
        await walk_sandbox(mailport.service.grpc_address, mailport.service.web_url, mailport.sandbox) for _ in range(2)
    ]

    assert walks == [True, True]
    shown = capsys.readouterr().out
    assert shown.count("11/11") == shown.count("oauth/callback and shows: ") == 2
    subjects = [mail.subject for mail in mailport.sandbox.inbox]
    assert subjects.count("Disk almost full") == subjects.count("Minutes of the meeting") == 2


async def run(*command: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
    output, errors = await asyncio.wait_for(process.communicate(), timeout=120)
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_given_the_sandbox_when_the_node_example_runs_then_the_mail_arrives(
    mailport: Mailport, tmp_path: Path
) -> None:
    require("npm", missing=None if shutil.which("npm") else "npm is not installed")
    folder = tmp_path / "examples" / "node"
    shutil.copytree(EXAMPLES / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "proto").symlink_to(EXAMPLES.parent / "proto")
    await run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", folder=folder)
    await mailport.configure()

    output = await run("node", "send.mjs", "anna@example.com", "alerts", mailport.service.grpc_address, folder=folder)

    assert "DELIVERY_STATE_SENT" in output
    assert any("Sent from Node." in mail.contents().text_body for mail in mailport.sandbox.inbox)
