"""A secret that cannot be printed by accident."""

from __future__ import annotations

from typing import Never

from domain.errors import SecretUnreadable


class Secret:
    """
    A password, client secret or token: prints as ``***`` in every form; `reveal` alone gives the text.

    Two secrets are equal when their texts are. A secret has no hash, no order, no length and cannot be pickled,
    so that it ends up neither as a key nor in a cache file.
    """

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Returns the secret's text, for the one call that needs it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> Never:
        raise TypeError("a Secret is not written anywhere; seal it with the Vault")


class UnreadableSecret(Secret):
    """A stored secret that does not open: its key is gone, or the row was altered. It is false and stays closed."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("")

    def reveal(self) -> Never:
        """Raises SecretUnreadable: nothing is ever signed in with an empty password."""
        raise SecretUnreadable(
            "A stored secret cannot be opened with the keys that mailport has.",
            remedy="Enter the secret again with Configure, or bring back the key that it was sealed with.",
        )
