"""
Makes the sandbox's X.509 certificates (RFC 5280).

Key usage, basic constraints and key identifiers are all set: Python 3.13 verifies strictly and refuses a chain without.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME: Final = timedelta(days=5 * 365)
SERVER_LIFETIME: Final = timedelta(days=397)
"""Browsers and Apple's libraries refuse server certificates that live longer than 398 days."""

_CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and the private key that belongs to it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def to_pem(self) -> bytes:
        """Returns key and certificate as one PEM text; whoever writes it must keep others from reading it."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + self.certificate.public_bytes(serialization.Encoding.PEM)


def new_authority(now: datetime) -> Identity:
    """Returns a new CA that may issue server certificates and no further CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name keeps an old and a new CA apart in a trust store that has both.
    serial = x509.random_serial_number()
    name = _name(f"mailport sandbox CA {serial:x}"[:40])
    certificate = (
        _builder(subject=name, issuer=name, public_key=key.public_key(), now=now, lifetime=AUTHORITY_LIFETIME)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(key=key, certificate=certificate)


def new_server(authority: Identity, names: Iterable[str], now: datetime) -> Identity:
    """Returns a server certificate for *names* (host names or IP literals), signed by *authority*."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    issuer_key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    # Never beyond the CA's own end: clients check the whole chain.
    lifetime = min(SERVER_LIFETIME, issuer.not_valid_after_utc - now)
    certificate = (
        _builder(
            subject=_name("mailport sandbox"),
            issuer=issuer.subject,
            public_key=key.public_key(),
            now=now,
            lifetime=lifetime,
        )
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Identity(key=key, certificate=certificate)


def _builder(
    *, subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
