"""
What remedies say of time, in words that are true wherever the failure is met.

A queued message is tried again by itself; a test mail, a validation and a consent happen once, while somebody waits.
"""

from __future__ import annotations

from typing import Final

WAIT: Final = (
    "A queued message is tried again by itself; try anything else, such as a test mail, again in some minutes."
)
WAIT_LONGER: Final = (
    "A queued message is tried again by itself after a pause; try anything else, such as a test mail, again later."
)
WAIT_A_DAY: Final = (
    "A queued message is tried again by itself as the 24 hours roll on; try anything else, such as a test mail, "
    "tomorrow."
)
REST_LATER: Final = (
    "The remaining recipients of a queued message are tried again by themselves; otherwise send to fewer at once."
)
CONSENT_STAYS: Final = f"{WAIT} The consent is not affected."
CONSENT_STAYS_LONGER: Final = f"{WAIT_LONGER} The consent is not affected."

OR_GRAPH: Final = ", or send through Microsoft Graph"
"""Ends a remedy against what Exchange Online keeps from SMTP alone."""
