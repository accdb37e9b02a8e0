"""Images: what servers are made of, in a folder; and what was made of servers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from apifold import Database, Denied, DescriptionErrors, Invalid, NotFound, read_file
from apifold_services.compute.core.moments import kept, now
from apifold_services.compute.core.tables import images

DISKS = {".qcow2": "qcow2", ".img": "raw", ".raw": "raw"}
"""Disk formats by the ending of a file's name."""

_NAMESPACE = uuid.UUID("0c9f1f4e-3c28-4b4f-8a9f-3f0d9c6b8f55")
_KNOWN = frozenset(("id", "name", "min_disk", "min_ram", "properties", "kernel", "initrd", "append"))


@dataclass(frozen=True, slots=True)
class Image:
    """What a server can be made of.

    Attributes:
        size: of its disk, in bytes.
        min_disk, min_ram: what a flavor must have, in GiB and MiB.
        file: its disk, where it has one.
        boot: kernel, initrd and their command line, for one that is booted without a disk's own loader.
        server: of which it was made, with the image that this one was made of as `base`.
    """

    id: str
    name: str
    status: str
    created: str
    updated: str
    size: int = 0
    min_disk: int = 0
    min_ram: int = 0
    format: str = "raw"
    metadata: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    boot: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    server: str = ""
    base: str = ""


class Images:
    """The images of a deployment.

    Each disk in the folder (`NAME.qcow2`, `NAME.img`, `NAME.raw`) is an image; `NAME.yaml` beside it, or alone, says
    more: `{id, name, min_disk, min_ram, properties, kernel, initrd, append}`.

    Args:
        database: with the service's tables.
        folder: theirs.
        snapshots: where disks lie that were made of servers.
    """

    def __init__(self, database: Database, folder: Path, snapshots: Path) -> None:
        self.database = database
        self.folder = folder
        self.snapshots = snapshots

    def page(self, project: str = "") -> list[Image]:
        """Those of the folder, by name, then those that were made of a project's servers; of all, where none is
        named."""
        statement = select(images).order_by(images.c.number)
        if project:
            statement = statement.where(images.c.project_id == project)
        given = self._given()
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
        values = {"id": id, "project_id": server.project_id, "name": name, "status": "queued", "server_id": server.id}
        values |= {"base_id": server.image_id, "size": 0, "min_disk": server.flavor["disk"], "min_ram": 0}
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

    def set_metadata(self, id: str, project: str, metadata: Mapping[str, str]) -> Image:
        """Have other metadata on an image that was made of a server. Raises NotFound; Denied: it is the
        deployment's."""
        if not self.get(id, project).server:
            raise Denied(f"You are not allowed to change image {id}: it lies in the deployment's folder.")
        with self.database.writing() as connection:
            values = {"metadata": dict(metadata), "updated": now()}
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

    def _given(self) -> list[Image]:
        if not self.folder.is_dir():
            return []
        files: dict[str, dict[str, Path]] = {}
        for path in sorted(self.folder.iterdir()):
            if path.suffix in DISKS or path.suffix == ".yaml":
                files.setdefault(path.stem, {})["said" if path.suffix == ".yaml" else "disk"] = path
        return [_image(stem, there) for stem, there in files.items()]


def _image(stem: str, there: Mapping[str, Path]) -> Image:
    """The image of a disk, of what is said about it, or of both. Raises Invalid: what is said can't be read."""
    file: Path | None = there.get("disk")
    said: Any = {}
    if "said" in there:
        try:
            said = read_file(there["said"]) or {}
        except DescriptionErrors as error:
            raise Invalid(str(error)) from None
        if not isinstance(said, dict) or not said.keys() <= _KNOWN:
            raise Invalid(f"{there['said']}: an image says only {', '.join(sorted(_KNOWN))}")
    changed = max(path.stat().st_mtime for path in there.values())
    moment = kept(datetime.fromtimestamp(changed, UTC))
    home = next(iter(there.values())).parent
    boot = {key: str(home / said[key]) for key in ("kernel", "initrd") if key in said}
    return Image(
        id=str(said.get("id") or uuid.uuid5(_NAMESPACE, stem)),
        name=str(said.get("name", stem)),
        status="active",
        created=moment,
        updated=moment,
        size=file.stat().st_size if file else 0,
        min_disk=int(said.get("min_disk", 0)),
        min_ram=int(said.get("min_ram", 0)),
        format=DISKS[file.suffix] if file else "raw",
        metadata={str(key): str(value) for key, value in (said.get("properties") or {}).items()},
        file=file,
        boot={**boot, "append": str(said.get("append", ""))} if boot else {},
    )
