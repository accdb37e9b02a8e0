"""Images, and the first part of what was uploaded into each."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from apifold import Conflict, Deployment, NotFound
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.resources import Resource, Resources

KEPT_BYTES = 2**20
"""How much of an upload is kept."""


class Images(Resources):
    """The images of a project, and those that everybody sees."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, "Image", ({**FIXED["image"], **image} for image in FIXED["images"]))

    def add(self, project: str, wish: dict[str, Any]) -> Resource:
        """A new image, without content. Raises Conflict where its id is taken."""
        return self.create(project, {**FIXED["image"], **wish})

    def upload(self, project: str, id: str, content: bytes) -> None:
        """Fill an image.

        Raises:
            NotFound: there is none.
            Conflict: it is filled already.
        """

        def filled(image: Resource) -> Resource:
            if image["status"] != "queued":
                raise Conflict(f"Image status transition from {image['status']} to saving is not allowed")
            checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
            return {"status": "active", "size": len(content), "checksum": checksum}

        self.change(project, id, filled)
        self._contents.put(id, {"content": base64.b64encode(content[:KEPT_BYTES]).decode()})

    def content(self, project: str, id: str) -> bytes:
        """What was uploaded, as far as it is kept. Raises NotFound where there is no such image."""
        self.get(project, id)
        try:
            return base64.b64decode(self._contents.read(id).body["content"])
        except NotFound:
            return b""

    @property
    def _contents(self) -> Any:
        return self.deployment.collection("standin-image-contents")
