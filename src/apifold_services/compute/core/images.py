"""Images: what servers are made of; and what was made of servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from apifold import Database, Denied, Invalid, NotFound
from apifold_services.compute.core.image_folder import Image, ImageFolder
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.quotas import Quotas
from apifold_services.compute.core.tables import images

Metadata = Mapping[str, str]


class Images:
    """The images of a deployment.

    Args:
        database: with the service's tables.
        folder: those that the deployment has.
        snapshots: where disks lie that were made of servers.
        quotas: how much of what they may have.
    """

    def __init__(self, database: Database, folder: ImageFolder, snapshots: Path, quotas: Quotas) -> None:
        self.database = database
        self.folder = folder
        self.snapshots = snapshots
        self.quotas = quotas

    def page(self, project: str = "") -> list[Image]:
        """Those of the folder, by name, then those that were made of a project's servers; of all, where none is
        named."""
        statement = select(images).order_by(images.c.number)
        if project:
            statement = statement.where(images.c.project_id == project)
        given = self.folder.images()
        boots = {image.id: image.boot for image in given}
        with self.database.reading() as connection:
            made = [self._made(row, boots.get(row.base_id, {})) for row in connection.execute(statement)]
        return [*given, *made]

    def get(self, id: str, project: str = "") -> Image:
        """An image that a project may use. Raises NotFound."""
        found = next((one for one in self.page(project) if one.id == id), None)
        if found is None:
            raise NotFound(f"Image {id} could not be found.")
        return found

    def chosen(self, id: str, project: str, flavor: Mapping[str, Any]) -> Image:
        """The image that somebody wants a server of.

        Raises:
            Invalid: there is none, it can't be used now, or the flavor is too small for it.
        """
        try:
            image = self.get(id, project)
        except NotFound:
            raise Invalid(f"Image {id} could not be found.") from None
        if image.status != "active":
            raise Invalid(f"Image {id} is not active.")
        if image.min_ram > flavor["ram"]:
            raise Invalid("Flavor's memory is too small for requested image.")
        if flavor["disk"] and image.min_disk > flavor["disk"]:
            raise Invalid("Flavor's disk is smaller than the minimum size specified in image metadata.")
        return image

    def begin(self, connection: Connection, server: Any, name: str, metadata: Mapping[str, str]) -> str:
        """Note an image that is to be made of a server; its id."""
        id, moment = str(uuid.uuid4()), now()
        given = next((one.min_ram for one in self.folder.images() if one.id == server.image_id), None)
        made = select(images.c.min_ram).where(images.c.id == server.image_id)
        least = given if given is not None else connection.scalar(made) or 0
        values = {"id": id, "project_id": server.project_id, "name": name, "status": "queued", "server_id": server.id}
        values |= {"base_id": server.image_id, "size": 0, "min_disk": server.flavor["disk"]}
        values["min_ram"] = least
        connection.execute(insert(images).values(**values, metadata=dict(metadata), created=moment, updated=moment))
        return id

    def finish(self, id: str, size: int) -> None:
        """An image is made."""
        with self.database.writing() as connection:
            values = {"status": "active", "size": size, "updated": now()}
            connection.execute(update(images).where(images.c.id == id).values(**values))

    def delete(self, id: str, project: str = "") -> None:
        """Remove an image that was made of a server. Raises NotFound; Denied: it is the deployment's."""
        image = self.get(id, project)
        if not image.server:
            raise Denied(f"You are not allowed to delete image {id}: it lies in the deployment's folder.")
        self.discard(id)

    def discard(self, id: str) -> None:
        """Remove an image that was made of a server, if it is there."""
        with self.database.writing() as connection:
            connection.execute(delete(images).where(images.c.id == id))
        self.disk_of(id).unlink(missing_ok=True)

    def abandon(self, id: str) -> None:
        """Remove an image that was to be made of a server, unless it was made."""
        with self.database.writing() as connection:
            unfinished = (images.c.id == id) & (images.c.status != "active")
            gone = connection.execute(delete(images).where(unfinished)).rowcount
        if gone:
            self.disk_of(id).unlink(missing_ok=True)

    def change_metadata(self, id: str, project: str, change: Callable[[Metadata], Metadata]) -> Image:
        """Have other metadata on an image that was made of a server.

        Args:
            change: gives them, of those that are there.

        Raises:
            NotFound: there is no such image.
            Denied: it is the deployment's, or that is too much.
        """
        if not self.get(id, project).server:
            raise Denied(f"You are not allowed to change image {id}: it lies in the deployment's folder.")
        with self.database.writing() as connection:
            row = connection.execute(select(images).where(images.c.id == id).with_for_update()).first()
            if row is not None:
                changed = dict(change(row.metadata))
                self.quotas.admit_metadata(connection, row.project_id, changed)
                values = {"metadata": changed, "updated": now()}
                connection.execute(update(images).where(images.c.id == id).values(**values))
        return self.get(id, project)

    def backups(self, server: str, kind: str) -> list[str]:
        """The ids of the backups of a kind that were made of a server, the newest first."""
        statement = select(images).where(images.c.server_id == server).order_by(images.c.number.desc())
        with self.database.reading() as connection:
            return [row.id for row in connection.execute(statement) if row.metadata.get("backup_type") == kind]

    def disk_of(self, id: str) -> Path:
        """Where the disk of an image that was made of a server lies."""
        return self.snapshots / f"{id}.qcow2"

    def _made(self, row: Row[Any], boot: Mapping[str, str]) -> Image:
        file = self.disk_of(row.id)
        return Image(
            id=row.id,
            name=row.name,
            status=row.status,
            created=row.created,
            updated=row.updated,
            size=row.size,
            min_disk=row.min_disk,
            min_ram=row.min_ram,
            format="qcow2",
            metadata={"image_type": "snapshot", "instance_uuid": row.server_id, **row.metadata},
            file=file if file.is_file() else None,
            boot=boot,
            project=row.project_id,
            server=row.server_id,
            base=row.base_id,
        )


def behind(found: Sequence[Image], marker: str) -> Sequence[Image]:
    """Those that come after the one of an id; all of them where none is said. Raises Invalid: it is none of these."""
    if not marker:
        return found
    at = next((at for at, one in enumerate(found) if one.id == marker), None)
    if at is None:
        raise Invalid(f"marker [{marker}] not found")
    return found[at + 1 :]
