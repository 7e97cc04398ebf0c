"""
Keys of one demo org: a certificate authority, the server's certificate, the connected app's key for
JWT.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 820
"""Apple's verifier refuses server certificates that live longer than 825 days."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Files in PEM. A client must trust ``ca_file``."""

    ca_file: Path
    server_file: Path
    jwt_private_file: Path
    jwt_certificate_file: Path
    jwt_public_pem: bytes


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, where the platform knows that."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def make_keys(folder: Path) -> Keys:
    """
    Make new keys in ``folder``, replacing those of an earlier run. The authority's own key is never
    stored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sfnb demo org CA")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), ca_key, is_ca=True)

    server_key = ec.generate_private_key(ec.SECP256R1())
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    server = _certificate(server_name, ca_name, server_key.public_key(), ca_key, is_ca=False)

    jwt_key = _app_key()
    jwt_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sfnb demo connected app")])
    jwt_certificate = _certificate(jwt_name, jwt_name, jwt_key.public_key(), jwt_key, is_ca=False)

    keys = Keys(
        folder / "ca.pem",
        folder / "server.pem",
        folder / "jwt-private.pem",
        folder / "jwt-certificate.pem",
        jwt_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )  # fmt: skip
    keys.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    keys.jwt_certificate_file.write_bytes(jwt_certificate.public_bytes(serialization.Encoding.PEM))
    write_private(
        keys.server_file, _pem(server_key) + server.public_bytes(serialization.Encoding.PEM)
    )
    write_private(keys.jwt_private_file, _pem(jwt_key))
    return keys


@cache
def _app_key() -> rsa.RSAPrivateKey:
    """One in a process: to find one takes 20 to 300 ms."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    signing_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    """A certificate with the extensions that Python 3.13's strict verification requires."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS - 1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_ca,
                key_cert_sign=is_ca,
                crl_sign=is_ca,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    if not is_ca:
        names: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(signing_key, hashes.SHA256())
