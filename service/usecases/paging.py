"""Pages of lists (AIP-158): how many, and whether there are more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from domain.errors import InputInvalid, Violation
from domain.reasons import Reason

T = TypeVar("T")

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list."""

    items: tuple[T, ...]
    has_more: bool


def page_size(asked: int, *, most: int = MAX_SIZE) -> int:
    """Returns the size to use: 50 when unset, *most* at most. Raises InputInvalid for a negative one."""
    if asked < 0:
        raise InputInvalid(
            [
                Violation(
                    field="page_size",
                    reason=Reason.VALUE_OUT_OF_RANGE,
                    message="A page size cannot be negative.",
                    remedy=f"Leave it 0 for {DEFAULT_SIZE}, or give up to {most}.",
                )
            ]
        )
    return min(asked or DEFAULT_SIZE, most)


def cut(found: Sequence[T], limit: int) -> Page[T]:
    """Makes a page of *found*, which was read with one more than *limit*."""
    return Page(items=tuple(found[:limit]), has_more=len(found) > limit)
