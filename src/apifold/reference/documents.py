"""The documents and pages of one API: `openapi.json`, `openapi.yaml`, `swagger.json`, `ui`. Handlers like any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from apifold.errors import NotFound
from apifold.generation.compile import Compiled
from apifold.http import Request, Response
from apifold.reference.pages import CONTENT_SECURITY_POLICY
from apifold.reference.pages import redoc as redoc_page
from apifold.reference.pages import swagger_ui as swagger_ui_page
from apifold.reference.whole import with_parts
from apifold.versions.version import Version

_PAGE = (("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", CONTENT_SECURITY_POLICY))


MAX_VERSIONS = 200
"""Versions of one document that are remembered."""


@dataclass(slots=True)
class Document:
    """One API's description as clients are shown it, each form written once.

    Attributes:
        base: its base path, "" for `/`.
        data: OpenAPI or Swagger as its author wrote it.
        status: gives its status at this moment.
        parts: gives what others add to it at this moment.
        versions: what has it at other versions, where clients may choose one.
        version: at which it is shown, where one was chosen.
    """

    title: str
    base: str
    flavour: str
    data: dict[str, Any]
    status: Callable[[], str] = str
    parts: Callable[[], tuple[Compiled, ...]] = tuple
    versions: Compiled | None = None
    version: Version | None = None
    at_versions: dict[Version, Document] = field(default_factory=dict)
    made: tuple[tuple[Compiled, ...], bytes, bytes] = ((), b"", b"")

    @property
    def address(self) -> str:
        """Its path, without the public prefix."""
        return f"{self.base}/{'swagger' if self.flavour == '2.0' else 'openapi'}.json"

    def at(self, version: str) -> Document:
        """The document as it is at a version.

        Raises:
            NotFound: there is no such version.
        """
        if not version:
            return self
        limits = self.versions.history.limits if self.versions else None
        if self.versions is None or limits is None:
            raise NotFound("Clients choose no version of this API.")
        try:
            chosen = limits.named(version)
        except ValueError as error:
            raise NotFound(f"{error}.") from None
        if chosen not in limits:
            raise NotFound(f"There are versions {limits.least} to {limits.most}.")
        if len(self.at_versions) > MAX_VERSIONS:
            self.at_versions.clear()
        if chosen not in self.at_versions:
            data = self.versions.at(chosen).written
            document = Document(self.title, self.base, self.flavour, data, self.status, self.parts, None, chosen)
            self.at_versions[chosen] = document
        return self.at_versions[chosen]

    def as_json(self) -> bytes:
        parts, written, other = self._current()
        if not written:
            written = msgspec.json.encode(self._merged(parts))
            self.made = (parts, written, other)
        return written

    def as_yaml(self) -> bytes:
        parts, other, written = self._current()
        if not written:
            data = self._merged(parts)
            written = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120).encode()
            self.made = (parts, other, written)
        return written

    def _merged(self, parts: tuple[Compiled, ...]) -> dict[str, Any]:
        """The document with its parts, at the version at which it is shown."""
        added = [(one.at(self.version) if self.version else one.description).written for one in parts]
        return with_parts(self.data, added)

    def _current(self) -> tuple[tuple[Compiled, ...], bytes, bytes]:
        """The parts as they are now, and what was written of them; changed in one step, for threads ask, too."""
        parts, made = self.parts(), self.made
        if len(parts) == len(made[0]) and all(new is old for new, old in zip(parts, made[0], strict=True)):
            return made
        return (parts, b"", b"")


class _Dumper(yaml.CSafeDumper):
    """Writes no anchors: what is shared in memory is written where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_json(document: Document, version: str = "") -> Response:
    return Response(200, document.at(version).as_json(), (("Content-Type", "application/json"),))


def as_yaml(document: Document, version: str = "") -> Response:
    return Response(200, document.at(version).as_yaml(), (("Content-Type", "application/yaml"),))


def as_swagger(document: Document, version: str = "") -> Response:
    if document.flavour != "2.0":
        raise NotFound("This API is described in OpenAPI 3: see openapi.json.")
    return as_json(document, version)


def swagger_ui(document: Document, request: Request) -> Response:
    address = f"{request.prefix}{document.address}"
    return Response(200, swagger_ui_page(document.title, address, request.prefix, document.status()).encode(), _PAGE)


def redoc(document: Document, request: Request) -> Response:
    address = f"{request.prefix}{document.address}"
    return Response(200, redoc_page(document.title, address, request.prefix, document.status()).encode(), _PAGE)
