"""Key pairs: the public keys that servers let their owners in with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from apifold import Conflict, Database, Denied, Invalid, NotFound
from apifold_services.compute.core import keys
from apifold_services.compute.core.listing import Cut, ordered
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.tables import keypairs


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

    def keep(self, user: str, name: str, public_key: str, kind: str, most: int) -> Row[Any]:
        """Keep a public key.

        Args:
            kind: as `keys` has it.
            most: how many the user may have; -1 for any number.

        Raises:
            Invalid: it is no such key.
            Denied: the user has as many as he may.
            Conflict: the user has one of that name.
        """
        fingerprint = keys.fingerprint(kind, public_key)
        values = {"user_id": user, "name": name, "type": kind, "public_key": public_key, "fingerprint": fingerprint}
        try:
            with self.database.writing() as connection:
                self.database.lock(connection, f"keypairs {user}")
                count = select(func.count()).select_from(keypairs).where(keypairs.c.user_id == user)
                if 0 <= most <= (connection.scalar(count) or 0):
                    raise Denied("Quota exceeded, too many key pairs.")
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
