"""A folder that is gone, for calls that name something in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import NotFound, ProviderRefused
from domain.reasons import Reason


@contextmanager
def gone_folder_as_not_found() -> Iterator[None]:
    """Raises NotFound instead of the server's word that there is no such folder."""
    try:
        yield
    except ProviderRefused as refused:
        if refused.failure.reason is Reason.FOLDER_UNKNOWN:
            raise NotFound(
                "The folder is not there (any more).",
                remedy="Take a name that ListFolders gives, or list the messages again.",
            ) from refused
        raise
