"""CloudKitty API v1: its names, its ways of writing, its redirects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from apifold import Caller, Conflict, Invalid, NotFound, NotServed, Page, Request
from apifold_services.rating.core.moments import is_date, moment
from apifold_services.rating.core.points import Frame, Period, Point
from apifold_services.rating.core.rating import RatingCore
from apifold_services.rating.core.rules import Draft, MappingQuery, Row, decimal, text
from apifold_services.rating.core.storage import TYPE, Asked
from apifold_services.rating.core.visible import is_admin, visible

Body = Mapping[str, Any]

EVERYTHING = 10**9
"""Rows of a list that has no pages."""

COST_PLACES = Decimal(1).scaleb(-28)
LEVEL_PLACES = Decimal(1).scaleb(-8)
_WIDE = Context(prec=64)

# --- collectors


def list_collector_mappings(core: RatingCore, collector: str = "") -> Any:
    found = core.collectors.mappings(collector)
    return {"mappings": [{"service": service, "collector": name} for service, name in found.items()]}


def get_collector_mapping(core: RatingCore, service: str) -> Any:
    return {"service": service, "collector": core.collectors.of(service)}


def add_collector_mapping(core: RatingCore, collector: str = "", service: str = "", body: Body | None = None) -> Any:
    chosen = _argument("collector", collector, body), _argument("service", service, body)
    core.collectors.map(*chosen)
    return {"service": chosen[1], "collector": chosen[0]}


def remove_collector_mapping(core: RatingCore, service: str = "", body: Body | None = None) -> None:
    core.collectors.unmap(_argument("service", service, body))


def get_collector_state(core: RatingCore, name: str = "") -> Any:
    chosen = _argument("name", name, None)
    return {"name": chosen, "enabled": core.collectors.is_on(chosen)}


def set_collector_state(core: RatingCore, body: Body, name: str = "") -> Any:
    chosen = _argument("name", name, body)
    core.collectors.switch(chosen, body["enabled"])
    return {"name": chosen, "enabled": body["enabled"]}


# --- what is rated


def list_metrics(core: RatingCore) -> Any:
    return {"metrics": [_metric(one) for one in core.metrics.by_type.values()]}


def get_metric(core: RatingCore, metric_id: str) -> Any:
    found = core.metrics.by_type.get(metric_id)
    if found is None:
        raise NotFound(metric_id)
    return _metric(found)


def get_config(core: RatingCore) -> Any:
    return {"metrics": core.metrics.configured}


# --- modules


def list_modules(core: RatingCore) -> Any:
    return {"modules": [_module(one) for one in core.modules.all()]}


def get_module(core: RatingCore, module_id: str) -> Any:
    return _module(_found_module(core, module_id))


def change_module(core: RatingCore, request: Request, body: Body, module_id: str = "") -> Any:
    name = module_id or body["module_id"]
    _found_module(core, name)
    core.modules.change(name, enabled=body.get("enabled"), priority=body.get("priority"))
    return _moved(request)


def quote(core: RatingCore, body: Body) -> str:
    now = datetime.now(UTC)
    total = Decimal(0)
    for resource in body["resources"]:
        desc = resource.get("desc") or {}
        labels = [
            {name: str(value) for name, value in (desc.get(key) or {}).items()} for key in ("groupby", "metadata")
        ]
        point = Point("", decimal(resource["volume"], "volume"), Decimal(0), *labels)
        frame = Frame(Period(now, now + timedelta(seconds=core.options.period)), {resource["service"]: (point,)})
        for points in core.modules.rate(frame, "", now).usage.values():
            total += sum(one.price for one in points)
    return str(total)


def reload_modules() -> None:
    """Rules hold at once; there is nothing to do."""


def refuse_module_config(core: RatingCore, module: str) -> None:
    known = next((one.processor for one in core.modules.all() if one.processor.name == module), None)
    if known is None or known.hot_config:
        raise NotServed(module)
    raise Conflict("Module is not configurable")


# --- the hashmap


def list_types() -> list[str]:
    return ["flat", "rate"]


def list_services(core: RatingCore) -> Any:
    return {"services": [_short("service", row) for row in core.rules.all_of("service")]}


def get_service(core: RatingCore, service_id: str) -> Any:
    return _short("service", _one(core, "service", service_id))


def add_service(core: RatingCore, request: Request, body: Body) -> Any:
    return _made(request, "service", core.rules.add("service", name=body["name"]))


def remove_service(core: RatingCore, service_id: str = "", body: Body | None = None) -> None:
    _remove(core, "service", _argument("service_id", service_id, body))


def list_fields(core: RatingCore, service_id: str) -> Any:
    return {"fields": [_short("field", row) for row in core.rules.all_of("field", service_id=service_id)]}


def get_field(core: RatingCore, field_id: str) -> Any:
    return _short("field", core.rules.one_of("field", field_id))


def add_field(core: RatingCore, request: Request, body: Body) -> Any:
    return _made(request, "field", core.rules.add("field", name=body["name"], service_id=body["service_id"]))


def remove_field(core: RatingCore, field_id: str = "", body: Body | None = None) -> None:
    core.rules.remove("field", _argument("field_id", field_id, body))


def list_groups(core: RatingCore) -> Any:
    return {"groups": [_short("group", row) for row in core.rules.all_of("group")]}


def get_group(core: RatingCore, group_id: str) -> Any:
    return _short("group", _one(core, "group", group_id))


def add_group(core: RatingCore, request: Request, body: Body) -> Any:
    return _made(request, "group", core.rules.add("group", name=body["name"]))


def remove_group(core: RatingCore, group_id: str = "", recursive: str = "", body: Body | None = None) -> None:
    chosen = _argument("group_id", group_id, body)
    _one(core, "group", chosen)
    core.rules.remove_group(chosen, recursive=_is_true(recursive) or bool((body or {}).get("recursive")))


def list_mappings(core: RatingCore, **query: str) -> Any:
    asked = MappingQuery(
        **{name: query[name] for name in _PLAIN if query.get(name)},
        no_group=_is_true(query.get("no_group", "")),
        by_tenant=_is_true(query.get("filter_tenant", "")),
        tenant_id=query.get("tenant_id"),
        with_deleted=_is_true(query.get("deleted", "")),
        start=moment(query.get("start"), "start"),
        end=moment(query.get("end"), "end"),
        at=datetime.now(UTC) if _is_true(query.get("is_active", "")) else None,
    )
    return {"mappings": [_mapping(row) for row in core.rules.mappings(asked)]}


_PLAIN = ("service_id", "field_id", "group_id", "created_by", "updated_by", "deleted_by", "description")


def list_mappings_of_group(core: RatingCore, group_id: str) -> Any:
    return list_mappings(core, group_id=group_id)


def get_mapping(core: RatingCore, mapping_id: str) -> Any:
    return _mapping(core.rules.mapping(mapping_id))


def get_group_of_mapping(core: RatingCore, mapping_id: str) -> Any:
    return _group_of(core, "mapping", mapping_id)


def add_mapping(core: RatingCore, request: Request, caller: Caller, body: Body, force: str = "") -> Any:
    draft = _draft(body, start=moment(body.get("start"), "start"), end=_end(body.get("end")), force=_is_true(force))
    row = core.rules.add_mapping(draft, _whose(caller))
    return _mapping(row), 201, {"Location": f"{_address(request)}/{row['mapping_id']}"}


def change_mapping(core: RatingCore, request: Request, caller: Caller, body: Body, mapping_id: str = "") -> Any:
    chosen = _argument("mapping_id", mapping_id, body)
    changes: dict[str, Any] = {"cost": text(decimal(body["cost"], "cost"))}
    if body.get("type"):
        changes["type"] = body["type"]
    for name, value in (("start", moment(body.get("start"), "start")), ("end", _end(body.get("end")))):
        changes |= {} if value is None else {name: int(value.timestamp())}
    if body.get("description") is not None:
        changes["description"] = body["description"]
    core.rules.change_mapping(chosen, changes, _whose(caller))
    return _moved(request)


def remove_mapping(core: RatingCore, caller: Caller, mapping_id: str = "", body: Body | None = None) -> None:
    core.rules.remove_mapping(_argument("mapping_id", mapping_id, body), _whose(caller))


def list_thresholds(core: RatingCore, **query: str) -> Any:
    where: dict[str, Any] = {name: query[name] for name in ("service_id", "field_id", "group_id") if query.get(name)}
    if not where:
        raise Invalid("You must specify either a service_id, a field_id or a group_id.")
    if _is_true(query.get("no_group", "")):
        where["group_id"] = None
    if _is_true(query.get("filter_tenant", "")):
        where["tenant_id"] = query.get("tenant_id")
    return {"thresholds": [_threshold(row) for row in core.rules.thresholds(**where)]}


def list_thresholds_of_group(core: RatingCore, group_id: str) -> Any:
    return list_thresholds(core, group_id=group_id)


def get_threshold(core: RatingCore, threshold_id: str) -> Any:
    return _threshold(core.rules.threshold(threshold_id))


def get_group_of_threshold(core: RatingCore, threshold_id: str) -> Any:
    return _group_of(core, "threshold", threshold_id)


def add_threshold(core: RatingCore, request: Request, body: Body) -> Any:
    row = core.rules.add_threshold(_draft(body))
    return _threshold(row), 201, {"Location": f"{_address(request)}/{row['threshold_id']}"}


def change_threshold(core: RatingCore, request: Request, body: Body, threshold_id: str = "") -> Any:
    core.rules.change_threshold(_argument("threshold_id", threshold_id, body), _draft(body))
    return _moved(request)


def remove_threshold(core: RatingCore, threshold_id: str = "", body: Body | None = None) -> None:
    core.rules.remove_threshold(_argument("threshold_id", threshold_id, body))


# --- scripts


def list_scripts(core: RatingCore, **query: str) -> Any:
    at = datetime.now(UTC) if _is_true(query.get("is_active", "")) else None
    rows = core.scripts.all(with_deleted=_is_true(query.get("deleted", "")), at=at)
    wanted = [row for row in rows if _is_asked(row, query)]
    return {"scripts": [_script(row, with_data=not _is_true(query.get("no_data", ""))) for row in wanted]}


def get_script(core: RatingCore, script_id: str) -> Any:
    return _script(core.scripts.get(script_id))


def add_script(core: RatingCore, request: Request, caller: Caller, body: Body, force: str = "") -> Any:
    times = {"start": moment(body.get("start"), "start"), "end": _end(body.get("end"))}
    row = core.scripts.add(
        body["name"],
        body["data"],
        _whose(caller),
        **times,
        description=body.get("description"),
        force=_is_true(force),
    )
    return _script(row), 201, {"Location": f"{_address(request)}/{row['script_id']}"}


def change_script(core: RatingCore, request: Request, caller: Caller, body: Body, script_id: str = "") -> Any:
    chosen = _argument("script_id", script_id, body)
    changes: dict[str, Any] = {"data": body["data"], "description": body.get("description")}
    for name, value in (("start", moment(body.get("start"), "start")), ("end", _end(body.get("end")))):
        changes |= {} if value is None else {name: int(value.timestamp())}
    row = core.scripts.change(chosen, changes, _whose(caller))
    address = _address(request).removesuffix(f"/{chosen}")
    return _script(row), 201, {"Location": f"{address}/{chosen}"}


def remove_script(core: RatingCore, caller: Caller, script_id: str = "", body: Body | None = None) -> None:
    core.scripts.remove(_argument("script_id", script_id, body), _whose(caller))


# --- reports


def list_tenants(core: RatingCore, begin: str = "", end: str = "") -> list[str]:
    period = _period(begin, end)
    sums = core.storage.summary(Asked(period, {}, (core.options.scope_key,)), Page(EVERYTHING))
    return [one.groups[core.options.scope_key] for one in sums if one.groups[core.options.scope_key]]


def get_total(core: RatingCore, caller: Caller, begin: str = "", end: str = "", **query: str) -> str:
    sums = core.storage.summary(Asked(_period(begin, end), _wanted(core, caller, query)), Page(1))
    return str(sums[0].price) if sums else "0"


def get_summary(
    core: RatingCore, caller: Caller, begin: str = "", end: str = "", groupby: Sequence[str] = (), **query: str
) -> Any:
    period = _period(begin, end)
    names = {"tenant_id": core.options.scope_key, "res_type": TYPE}
    groups = tuple(names[name] for name in dict.fromkeys(groupby) if name in names)
    sums = core.storage.summary(Asked(period, _wanted(core, caller, query), groups), Page(EVERYTHING))
    rows = [
        {
            "begin": _naive(period.begin),
            "end": _naive(period.end),
            "tenant_id": one.groups.get(core.options.scope_key, "ALL"),
            "res_type": one.groups.get(TYPE, "ALL"),
            "rate": str(float(round(one.price, 5))) if one.count else "0",
        }
        for one in sorted(sums, key=lambda one: one.price)
    ]
    return {"summary": rows}


def get_dataframes(core: RatingCore, caller: Caller, begin: str = "", end: str = "", **query: str) -> Any:
    wanted = _wanted(core, caller, {**query, "service": query.get("resource_type", "")})
    frames = core.storage.frames(Asked(_period(begin, end), wanted), Page(EVERYTHING))
    return {
        "dataframes": [
            {
                "begin": _naive(frame.period.begin),
                "end": _naive(frame.period.end),
                "tenant_id": points[0].labels.get(core.options.scope_key, ""),
                "resources": [_resource(metric, point) for point in points],
            }
            for frame in frames
            for metric, points in frame.usage.items()
        ]
    }


def _texts(said: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in said.items()}


def _wanted(core: RatingCore, caller: Caller, query: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """The filters that a report's parameters are; only an admin may ask for another tenant's."""
    filters = {TYPE: (query["service"],)} if query.get("service") else {}
    if query.get("tenant_id") and is_admin(caller):
        filters[core.options.scope_key] = (query["tenant_id"],)
    return {name: tuple(values) for name, values in visible(caller, filters, core.options.scope_key).items()}


def _resource(metric: str, point: Point) -> dict[str, Any]:
    return {"service": metric, "desc": point.labels, "volume": str(point.qty), "rating": str(point.price)}


# --- ways of writing


def _argument(name: str, given: str, body: Body | None) -> str:
    """An argument, wherever it stands: in the path, the query or the body. Raises Invalid where it is missing."""
    found = given or (body or {}).get(name)
    if not found:
        raise Invalid(f'Missing argument: "{name}"')
    return str(found)


def _is_true(text: str) -> bool:
    return text.lower() not in ("", "0", "false", "no", "none")


def _end(text: str | None) -> datetime | None:
    """The end of a rule; a day alone is meant until its last second."""
    found = moment(text, "end")
    return found + timedelta(days=1, seconds=-1) if found and is_date(text) else found


def _period(begin: str, end: str) -> Period:
    return Period.of(moment(begin, "begin"), moment(end, "end"))


def _naive(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat()


def _when(seconds: int | None) -> str | None:
    return None if seconds is None else _naive(datetime.fromtimestamp(seconds, UTC))


def _whose(caller: Caller) -> str:
    return str(caller.user)


def _address(request: Request) -> str:
    return str(request.base_url + request.path.rstrip("/"))


def _moved(request: Request) -> tuple[None, int, dict[str, str]]:
    """What was changed is where it was: clients of old are told so by a redirect."""
    return None, 302, {"Location": f"{request.base_url}{request.path}"}


def _made(request: Request, what: str, row: Row) -> tuple[Any, int, dict[str, str]]:
    return _short(what, row), 201, {"Location": f"{_address(request)}/{row[f'{what}_id']}"}


def _one(core: RatingCore, what: str, id: str) -> Row:
    try:
        return core.rules.one_of(what, id)
    except NotFound:
        raise NotFound(f"No such {what}: None (UUID: {id})") from None


def _remove(core: RatingCore, what: str, id: str) -> None:
    _one(core, what, id)
    core.rules.remove(what, id)


def _group_of(core: RatingCore, what: str, id: str) -> Any:
    try:
        return _short("group", core.rules.group_of(what, id))
    except NotFound:
        raise NotFound(f"{what.capitalize()} has no group (UUID: {id})") from None


def _found_module(core: RatingCore, name: str) -> Any:
    try:
        return core.modules.get(name)
    except NotFound:
        raise NotFound("Module not found.") from None


def _draft(body: Body, **times: Any) -> Draft:
    names = ("service_id", "field_id", "group_id", "tenant_id", "value", "description")
    texts: Any = {name: body.get(name) or None for name in names}
    return Draft(
        cost=decimal(body["cost"], "cost"),
        kind=body.get("type") or "flat",
        name=body.get("name") or "",
        level=decimal(body["level"], "level") if "level" in body else None,
        **texts,
        **times,
    )


def _metric(metric: Any) -> dict[str, Any]:
    return {"metric_id": metric.type, "metadata": list(metric.metadata), "unit": metric.unit}


def _module(module: Any) -> dict[str, Any]:
    return {
        "module_id": module.processor.name,
        "description": module.processor.description,
        "enabled": module.enabled,
        "hot-config": module.processor.hot_config,
        "priority": module.priority,
    }


def _short(what: str, row: Row) -> dict[str, Any]:
    """A service, field or group."""
    names = (f"{what}_id", "name", *(("service_id",) if what == "field" else ()))
    return {name: row[name] for name in names}


def _cost(text: str, places: Decimal) -> str:
    return format(Decimal(text).quantize(places, context=_WIDE), "f")


def _mapping(row: Row) -> dict[str, Any]:
    return {
        "mapping_id": row["mapping_id"],
        "value": row["value"] or "",
        "type": row["type"],
        "cost": _cost(row["cost"], COST_PLACES),
        **{name: row[name] for name in ("service_id", "field_id", "group_id", "tenant_id")},
        **_history(row),
    }


def _threshold(row: Row) -> dict[str, Any]:
    return {
        "threshold_id": row["threshold_id"],
        "level": _cost(row["level"], LEVEL_PLACES),
        "type": row["type"],
        "cost": _cost(row["cost"], COST_PLACES),
        **{name: row[name] for name in ("service_id", "field_id", "group_id", "tenant_id")},
    }


def _script(row: Row, *, with_data: bool = True) -> dict[str, Any]:
    data = {"data": row["data"]} if with_data else {"data": None}
    return {"script_id": row["script_id"], **data, "checksum": row["checksum"], **_history(row)}


def _history(row: Row) -> dict[str, Any]:
    return {
        "created_at": _when(row["created"]),
        "start": _when(row["start"]),
        "end": _when(row["end"]),
        **{name: row[name] for name in ("name", "description")},
        "deleted": _when(row["deleted"]),
        **{name: row[name] for name in ("created_by", "updated_by", "deleted_by")},
    }


def _is_asked(row: Row, query: Mapping[str, str]) -> bool:
    """Whether a script is one of those that are asked for."""
    start, end = moment(query.get("start"), "start"), moment(query.get("end"), "end")
    if start and row["start"] < start.timestamp():
        return False
    if end and (row["end"] is None or row["end"] >= end.timestamp()):
        return False
    if query.get("description") and query["description"] not in (row["description"] or ""):
        return False
    by = ("created_by", "updated_by", "deleted_by")
    return all(row[name] == query[name] for name in by if query.get(name))
