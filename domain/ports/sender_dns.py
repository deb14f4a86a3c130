"""The port that reads the records by which a domain says who may send in its name."""

from __future__ import annotations

from typing import Protocol


class RecordsAway(Exception):
    """The DNS did not answer, or not with what was asked for; the records may exist."""


class SenderRecords(Protocol):
    """
    Reads public DNS records.

    Names are ASCII (A-labels) and absolute, with or without the dot. A name that does not exist, or has no such record,
    is an empty answer. At most 100 records are returned. Each look-up takes two seconds at most and may be cancelled;
    raises RecordsAway when there is no answer, and nothing else.
    """

    async def knows(self, name: str) -> bool:
        """
        Tells whether *name* has name servers, exchangers, addresses or texts.

        Of a domain that somebody registered it is False only where another DNS than the public one is asked. Takes five
        look-ups at most.
        """
        ...

    async def texts(self, name: str) -> tuple[str, ...]:
        """Returns the TXT records, each with its strings joined (RFC 7208 section 3.3)."""
        ...

    async def addresses(self, name: str) -> tuple[str, ...]:
        """Returns the A and AAAA records."""
        ...

    async def exchangers(self, name: str) -> tuple[str, ...]:
        """Returns the hosts of the MX records, the preferred ones first; a null MX (RFC 7505) is none."""
        ...
