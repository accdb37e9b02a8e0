"""Images, and what was uploaded into each."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apifold import Conflict, Deployment
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.resources import Resource, Resources


class Received:
    """An upload on its way into a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.size = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        self._stream = file.open("wb")

    @property
    def checksum(self) -> str:
        """MD5, as the image API has it."""
        return self._digest.hexdigest()

    def add(self, piece: bytes) -> None:
        """A piece has come."""
        self.size += len(piece)
        self._digest.update(piece)
        self._stream.write(piece)

    def close(self) -> None:
        """That was all."""
        self._stream.close()


class Images(Resources):
    """The images of a project, and those that everybody sees."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, "Image", ({**FIXED["image"], **image} for image in FIXED["images"]))

    def add(self, project: str, wish: dict[str, Any]) -> Resource:
        """A new image, without content. Raises Conflict where its id is taken."""
        return self.create(project, {**FIXED["image"], **wish})

    @contextmanager
    def receiving(self) -> Iterator[Received]:
        """An upload; what is not filled into an image is gone at the end."""
        self._folder.mkdir(parents=True, exist_ok=True)
        received = Received(self._folder / f"{uuid.uuid4()}.part")
        try:
            yield received
        finally:
            received.close()
            received.file.unlink(missing_ok=True)

    def check_queued(self, project: str, id: str) -> None:
        """See whether an image can be filled. Raises as `fill` does."""
        _queued(self.get(project, id))

    def fill(self, project: str, id: str, received: Received) -> None:
        """Fill an image with an upload.

        Raises:
            NotFound: there is none.
            Conflict: it is filled already.
        """

        def filled(image: Resource) -> Resource:
            _queued(image)
            return {"status": "active", "size": received.size, "checksum": received.checksum}

        received.close()
        self.change(project, id, filled)
        received.file.replace(self._folder / id)

    def content(self, project: str, id: str) -> Path | None:
        """The file with what was uploaded; None where nothing was. Raises NotFound where there is no such image."""
        self.get(project, id)
        file = self._folder / id
        return file if file.is_file() else None

    @property
    def _folder(self) -> Path:
        return Path(self.deployment.directory()) / "images"


def _queued(image: Resource) -> None:
    if image["status"] != "queued":
        raise Conflict(f"Image status transition from {image['status']} to saving is not allowed")
