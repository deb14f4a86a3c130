"""Messages as octets: MIME written for any server (RFC 5322, 2045), and other programs' MIME made fit to send."""

from __future__ import annotations

from domain.mime.compose import compose, make_message_id
from domain.mime.raw import recompose_7bit
from domain.mime.wire import is_8bit, needs_smtputf8

__all__ = ["compose", "is_8bit", "make_message_id", "needs_smtputf8", "recompose_7bit"]
