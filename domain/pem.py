"""What stands between the lines of PEM (RFC 7468), as far as its shape tells; adapters find out whether it is sound."""

from __future__ import annotations

import base64
import binascii
from typing import Final

_DER_SEQUENCE: Final = 0x30


def decoded(block: str) -> bytes | None:
    """Returns the octets of a base64 *block*, blanks aside; None when it is none."""
    try:
        return base64.b64decode("".join(block.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def is_one_sequence(der: bytes) -> bool:
    """Tells whether *der* is one ASN.1 SEQUENCE whose length is that of the octets that follow (X.690 section 8.1)."""
    if len(der) < 2 or der[0] != _DER_SEQUENCE:
        return False
    if der[1] < 0x80:
        return len(der) == 2 + der[1]
    octets = der[1] & 0x7F
    return octets in (1, 2, 3) and len(der) == 2 + octets + int.from_bytes(der[2 : 2 + octets], "big")
