"""The port behind which secrets and message bodies are sealed before they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where one sealed value lives; what was sealed for one place opens nowhere else.

    `tenant` owns the record, `record` names it with its kind (``configuration/alerts/revision/1``), `field` names the
    value in it (``basic_password``). None may be empty: ValueError, for that is a mistake of ours, not of a caller.
    Names are compared byte for byte: a record that is renamed must be sealed again.
    """

    tenant: str
    record: str
    field: str

    def __post_init__(self) -> None:
        if not (self.tenant and self.record and self.field):
            raise ValueError("a place names its tenant, its record and its field")

    def encode(self) -> bytes:
        """
        Returns bytes that differ for any two different places.

        Each part goes in front with its length in UTF-8 bytes (4 bytes, big endian); with a separator instead,
        ``("a", "b|c", "d")`` and ``("a|b", "c", "d")`` would be one place.
        """
        parts = (part.encode("utf-8") for part in (self.tenant, self.record, self.field))
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Vault(Protocol):
    """
    Seals what must not be read in a database, a dump or a backup, and opens it again.

    The methods neither wait nor write: keys are in memory, what is sealed is the caller's to store. A vault may hold
    several keys: the newest primary one seals, any of them opens, so that keys are changed while running.
    It is safe to call from several threads.
    """

    def seal(self, plain: bytes, *, place: Place) -> bytes:
        """
        Encrypts *plain* so that only this vault's keys, and only at *place*, open it.

        The result is self-contained (it says which key made it), up to 64 bytes longer than *plain*, and another one
        at each call: equal secrets cannot be told by comparing what is stored. Empty *plain* is allowed and comes back
        empty.
        """
        ...

    def open(self, sealed: bytes, *, place: Place) -> bytes:
        """
        Returns what was sealed at *place*.

        Raises `domain.errors.SecretUnreadable` when *sealed* was made with a key that this vault lacks, was altered,
        cut short or sealed for another place, or is no sealed value at all. It never returns a part, a default or an
        empty value instead: a connection tried with an empty password would blame the wrong thing. Nothing stored
        changes by a failed opening; sealing a new value at the same place repairs it. The error's metadata has
        ``record``, ``field`` and a ``problem`` word: ``KEY_MISSING``, ``ALTERED`` (which moved and foreign values look
        like) or ``MALFORMED``.
        """
        ...

    def digest(self, data: bytes, *, purpose: str) -> bytes:
        """
        Returns a keyed hash of *data*: 32 bytes; nobody without the vault's keys can compute it or check a guess.

        For comparing without storing: the content under an idempotency key, a confirmation code. Equal *data* and
        *purpose* give equal digests on every replica, across restarts and across every change of the sealing keys, for
        the digest key is one of its own that does not rotate. Different purposes give unrelated digests; *purpose* is a
        constant of the code, never empty. Compare digests of secrets with `hmac.compare_digest`.
        """
        ...
