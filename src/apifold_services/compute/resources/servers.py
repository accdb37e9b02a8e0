"""Servers: made, listed, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from apifold import Denied, Invalid, Request, Version
from apifold_services.compute.core import moments
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.builds import BlockDevice, Wish, password
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.files import Files
from apifold_services.compute.core.listing import Cut, cut_of
from apifold_services.compute.core.networks import Wanted
from apifold_services.compute.core.servers import EQUAL, IGNORED_SORT_KEYS, MATCHED, Server, ServerQuery
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import YES_OR_NO, Allowed, ServerView, is_true, last_segment, links, page

RESOURCE = Resource(__name__, "servers", "Servers", "Virtual machines.", "2013-07-23T00:00:00Z", core=True)

NEWEST_FIRST = (("created_at", True),)
PLAIN_FILTERS = frozenset(("name", "image", "flavor", "ip", "reservation_id"))
"""What everybody may filter by; by `ip6` from 2.5 on."""

MORE_FILTERS = (EQUAL.keys() | MATCHED.keys()) - {"project_id"}
"""What administrators may filter by."""

ADMINISTRATORS_SORT_KEYS = {"host", "node"}
SEE_HOSTS = "os_compute_api:os-extended-server-attributes"

Body = Mapping[str, Any]


def list_servers(
    core: ComputeCore,
    ask: Ask,
    allowed: Allowed,
    views: ServerView,
    version: Version | None,
    request: Request,
    address: str,
    **said: Any,
) -> Any:
    cut, found = _list(Listing(core, ask, allowed, version), request, said, "index")
    return page("servers", [views.brief(one, address) for one in found], request, cut)


def list_servers_in_detail(
    core: ComputeCore,
    ask: Ask,
    allowed: Allowed,
    views: ServerView,
    version: Version | None,
    request: Request,
    address: str,
    **said: Any,
) -> Any:
    cut, found = _list(Listing(core, ask, allowed, version), request, said, "detail")
    return page("servers", views.all(found, address, allowed), request, cut)


def show_server(core: ComputeCore, ask: Ask, allowed: Allowed, views: ServerView, address: str, server_id: str) -> Any:
    return {"server": views.full(core.servers.get(server_id, ask.project), address, allowed)}


def create_server(
    core: ComputeCore, ask: Ask, allowed: Allowed, version: Version | None, address: str, body: Body
) -> Any:
    said = body["server"]
    if version is None or version < "2.19":
        said = {**said, "description": said["name"].strip()}
    wish = _wish(said, _hints(body), allowed)
    reservation, ids = core.builds.create(ask, wish)
    if is_true(said.get("return_reservation_id", False)):
        return {"reservation_id": reservation}
    id = ids[0]
    created = {
        "id": id,
        "links": links(address, "servers", id),
        "adminPass": said.get("adminPass") or password(),
        "OS-DCF:diskConfig": wish.disk_config,
        "security_groups": [{"name": name} for name in wish.security_groups],
    }
    return {"server": created}, 202, {"Location": f"{address}/servers/{id}"}


def update_server(core: ComputeCore, ask: Ask, views: ServerView, address: str, server_id: str, body: Body) -> Any:
    changed = core.servers.change(ask, server_id, "update", lambda _: own_values(body["server"]))
    return {"server": views.plain(changed, address)}


def delete_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.delete(ask, server_id)


def own_values(said: Body) -> dict[str, Any]:
    """What a client says of a server, as it is kept."""
    names = {
        "name": "name",
        "description": "description",
        "accessIPv4": "access_ip_v4",
        "accessIPv6": "access_ip_v6",
        "OS-DCF:diskConfig": "disk_config",
        "metadata": "metadata",
    }
    found = {names[name]: value for name, value in said.items() if name in names}
    if "name" in found:
        found["name"] = found["name"].strip()
    return found | {name: usual(found[name]) for name in ("access_ip_v4", "access_ip_v6") if name in found}


def files_of(said: Body) -> Files:
    """The files that a server is to begin with."""
    return tuple((one["path"], one["contents"]) for one in said.get("personality") or ())


def usual(address: str) -> str:
    """An address as it is usually written (RFC 5952); "" for none."""
    return str(ip_address(address)) if address else ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Who lists servers, where, and by which version."""

    core: ComputeCore
    ask: Ask
    allowed: Allowed
    version: Version | None

    @property
    def is_free(self) -> bool:
        """Whether any filter may be used."""
        return self.allowed("os_compute_api:servers:allow_all_filters")

    @property
    def names(self) -> Set[str]:
        """What may be filtered by; all else is dropped."""
        if self.is_free:
            return MORE_FILTERS
        return PLAIN_FILTERS | {"ip6"} if self.version is not None and self.version >= "2.5" else PLAIN_FILTERS


