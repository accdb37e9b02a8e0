"""Server metadata: what owners note about their servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Invalid, NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "server-metadata", "Server metadata", "Notes about servers.", "2013-03-18T00:00:00Z", core=True
)


def list_metadata(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    return {"metadata": core.servers.get(server_id, ask.project).row.metadata}


def add_metadata(core: ComputeCore, ask: Ask, server_id: str, metadata: Mapping[str, str]) -> Any:
    return {"metadata": core.servers.set_metadata(ask, server_id, metadata, whole=False)}


def replace_metadata(core: ComputeCore, ask: Ask, server_id: str, metadata: Mapping[str, str]) -> Any:
    return {"metadata": core.servers.set_metadata(ask, server_id, metadata, whole=True)}


def show_metadata(core: ComputeCore, ask: Ask, server_id: str, key: str) -> Any:
    return {"meta": one_of(core.servers.get(server_id, ask.project).row.metadata, key)}


def set_metadata(core: ComputeCore, ask: Ask, server_id: str, key: str, meta: Mapping[str, str]) -> Any:
    core.servers.set_metadata(ask, server_id, same_key(key, meta), whole=False)
    return {"meta": meta}


def delete_metadata(core: ComputeCore, ask: Ask, server_id: str, key: str) -> None:
    core.servers.delete_metadata(ask, server_id, key)


def one_of(metadata: Mapping[str, str], key: str) -> dict[str, str]:
    """One item. Raises NotFound."""
    if key not in metadata:
        raise NotFound("Metadata item was not found")
    return {key: metadata[key]}


def same_key(key: str, meta: Mapping[str, str]) -> Mapping[str, str]:
    """An item that is sent where it belongs. Raises Invalid: it is another one."""
    if key not in meta:
        raise Invalid("Request body and URI mismatch")
    return meta
