"""The largest file that Graph takes: it arrives byte for byte, and is never held three times."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from hashlib import blake2b
from pathlib import Path

from domain.graph.files import files_in, pieces_of
from tests.graph_builders import ROBOT, a_file, a_message
from tests.peers.graph import started_graph

SIZE = 149_000_000
_LINES = 57 * 20_000
_ROOT = Path(__file__).parents[3]


def write_message(path: Path) -> str:
    """Writes a message with one file of `SIZE` octets, and returns the file's hash."""
    small = a_message(a_file(57))
    (file,) = files_in(small)
    piece, told = a_file(_LINES).content, blake2b()
    with path.open("wb") as out:
        out.write(small[: file.body])
        for first in range(0, SIZE, _LINES):
            octets = piece[: min(_LINES, SIZE - first)]
            told.update(octets)
            out.write(base64.encodebytes(octets).replace(b"\n", b"\r\n"))
        out.write(small[file.end + 2 :])
    return told.hexdigest()


async def test_given_149_mb_when_submitted_then_it_arrives_and_memory_stays_below_three_times_the_file(
    tmp_path: Path,
) -> None:
    message = tmp_path / "message.eml"
    wanted = write_message(message)
    async with started_graph() as peer:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.graph.submit_file",
            str(message),
            peer.root,
            peer.graph.access_token(str(ROBOT)),
            cwd=_ROOT,
            env={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'proto'}"},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await child.communicate()
        (arrived,) = list(peer.inbox)
        drafts = peer.graph.drafts()

    told = json.loads(printed)
    raw = arrived.raw
    (file,) = files_in(raw)
    found = blake2b()
    for octets in pieces_of(raw, file):
        found.update(octets)
    assert told["failure"] == ""
    assert (file.size, found.hexdigest(), drafts) == (SIZE, wanted, [])
    assert told["peak"] < 3 * SIZE