def _list(listing: Listing, request: Request, said: Mapping[str, Any], rule: str) -> tuple[Cut, list[Server]]:
    everyone = said.get("all_tenants") is not None and _is_yes(said["all_tenants"])
    if everyone and not listing.allowed(f"os_compute_api:servers:{rule}:get_all_tenants"):
        raise Denied(rule=f"os_compute_api:servers:{rule}:get_all_tenants")
    if any(name.startswith("_") for name in request.query.split("&")):
        raise Invalid("Names of query parameters do not begin with an underscore.")
    keys, directions = list(said.get("sort_key") or ()), list(said.get("sort_dir") or ())
    for at in reversed(range(len(keys))):
        if keys[at] in IGNORED_SORT_KEYS:
            del keys[at], directions[at : at + 1]
    if ADMINISTRATORS_SORT_KEYS & set(keys) and not listing.allowed(SEE_HOSTS):
        raise Denied(rule=SEE_HOSTS)
    cut = cut_of(said.get("limit"), said.get("marker"), keys, directions, NEWEST_FIRST)
    project = "" if everyone else listing.ask.caller.project
    return cut, listing.core.servers.page(_query(listing, project, said), cut)


def _query(listing: Listing, project: str, said: Mapping[str, Any]) -> ServerQuery:
    is_free = listing.is_free
    if is_free and said.get("metadata") is not None:
        raise Invalid("Invalid filter field: metadata.")
    filters = {name: str(said[name]) for name in listing.names if said.get(name) is not None}
    for name in ("image", "flavor"):
        if name in filters:
            filters[name] = last_segment(filters[name])
    whose = said.get("project_id") or said.get("tenant_id")
    if is_free and whose and not project:
        filters["project_id"] = whose
    statuses = [one.upper() for one in said.get("status") or () if one]
    since = moments.read(said["changes_since"], "changes-since") if said.get("changes_since") else ""
    deleted: bool | None = None if since else False
    if is_free and said.get("deleted") is not None:
        deleted = is_true(said["deleted"])
    elif seen := [one for one in statuses if is_free or one != "DELETED"]:
        statuses, deleted = seen, None
    tags = {name: _words(said.get(name.replace("-", "_"))) for name in TAG_FILTERS}
    return ServerQuery(project, filters, statuses, since, deleted, tags=tags)


TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")


def _words(said: str | None) -> list[str]:
    return [word for word in (said or "").split(",") if word]


def _is_yes(text: str) -> bool:
    if text == "" or text.lower() in YES_OR_NO:
        return text == "" or is_true(text)
    raise Invalid(f"Invalid value {text[:64]!r} for all_tenants.")


def _hints(body: Body) -> Body:
    hints: Body = body.get("os:scheduler_hints") or body.get("OS-SCH-HNT:scheduler_hints") or {}
    return hints


def _wish(said: Body, hints: Body, allowed: Allowed) -> Wish:
    zone, *hosts = (said.get("availability_zone") or "").split(":")
    if len(hosts) > 2:
        raise Invalid("Unable to parse availability_zone: it is a zone, and may name a host and a node after it.")
    host = next((one for one in hosts if one), "")
    if host and not allowed("os_compute_api:servers:create:forced_host"):
        raise Denied(rule="os_compute_api:servers:create:forced_host")
    group = hints.get("group") or ""
    least = int(said.get("min_count", 1))
    return Wish(
        name=said["name"].strip(),
        flavor=last_segment(said["flavorRef"]),
        image=said.get("imageRef") or "",
        key_name=said.get("key_name"),
        metadata=said.get("metadata") or {},
        networks=[_wanted(one) for one in said["networks"]] if said.get("networks") else None,
        security_groups=tuple(dict.fromkeys(one.get("name", "default") for one in said.get("security_groups") or ()))
        or ("default",),
        zone=zone.strip(),
        host=host,
        group=group[0] if isinstance(group, list) and group else group or "",
        least=least,
        most=int(said.get("max_count", least)),
        devices=tuple(_devices(said)),
        files=files_of(said),
        user_data=said.get("user_data") or "",
        description=said.get("description"),
        disk_config=said.get("OS-DCF:diskConfig", "MANUAL"),
        config_drive=is_true(said.get("config_drive", False)),
        access_ip_v4=usual(said.get("accessIPv4", "")),
        access_ip_v6=usual(said.get("accessIPv6", "")),
    )


def _wanted(said: Body) -> Wanted:
    network = said.get("uuid") or ""
    if not network and not said.get("port"):
        raise Invalid("Bad network format: missing 'uuid'")
    return Wanted(network, said.get("port") or "", said.get("fixed_ip") or "")


def _devices(said: Body) -> Any:
    older, newer = said.get("block_device_mapping") or (), said.get("block_device_mapping_v2") or ()
    if older and newer:
        raise Invalid("Using different block_device_mapping syntaxes is not allowed in the same request.")
    for one in older:
        if one.get("volume_id"):
            name = one.get("device_name") or ""
            is_root = name.rpartition("/")[2] in ("vda", "sda", "xvda", "vda1") and not said.get("imageRef")
            yield BlockDevice(one["volume_id"], name, is_root, is_true(one.get("delete_on_termination", False)))
    for one in newer:
        if one.get("source_type") == "volume":
            volume = one.get("uuid") or one.get("volume_id")
            if not volume:
                raise Invalid("Block Device Mapping is Invalid: a volume is named by its uuid.")
            is_root = str(one.get("boot_index")) == "0"
            gone = is_true(one.get("delete_on_termination", False))
            yield BlockDevice(volume, one.get("device_name") or "", is_root, gone)
        elif one.get("source_type") not in ("image", "blank") or one.get("destination_type") == "volume":
            raise Invalid("Block Device Mapping is Invalid: no volumes are made here; name one that is there.")
