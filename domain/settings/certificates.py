"""Private CAs: the structure of a PEM bundle (RFC 7468). Whether a certificate is sound, the TLS adapter finds out."""

from __future__ import annotations

import base64
import re
from typing import Final

from domain.errors import Violation
from domain.pem import decoded, is_one_sequence
from domain.reasons import Reason

MAXIMUM_OCTETS: Final = 65_536
_BOUNDARY: Final = re.compile(r"-----(?:BEGIN|END) ([A-Z0-9 ]+)-----")
_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----")


def parse_ca_certificates(text: str, *, field: str) -> str | Violation:
    """
    Returns the certificates of a PEM bundle in a row, without the comments between them; "" for blank text.

    Refuses anything but CERTIFICATE blocks, and a private key with particular words.
    """
    if not text.strip():
        return ""
    if len(text.encode("utf-8", "replace")) > MAXIMUM_OCTETS:
        return Violation(
            field=field,
            reason=Reason.VALUE_TOO_LONG,
            message=f"The certificates have more than {MAXIMUM_OCTETS} octets.",
            remedy="Keep the certificate of the server's own authority alone.",
        )
    labels = _BOUNDARY.findall(text)
    if any("PRIVATE KEY" in label for label in labels):
        return Violation(
            field=field,
            reason=Reason.CA_CERTIFICATES_INVALID,
            message="This holds a PRIVATE KEY, which must never leave its server; it was not stored.",
            remedy="Paste the authority's certificate alone, and replace the key: it has been exposed.",
        )
    blocks = _BLOCK.findall(text)
    if not blocks or len(labels) != 2 * len(blocks):
        return _invalid(field, "This is not a row of whole BEGIN CERTIFICATE … END CERTIFICATE blocks.")
    certificates = [decoded(block) for block in blocks]
    for number, certificate in enumerate(certificates, start=1):
        if certificate is None or not is_one_sequence(certificate):
            return _invalid(field, f"Certificate {number} is damaged: between its lines stands no DER in base64.")
    return "".join(_encoded(certificate) for certificate in certificates if certificate is not None)


def _invalid(field: str, message: str) -> Violation:
    return Violation(
        field=field,
        reason=Reason.CA_CERTIFICATES_INVALID,
        message=message,
        remedy="Paste the authority's certificate as PEM, with its BEGIN and END lines.",
    )


def _encoded(der: bytes) -> str:
    body = base64.b64encode(der).decode("ascii")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
