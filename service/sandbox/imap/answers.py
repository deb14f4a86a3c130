"""How a command ends other than well."""

from __future__ import annotations


class Refused(Exception):
    """NO: understood, and not done. The text may begin with a response code."""


class Malformed(Exception):
    """BAD: not in the protocol's grammar, or not allowed in this state."""


class Ended(Exception):
    """The session is over; the text, if any, is said after ``* BYE``."""
