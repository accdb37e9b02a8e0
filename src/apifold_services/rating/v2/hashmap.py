"""The hashmap's rules under API v2: pages, plain statuses, moments in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apifold import Caller, Page
from apifold_services.rating.core.moments import moment
from apifold_services.rating.core.rating import RatingCore
from apifold_services.rating.core.rules import Draft, MappingQuery, Row, decimal, text

Body = Mapping[str, Any]


def list_services(core: RatingCore, page: Page) -> Any:
    return {"services": [_short("service", row) for row in page.cut(core.rules.all_of("service"))]}


def get_service(core: RatingCore, service_id: str) -> Any:
    return _short("service", core.rules.one_of("service", service_id))


def add_service(core: RatingCore, body: Body) -> Any:
    return _short("service", core.rules.add("service", name=body["name"]))


def remove_service(core: RatingCore, service_id: str) -> None:
    core.rules.remove("service", service_id)


def list_fields(core: RatingCore, page: Page, service_id: str = "") -> Any:
    where = {"service_id": service_id} if service_id else {}
    return {"fields": [_short("field", row) for row in page.cut(core.rules.all_of("field", **where))]}


def get_field(core: RatingCore, field_id: str) -> Any:
    return _short("field", core.rules.one_of("field", field_id))


def add_field(core: RatingCore, body: Body) -> Any:
    return _short("field", core.rules.add("field", name=body["name"], service_id=body["service_id"]))


def remove_field(core: RatingCore, field_id: str) -> None:
    core.rules.remove("field", field_id)


def list_groups(core: RatingCore, page: Page) -> Any:
    return {"groups": [_short("group", row) for row in page.cut(core.rules.all_of("group"))]}


def get_group(core: RatingCore, group_id: str) -> Any:
    return _short("group", core.rules.one_of("group", group_id))


def add_group(core: RatingCore, body: Body) -> Any:
    return _short("group", core.rules.add("group", name=body["name"]))


def remove_group(core: RatingCore, group_id: str, recursive: bool = False) -> None:
    core.rules.remove_group(group_id, recursive=recursive)


def list_mappings(core: RatingCore, page: Page, active: bool = False, **query: Any) -> Any:
    at = datetime.now(UTC) if active else None
    tenant = {"by_tenant": True, "tenant_id": query.pop("scope_id")} if "scope_id" in query else {}
    rows = core.rules.mappings(MappingQuery(**query, **tenant, at=at))
    return {"mappings": [_mapping(row) for row in page.cut(rows)]}


def get_mapping(core: RatingCore, mapping_id: str) -> Any:
    return _mapping(core.rules.mapping(mapping_id))


def add_mapping(core: RatingCore, caller: Caller, body: Body) -> Any:
    return _mapping(core.rules.add_mapping(_draft(body), str(caller.user)))


def change_mapping(core: RatingCore, caller: Caller, mapping_id: str, body: Body) -> Any:
    changes: dict[str, Any] = {name: body[name] for name in ("type", "description") if name in body}
    if "cost" in body:
        changes["cost"] = text(decimal(body["cost"], "cost"))
    for name in ("start", "end"):
        at = moment(body.get(name), name)
        changes |= {} if at is None else {name: int(at.timestamp())}
    return _mapping(core.rules.change_mapping(mapping_id, changes, str(caller.user)))


def remove_mapping(core: RatingCore, caller: Caller, mapping_id: str) -> None:
    core.rules.remove_mapping(mapping_id, str(caller.user))


def list_thresholds(core: RatingCore, page: Page, **query: str) -> Any:
    where = {("tenant_id" if name == "scope_id" else name): value for name, value in query.items()}
    return {"thresholds": [_threshold(row) for row in page.cut(core.rules.thresholds(**where))]}


def get_threshold(core: RatingCore, threshold_id: str) -> Any:
    return _threshold(core.rules.threshold(threshold_id))


def add_threshold(core: RatingCore, body: Body) -> Any:
    return _threshold(core.rules.add_threshold(_draft(body)))


def change_threshold(core: RatingCore, threshold_id: str, body: Body) -> Any:
    return _threshold(core.rules.change_threshold(threshold_id, _draft(body)))


def remove_threshold(core: RatingCore, threshold_id: str) -> None:
    core.rules.remove_threshold(threshold_id)


def _draft(body: Body) -> Draft:
    return Draft(
        cost=decimal(body["cost"], "cost"),
        kind=body.get("type", "flat"),
        service_id=body.get("service_id"),
        field_id=body.get("field_id"),
        group_id=body.get("group_id"),
        tenant_id=body.get("scope_id"),
        value=body.get("value"),
        level=decimal(body["level"], "level") if "level" in body else None,
        name=body.get("name", ""),
        description=body.get("description"),
        start=moment(body.get("start"), "start"),
        end=moment(body.get("end"), "end"),
        force=body.get("force", False),
    )


def _short(what: str, row: Row) -> dict[str, Any]:
    names = (f"{what}_id", "name", *(("service_id",) if what == "field" else ()))
    return {name: row[name] for name in names}


def _mapping(row: Row) -> dict[str, Any]:
    return {
        "mapping_id": row["mapping_id"],
        "value": row["value"],
        **_rule(row),
        **_named(row, ("name", "description", "created_by", "updated_by", "deleted_by")),
        **{name: _when(row[column]) for name, column in _MOMENTS.items()},
    }


_MOMENTS = {"created_at": "created", "start": "start", "end": "end", "deleted_at": "deleted"}


def _threshold(row: Row) -> dict[str, Any]:
    return {"threshold_id": row["threshold_id"], "level": Decimal(row["level"]), **_rule(row)}


def _rule(row: Row) -> dict[str, Any]:
    parents = _named(row, ("service_id", "field_id", "group_id"))
    return {"type": row["type"], "cost": Decimal(row["cost"]), **parents, "scope_id": row["tenant_id"]}


def _named(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _when(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
