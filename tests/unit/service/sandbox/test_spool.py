from __future__ import annotations

import gc
import os

import pytest

from service.sandbox.spool import IN_MEMORY, Spool


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("sizes", [(), (0,), (3, 4), (IN_MEMORY,), (IN_MEMORY, 1), (1, IN_MEMORY, 5)])
def test_given_pieces_when_read_then_they_are_in_order_from_any_place(sizes: tuple[int, ...]) -> None:
    pieces = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    whole = b"".join(pieces)
    spool = Spool()

    for piece in pieces:
        spool.append(piece)

    assert spool.size_bytes == len(whole)
    assert spool.read() == whole
    assert spool.read(2, 3) == whole[2:5]
    assert spool.read(len(whole) + 1) == b""
    assert b"".join(spool.chunks(300_000)) == whole


def test_given_more_than_memory_holds_when_nobody_holds_the_spool_then_its_file_is_gone() -> None:
    gc.collect()
    before = descriptors()
    spool = Spool(b"x" * (IN_MEMORY + 1))
    assert descriptors() == before + 1

    del spool
    gc.collect()

    assert descriptors() == before


def test_given_what_memory_holds_when_appending_then_there_is_no_file() -> None:
    before = descriptors()

    spool = Spool(b"x" * IN_MEMORY)

    assert descriptors() == before
    assert spool.size_bytes == IN_MEMORY
