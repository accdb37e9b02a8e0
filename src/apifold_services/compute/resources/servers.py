"""Servers: made, listed, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Denied, Invalid, Request
from apifold_services.compute.core import moments
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.builds import BlockDevice, Wish, password
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.listing import Cut, cut_of
from apifold_services.compute.core.networks import Wanted
from apifold_services.compute.core.servers import Server, ServerQuery
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import Allowed, ServerView, is_true, last_segment, links, page

RESOURCE = Resource(__name__, "servers", "Servers", "Virtual machines.", "2013-07-23T00:00:00Z", core=True)

NEWEST_FIRST = (("created_at", True),)
PLAIN_FILTERS = ("name", "image", "flavor", "ip", "ip6", "reservation_id")
"""What everybody may filter by."""

MORE_FILTERS = (
    ("host", "node", "user_id", "uuid", "vm_state", "task_state", "key_name", "availability_zone", "hostname")
    + ("access_ip_v4", "access_ip_v6", "description")
)  # fmt: skip
"""What administrators may filter by, too."""

Body = Mapping[str, Any]


def list_servers(
    core: ComputeCore,
    ask: Ask,
    allowed: Allowed,
    views: ServerView,
    request: Request,
    address: str,
    **said: Any,
) -> Any:
    cut, found = _list(core, ask, allowed, request, said, "index")
    return page("servers", [views.brief(one, address) for one in found], request, cut)


def list_servers_in_detail(
    core: ComputeCore,
    ask: Ask,
    allowed: Allowed,
    views: ServerView,
    request: Request,
    address: str,
    **said: Any,
) -> Any:
    cut, found = _list(core, ask, allowed, request, said, "detail")
    return page("servers", views.all(found, address, allowed), request, cut)


def show_server(core: ComputeCore, ask: Ask, allowed: Allowed, views: ServerView, address: str, server_id: str) -> Any:
    return {"server": views.full(core.servers.get(server_id, ask.project), address, allowed)}


def create_server(core: ComputeCore, ask: Ask, allowed: Allowed, address: str, body: Body) -> Any:
    said = body["server"]
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
    return {**found, "name": found["name"].strip()} if "name" in found else found


def _list(
    core: ComputeCore, ask: Ask, allowed: Allowed, request: Request, said: Mapping[str, Any], rule: str
) -> tuple[Cut, list[Server]]:
    everyone = said.get("all_tenants") is not None and _is_yes(said["all_tenants"])
    if everyone and not allowed(f"os_compute_api:servers:{rule}:get_all_tenants"):
        raise Denied(f"Policy doesn't allow os_compute_api:servers:{rule}:get_all_tenants to be performed.")
    if any(name.startswith("_") for name in request.query.split("&")):
        raise Invalid("Names of query parameters do not begin with an underscore.")
    cut = cut_of(said.get("limit"), said.get("marker"), said.get("sort_key"), said.get("sort_dir"), NEWEST_FIRST)
    project = "" if everyone else ask.caller.project
    query = _query(project, said, everything=allowed("os_compute_api:servers:allow_all_filters"))
    return cut, core.servers.page(query, cut)


def _query(project: str, said: Mapping[str, Any], *, everything: bool) -> ServerQuery:
    named = PLAIN_FILTERS + (MORE_FILTERS if everything else ())
    filters = {name: str(said[name]) for name in named if said.get(name) is not None}
    for name in ("image", "flavor"):
        if name in filters:
            filters[name] = last_segment(filters[name])
    whose = said.get("project_id") or said.get("tenant_id")
    if everything and whose and not project:
        filters["project_id"] = whose
    statuses = [one for one in said.get("status") or () if one]
    since = moments.read(said["changes_since"], "changes-since") if said.get("changes_since") else ""
    deleted: bool | None = None if since else False
    if everything and said.get("deleted") is not None:
        deleted = is_true(said["deleted"])
    if "DELETED" in {one.upper() for one in statuses}:
        deleted = everything
    tags = {name: _words(said.get(name.replace("-", "_"))) for name in TAG_FILTERS}
    return ServerQuery(project, filters, statuses, since, deleted, tags=tags)


TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")


def _words(said: str | None) -> list[str]:
    return [word for word in (said or "").split(",") if word]


def _is_yes(text: str) -> bool:
    if text == "" or is_true(text):
        return True
    if text.lower() in ("false", "0", "off", "no", "n", "f"):
        return False
    raise Invalid(f"Invalid value {text[:64]!r} for all_tenants.")


def _hints(body: Body) -> Body:
    hints: Body = body.get("os:scheduler_hints") or body.get("OS-SCH-HNT:scheduler_hints") or {}
    return hints


def _wish(said: Body, hints: Body, allowed: Allowed) -> Wish:
    zone, _, host = (said.get("availability_zone") or "").partition(":")
    host = host.partition(":")[0] or host.rpartition(":")[2]
    if host and not allowed("os_compute_api:servers:create:forced_host"):
        raise Denied("Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
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
        files=tuple((one["path"], one["contents"]) for one in said.get("personality") or ()),
        user_data=said.get("user_data") or "",
        description=said.get("description"),
        disk_config=said.get("OS-DCF:diskConfig", "MANUAL"),
        config_drive=is_true(said.get("config_drive", False)),
        access_ip_v4=said.get("accessIPv4", ""),
        access_ip_v6=said.get("accessIPv6", ""),
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
        elif one.get("source_type") not in ("image", "blank"):
            raise Invalid("Block Device Mapping is Invalid: its source is an image, a volume, or blank.")
