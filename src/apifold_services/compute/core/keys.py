"""Keys: made, and told by their fingerprints. A kind is `ssh`, or `x509`: a certificate, for machines without SSH."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apifold import Invalid

COMMENT = "Generated-by-apifold"

VALID_FOR = timedelta(days=3650)
"""How long a certificate lets its owner in."""

UPN = "1.3.6.1.4.1.311.20.2.3"
"""Of a certificate: the name that its owner signs in with (userPrincipalName)."""

MAX_COMMON_NAME = 64
"""Bytes (X.520, ub-common-name)."""


def generate(kind: str, user: str) -> tuple[str, str]:
    """A new key for a user: private (PEM) and public (one line, or a PEM)."""
    return _ssh() if kind == "ssh" else _x509(user)


def fingerprint(kind: str, public_key: str) -> str:
    """A key's digest, as clients compare it. Raises Invalid: it is no such key."""
    return _ssh_fingerprint(public_key) if kind == "ssh" else _x509_fingerprint(public_key)


def _ssh() -> tuple[str, str]:
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} {COMMENT}\n"


def _x509(user: str) -> tuple[str, str]:
    """With a certificate that signs itself, for a client who is the user (WinRM's certificate authentication)."""
    name = user.encode()[:MAX_COMMON_NAME].decode(errors="ignore")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    upn = x509.OtherName(x509.ObjectIdentifier(UPN), _utf8_string(f"{name}@localhost"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(whose, whose, key.public_key(), x509.random_serial_number(), now, now + VALID_FOR)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([upn]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), certificate.public_bytes(Encoding.PEM).decode()


def _utf8_string(text: str) -> bytes:
    """DER (X.690, 8.23) of a text of at most 127 bytes."""
    raw = text.encode()
    return bytes((0x0C, len(raw))) + raw


def _ssh_fingerprint(public_key: str) -> str:
    """MD5 of an SSH public key (RFC 4253, 6.6; RFC 4716, 4). Raises Invalid: it is none."""
    parts = public_key.split()
    try:
        raw = base64.b64decode(parts[1], validate=True)
        (length,) = struct.unpack(">I", raw[:4])
        if raw[4 : 4 + length].decode() != parts[0]:
            raise ValueError
    except (IndexError, ValueError, binascii.Error, struct.error):
        raise Invalid("Keypair data is invalid: failed to generate fingerprint") from None
    return _colons(hashlib.md5(raw, usedforsecurity=False).hexdigest())


def _x509_fingerprint(certificate: str) -> str:
    """SHA-1 of a certificate (PEM). Raises Invalid: it is none."""
    lines = certificate.strip().splitlines()
    try:
        if lines[0] != "-----BEGIN CERTIFICATE-----" or lines[-1] != "-----END CERTIFICATE-----":
            raise ValueError
        raw = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (IndexError, ValueError, binascii.Error):
        raise Invalid("Keypair data is invalid: failed to generate X509 fingerprint") from None
    return _colons(hashlib.sha1(raw, usedforsecurity=False).hexdigest())


def _colons(digits: str) -> str:
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
