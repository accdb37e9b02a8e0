"""Extensions: the resources that are served here."""

from __future__ import annotations

from typing import Any

from apifold import NotFound
from apifold_services.compute.resource import Resource, Resources

RESOURCE = Resource(__name__, "extensions", "Extensions", "What is served here.", "2013-03-18T00:00:00Z", core=True)


def list_extensions(resources: Resources) -> Any:
    return {"extensions": [_shown(one) for one in resources.all]}


def show_extension(resources: Resources, alias: str) -> Any:
    found = next((one for one in resources.all if one.alias == alias), None)
    if found is None:
        raise NotFound(f"There is no extension {alias!r} here.")
    return {"extension": _shown(found)}


def _shown(one: Resource) -> dict[str, Any]:
    namespace = "http://docs.openstack.org/compute/ext/fake_xml"
    said = {"alias": one.alias, "name": one.name, "description": one.description, "updated": one.updated}
    return {**said, "namespace": namespace, "links": []}
