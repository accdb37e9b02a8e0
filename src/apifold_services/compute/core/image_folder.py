"""A folder of images: each disk in it is one, and a file beside it says more."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from apifold import DescriptionErrors, read_file
from apifold_services.compute.core.moments import kept

DISKS = {".qcow2": "qcow2", ".img": "raw", ".raw": "raw"}
"""Disk formats by the ending of a file's name."""

_NAMESPACE = uuid.UUID("0c9f1f4e-3c28-4b4f-8a9f-3f0d9c6b8f55")

log = logging.getLogger("apifold.compute")


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


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a file says of an image.

    Attributes:
        min_disk, min_ram: what a flavor must have, in GiB and MiB.
        kernel, initrd, append: files beside it, and a command line, for what is booted without a disk's own loader.
    """

    id: str = ""
    name: str = ""
    min_disk: int = 0
    min_ram: int = 0
    properties: dict[str, str] = {}
    kernel: str = ""
    initrd: str = ""
    append: str = ""


Seen = tuple[tuple[Path, int, int], ...]
"""The files of an image: each with when it was changed, and its size."""


class ImageFolder:
    """The images in a folder: each disk (`NAME.qcow2`, `NAME.img`, `NAME.raw`) is one; `NAME.yaml` beside it, or alone,
    says more (`Said`). A file is read again where it has changed; what can't be read is logged once, and left out.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[Seen, Image | None] = {}

    def images(self) -> list[Image]:
        """Those that there are now, by their files' names."""
        read = {seen: self._read[seen] if seen in self._read else _image(seen) for seen in self._look()}
        self._read = read
        return [image for image in read.values() if image is not None]

    def _look(self) -> list[Seen]:
        if not self.path.is_dir():
            return []
        files: dict[str, list[tuple[Path, int, int]]] = {}
        for path in sorted(self.path.iterdir()):
            if path.suffix in DISKS or path.suffix == ".yaml":
                known = path.stat()
                files.setdefault(path.stem, []).append((path, known.st_mtime_ns, known.st_size))
        return [tuple(seen) for seen in files.values()]


def _image(seen: Seen) -> Image | None:
    """The image of a disk, of what is said about it, or of both; None where that can't be read."""
    files = {path.suffix: path for path, _, _ in seen}
    said = Said()
    if ".yaml" in files:
        try:
            said = msgspec.convert(read_file(files[".yaml"]) or {}, Said, strict=False)
        except (DescriptionErrors, msgspec.ValidationError) as error:
            log.error("image %s is left out: %s", files[".yaml"], error)
            return None
    disk = next(((path, size) for path, _, size in seen if path.suffix in DISKS), None)
    moment = kept(datetime.fromtimestamp(max(changed for _, changed, _ in seen) / 1e9, UTC))
    home, stem = seen[0][0].parent, seen[0][0].stem
    boot = {key: str(home / name) for key, name in (("kernel", said.kernel), ("initrd", said.initrd)) if name}
    return Image(
        id=said.id or str(uuid.uuid5(_NAMESPACE, stem)),
        name=said.name or stem,
        status="active",
        created=moment,
        updated=moment,
        size=disk[1] if disk else 0,
        min_disk=said.min_disk,
        min_ram=said.min_ram,
        format=DISKS[disk[0].suffix] if disk else "raw",
        metadata=said.properties,
        file=disk[0] if disk else None,
        boot={**boot, "append": said.append} if boot else {},
    )
