"""A throw-away CA whose certificates pass OpenSSL's strict checks (the default from Python 3.13 on)."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Issued(NamedTuple):
    """The PEM files of a certificate and its key."""

    certificate: Path
    key: Path


class TestCA:
    """Issues certificates under one root, whose PEM is at `path` and in `pem`."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("mailport test CA")
        self._key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            _builder(self._name, self._name, self._key, expired=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(self._key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.path = folder / "ca.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def pem(self) -> str:
        return self.path.read_text("ascii")

    def issue(
        self,
        name: str,
        *,
        names: Sequence[str] = LOCAL_NAMES,
        uri: str | None = None,
        expired: bool = False,
        begins_in: dt.timedelta | None = None,
        ends_in: dt.timedelta | None = None,
        use_rsa: bool = False,
    ) -> Issued:
        """
        Returns a server certificate for *names* (host names and addresses); with *uri*, a client one with that URI.

        *name* is the subject and the file name. It is good for three days, which end in two, yesterday when *expired*,
        else from and until when *begins_in* and *ends_in* say.
        """
        key = _key(use_rsa=use_rsa)
        begun = _builder(_name(name), self._name, key, expired=expired, begins_in=begins_in, ends_in=ends_in)
        builder = _leaf(begun, key, names, uri).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_id), critical=False
        )
        return self._written(name, builder.sign(self._key, hashes.SHA256()), key)

    def self_signed(self, name: str, *, names: Sequence[str] = LOCAL_NAMES) -> Issued:
        """Returns a server certificate that no CA vouches for."""
        key = _key(use_rsa=False)
        builder = _leaf(_builder(_name(name), _name(name), key, expired=False), key, names, None)
        return self._written(name, builder.sign(key, hashes.SHA256()), key)

    def client_context(self) -> ssl.SSLContext:
        """Returns a verifying client context that trusts this CA and no other."""
        return ssl.create_default_context(cafile=str(self.path))

    def _written(self, name: str, certificate: x509.Certificate, key: PrivateKey) -> Issued:
        issued = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key.touch(mode=0o600)
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued


def server_context(
    issued: Issued, *, oldest: ssl.TLSVersion | None = None, newest: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Returns a server's context that speaks TLS from *oldest* to *newest* (the defaults of OpenSSL)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    with warnings.catch_warnings():
        # Python warns of TLS 1.0 and 1.1; that is what these tests are about.
        warnings.simplefilter("ignore", DeprecationWarning)
        if newest is not None and newest < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # level 1 and up leaves no usable hash before TLS 1.2
            context.minimum_version = oldest or newest
        if oldest is not None:
            context.minimum_version = oldest
        if newest is not None:
            context.maximum_version = newest
    return context


def _key(*, use_rsa: bool) -> PrivateKey:
    if use_rsa:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _USAGES})


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    *,
    expired: bool,
    begins_in: dt.timedelta | None = None,
    ends_in: dt.timedelta | None = None,
) -> x509.CertificateBuilder:
    now, usual = dt.datetime.now(dt.UTC), dt.timedelta(days=-1 if expired else 2)
    begin = now + (begins_in or usual - dt.timedelta(days=3))
    end = now + (ends_in or usual)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _leaf(
    builder: x509.CertificateBuilder, key: PrivateKey, names: Sequence[str], uri: str | None
) -> x509.CertificateBuilder:
    alternatives = [_general_name(name) for name in names] if uri is None else [x509.UniformResourceIdentifier(uri)]
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if uri is None else ExtendedKeyUsageOID.CLIENT_AUTH
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature", "key_encipherment"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
