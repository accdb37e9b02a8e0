"""The documents and pages of one API: `openapi.json`, `openapi.yaml`, `swagger.json`, `ui`. Handlers like any."""

from __future__ import annotations

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
    """

    title: str
    base: str
    flavour: str
    data: dict[str, Any]
    status: str = ""
    json: bytes = b""
    yaml: bytes = b""

    @property
    def address(self) -> str:
        """Its path, without the public prefix."""
        return f"{self.base}/{'swagger' if self.flavour == '2.0' else 'openapi'}.json"

    def as_json(self) -> bytes:
        if not self.json:
            self.json = msgspec.json.encode(self.data)
        return self.json

    def as_yaml(self) -> bytes:
        if not self.yaml:
            self.yaml = yaml.dump(self.data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120).encode()
        return self.yaml


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
