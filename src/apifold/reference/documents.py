"""The documents and pages of one API: `openapi.json`, `openapi.yaml`, `swagger.json`, `ui`. Handlers like any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from apifold.errors import NotFound
from apifold.http import Request, Response
from apifold.reference.pages import CONTENT_SECURITY_POLICY
from apifold.reference.pages import redoc as redoc_page
from apifold.reference.pages import swagger_ui as swagger_ui_page

_PAGE = (("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", CONTENT_SECURITY_POLICY))


@dataclass(slots=True)
class Document:
    """One API's description as clients are shown it, each form written once.

    Attributes:
        base: its base path, "" for `/`.
        data: OpenAPI or Swagger as its author wrote it.
        parts: gives what others add to it at this moment.
    """

    title: str
    base: str
    flavour: str
    data: dict[str, Any]
    status: str = ""
    parts: Callable[[], tuple[dict[str, Any], ...]] = tuple
    json: bytes = b""
    yaml: bytes = b""
    written: tuple[dict[str, Any], ...] = ()

    @property
    def address(self) -> str:
        """Its path, without the public prefix."""
        return f"{self.base}/{'swagger' if self.flavour == '2.0' else 'openapi'}.json"

    def as_json(self) -> bytes:
        self._look()
        if not self.json:
            self.json = msgspec.json.encode(_merged(self.data, self.written))
        return self.json

    def as_yaml(self) -> bytes:
        self._look()
        if not self.yaml:
            data = _merged(self.data, self.written)
            self.yaml = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120).encode()
        return self.yaml

    def _look(self) -> None:
        """Forget what was written where the parts are others now."""
        parts = self.parts()
        if len(parts) != len(self.written) or any(new is not old for new, old in zip(parts, self.written, strict=True)):
            self.written, self.json, self.yaml = parts, b"", b""


def _merged(data: dict[str, Any], parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """A document with the paths and the schemas of others."""
    if not parts:
        return data
    merged = {**data, "paths": dict(data["paths"])}
    for part in parts:
        merged["paths"] |= part["paths"]
        for key in ("definitions", "components"):
            if key in part:
                merged[key] = _together(merged.get(key) or {}, part[key])
    return merged


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = {**one[key], **other[key]}
    return both


class _Dumper(yaml.CSafeDumper):
    """Writes no anchors: what is shared in memory is written where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_json(document: Document) -> Response:
    return Response(200, document.as_json(), (("Content-Type", "application/json"),))


def as_yaml(document: Document) -> Response:
    return Response(200, document.as_yaml(), (("Content-Type", "application/yaml"),))


def as_swagger(document: Document) -> Response:
    if document.flavour != "2.0":
        raise NotFound("This API is described in OpenAPI 3: see openapi.json.")
    return as_json(document)


def swagger_ui(document: Document, request: Request) -> Response:
    address = f"{request.prefix}{document.address}"
    return Response(200, swagger_ui_page(document.title, address, request.prefix, document.status).encode(), _PAGE)


def redoc(document: Document, request: Request) -> Response:
    address = f"{request.prefix}{document.address}"
    return Response(200, redoc_page(document.title, address, request.prefix, document.status).encode(), _PAGE)
