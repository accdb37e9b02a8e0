"""Key pairs: the public keys that servers let their owners in with."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from apifold import Conflict, Database, Invalid, MissingExtra, NotFound
from apifold_services.compute.core.listing import Cut, ordered
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.tables import keypairs

COMMENT = "Generated-by-apifold"


class Keypairs:
    """The key pairs of users.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self, user: str, cut: Cut) -> Sequence[Row[Any]]:
        """Some of a user's key pairs, by name. Raises Invalid: the marker is none of them."""
        statement = select(keypairs).where(keypairs.c.user_id == user)
        with self.database.reading() as connection:
            marker = None
            if cut.marker:
                marker = connection.execute(statement.where(keypairs.c.name == cut.marker)).first()
                if marker is None:
                    raise Invalid(f"marker [{cut.marker}] not found")
            known = {"name": keypairs.c.name}
            rows: Sequence[Row[Any]] = connection.execute(
                ordered(statement, cut, known, keypairs.c.number, marker)
            ).all()
            return rows

    def get(self, user: str, name: str) -> Row[Any]:
        """A user's key pair. Raises NotFound."""
        with self.database.reading() as connection:
            row: Row[Any] | None = connection.execute(
                select(keypairs).where(keypairs.c.user_id == user, keypairs.c.name == name)
            ).first()
        if row is None:
            raise NotFound(f"Keypair {name} not found for user {user}")
        return row

    def count(self, user: str) -> int:
        """How many a user has."""
        with self.database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(keypairs).where(keypairs.c.user_id == user)) or 0

    def keep(self, user: str, name: str, public_key: str, kind: str) -> Row[Any]:
        """Keep a public key.

        Args:
            kind: `ssh`, or `x509` for a certificate (PEM).

        Raises:
            Invalid: it is no such key.
            Conflict: the user has one of that name.
        """
        fingerprint = _ssh_fingerprint(public_key) if kind == "ssh" else _x509_fingerprint(public_key)
        values = {"user_id": user, "name": name, "type": kind, "public_key": public_key, "fingerprint": fingerprint}
        try:
            with self.database.writing() as connection:
                connection.execute(insert(keypairs).values(**values, created=now()))
        except IntegrityError:
            raise Conflict(f"Key pair '{name}' already exists.") from None
        return self.get(user, name)

    def delete(self, user: str, name: str) -> None:
        """Remove a key pair; servers keep the key. Raises NotFound."""
        with self.database.writing() as connection:
            gone = connection.execute(delete(keypairs).where(keypairs.c.user_id == user, keypairs.c.name == name))
            if not gone.rowcount:
                raise NotFound(f"Keypair {name} not found for user {user}")


def generate() -> tuple[str, str]:
    """A new key: private (OpenSSH's PEM) and public (one line).

    Raises:
        MissingExtra: the library that makes keys is not installed.
    """
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # not needed to serve
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415  # as above
    except ModuleNotFoundError:
        raise MissingExtra("to make keys", "compute") from None
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} {COMMENT}\n"


def _ssh_fingerprint(public_key: str) -> str:
    """MD5 of an SSH public key (RFC 4253, 6.6; RFC 4716, 4), as clients compare it.

    Raises:
        Invalid: it is none.
    """
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
