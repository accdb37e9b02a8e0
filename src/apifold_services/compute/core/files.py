"""Files that servers begin with: what clients send as base64, and how much of it there may be."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from sqlalchemy import Connection

from apifold import Denied, Invalid
from apifold_services.compute.core.quotas import Quotas

Files = Sequence[tuple[str, str]]
"""Paths, each with what is in the file, as base64."""


def admit_files(quotas: Quotas, connection: Connection, project: str, files: Files) -> None:
    """Nothing, where a server may begin with files. Raises Denied, Invalid: one is no base64."""
    limits = quotas.limits_in(connection, project)
    sizes = [(len(path.encode()), len(decoded(content, "contents"))) for path, content in files]
    found = {
        "injected_files": len(sizes),
        "injected_file_path_bytes": max((path for path, _ in sizes), default=0),
        "injected_file_content_bytes": max((content for _, content in sizes), default=0),
    }
    for name, count in found.items():
        if 0 <= limits[name] < count:
            raise Denied(f"Quota exceeded for {name}: {count} of {limits[name]}")


def decoded(said: str, name: str) -> bytes:
    """What is said as base64. Raises Invalid: it is none."""
    try:
        return base64.b64decode("".join(said.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"Invalid input for field/attribute {name}: it is not base64.") from None
