"""CloudKitty API v2: names, defaults and shapes that differ from the core's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from apifold import Caller, Invalid, NotFound, Page, Response
from apifold_services.rating.core.collect import Used
from apifold_services.rating.core.moments import moment
from apifold_services.rating.core.points import Frame, Labels, Period, Point
from apifold_services.rating.core.rating import RatingCore
from apifold_services.rating.core.reprocesses import Reprocess
from apifold_services.rating.core.rules import decimal
from apifold_services.rating.core.scopes import Scope, ScopeQuery
from apifold_services.rating.core.storage import Asked, Sum
from apifold_services.rating.core.visible import visible
from apifold_services.rating.v2.spend import HEADERS, Row, Spend
from apifold_services.rating.v2.spend import page as page_of

MOST_ROWS = 10_000
"""Rows that a page is drawn from."""


def get_dataframes(
    core: RatingCore,
    caller: Caller,
    page: Page,
    begin: str | None = None,
    end: str | None = None,
    filters: Mapping[str, str] | None = None,
) -> Any:
    wanted = {name: (value,) for name, value in (filters or {}).items()}
    asked = Asked(_period(begin, end), visible(caller, wanted, core.options.scope_key))
    frames = core.storage.frames(asked, page)
    if not page.total:
        raise NotFound("No resource found for provided filters.")
    return {"dataframes": [_frame(frame) for frame in frames]}


def add_dataframes(core: RatingCore, body: Mapping[str, Any]) -> None:
    if not body["dataframes"]:
        raise Invalid("Parameter dataframes must not be empty.")
    core.keep([read_frame(one) for one in body["dataframes"]])


def push_usage(core: RatingCore, body: Mapping[str, Any]) -> tuple[None, int]:
    core.push([read_used(one) for one in body["usage"]])
    return None, 202


def get_summary(
    core: RatingCore,
    caller: Caller,
    page: Page,
    groupby: Sequence[str] = (),
    **query: Any,
) -> Any:
    shown = _fields(query.get("custom_fields"))
    wanted = visible(caller, query.get("filters", {}), core.options.scope_key)
    period = _period(query.get("begin"), query.get("end"))
    sums = core.storage.summary(Asked(period, wanted, tuple(groupby)), page)
    rows = [_row(one, shown) for one in sums]
    if query["response_format"] == "object":
        return {"total": page.total, "results": rows, "format": "object"}
    columns = list(rows[0]) if rows else []
    return {
        "total": page.total,
        "columns": columns,
        "results": [list(row.values()) for row in rows],
        "format": "table",
    }


def get_spend(
    core: RatingCore,
    caller: Caller,
    begin: str | None = None,
    end: str | None = None,
    filters: Mapping[str, str] | None = None,
) -> Response:
    chosen = dict(filters or {})
    scope_key = core.options.scope_key
    wanted = visible(caller, {name: (value,) for name, value in chosen.items()}, scope_key)
    period = _period(begin, end)

    def by(*groups: str) -> list[Sum]:
        return core.storage.summary(Asked(period, wanted, groups), Page(MOST_ROWS))

    days = {date: one.price for one in by("time-y", "time-d") if (date := _date(one.groups))}
    spend = Spend(
        period,
        chosen,
        tuple(Row(date, days[date]) for date in sorted(days)),
        tuple(Row(one.groups["type"], one.price) for one in by("type")),
        tuple(Row(one.groups[scope_key], one.price) for one in by(scope_key)),
        scope_key,
    )
    return Response(200, page_of(spend).encode(), (("Content-Type", "text/html; charset=utf-8"), *HEADERS))


def get_scopes(
    core: RatingCore,
    page: Page,
    scope_id: Sequence[str] = (),
    scope_key: Sequence[str] = (),
    fetcher: Sequence[str] = (),
    collector: Sequence[str] = (),
    active: Sequence[int] = (),
) -> Any:
    query = ScopeQuery(scope_id, scope_key, fetcher, collector, tuple(map(bool, active)))
    found = core.scopes.page(query, page)
    if not found:
        raise NotFound("No resource found for provided filters.")
    return {"results": [_scope(scope) for scope in found]}


def add_scope(core: RatingCore, body: Mapping[str, Any]) -> Any:
    options = core.options
    made = core.scopes.add(
        body["scope_id"],
        scope_key=body.get("scope_key", options.scope_key),
        fetcher=body.get("fetcher", options.fetcher),
        collector=body.get("collector", options.collector),
        last_processed=moment(body["last_processed_timestamp"], "last_processed_timestamp"),
        active=body.get("active", True),
    )
    return _scope(made)


def change_scope(core: RatingCore, body: Mapping[str, Any]) -> Any:
    found = core.scopes.all(ScopeQuery((body["scope_id"],)))
    if len(found) != 1:
        raise NotFound("No resource found for provided filters." if not found else "More than one scope has this id.")
    changes = {name: body.get(name) for name in ("scope_key", "fetcher", "collector", "active")}
    return _scope(core.scopes.change(found[0], **changes))


def reset_scopes(core: RatingCore, body: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    ids = _names(body.get("scope_id"))
    if bool(body.get("all_scopes")) == bool(ids):
        raise Invalid("Either all_scopes or a scope_id should be specified.")
    to = moment(body.get("last_processed_timestamp") or body.get("state"), "last_processed_timestamp")
    if to is None:
        raise Invalid("Variable 'last_processed_timestamp' cannot be empty/None.")
    scope_key, fetcher, collector = (_names(body.get(name)) for name in ("scope_key", "fetcher", "collector"))
    found = core.scopes.all(ScopeQuery(ids, scope_key, fetcher, collector, (True,)))
    if not found:
        raise NotFound("No resource found for provided filters.")
    core.scopes.want_reset(found, to)
    return {}, 202


def list_modules(core: RatingCore) -> Any:
    return {"modules": [_module(module) for module in core.modules.all()]}


def get_module(core: RatingCore, module_id: str) -> Any:
    return _module(core.modules.get(module_id))


def change_module(core: RatingCore, module_id: str, body: Mapping[str, Any]) -> None:
    core.modules.change(module_id, enabled=body.get("enabled"), priority=body.get("priority"))


def add_reprocess(core: RatingCore, body: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    begin = moment(body["start_reprocess_time"], "start_reprocess_time")
    end = moment(body["end_reprocess_time"], "end_reprocess_time")
    if begin is None or end is None:
        raise Invalid("start_reprocess_time and end_reprocess_time must not be empty.")
    core.reprocesses.schedule(_names(body["scope_ids"]), Period(begin, end), body["reason"])
    return {}, 202


def list_reprocesses(core: RatingCore, page: Page, scope_ids: Sequence[str] = (), order: str = "desc") -> Any:
    found = core.reprocesses.page(scope_ids, page, descending=order.lower() == "desc")
    return {"results": [_reprocess(one) for one in found]}


def get_reprocesses(core: RatingCore, page: Page, scope_id: str, order: str = "desc") -> Any:
    return list_reprocesses(core, page, (scope_id,), order)


def _date(groups: Labels) -> str:
    """The day that usage was summed by; "" where its attributes name none."""
    year, day = groups["time-y"], groups["time-d"]
    if not (year.isdigit() and day.isdigit() and len(year) == 4 and 1 <= int(day) <= 366):
        return ""
    return (datetime(int(year), 1, 1, tzinfo=UTC) + timedelta(days=int(day) - 1)).date().isoformat()


def _period(begin: str | None, end: str | None) -> Period:
    return Period.of(moment(begin, "begin"), moment(end, "end"))


def _names(said: Any) -> tuple[str, ...]:
    """A list, or text with commas."""
    listed = said.split(",") if isinstance(said, str) else said or ()
    return tuple(name for one in listed if (name := one.strip()))


def _labels(said: Mapping[str, Any]) -> Labels:
    """Attributes as text, as everybody else has them."""
    return {name: "" if value is None else str(value) for name, value in said.items()}


def read_frame(said: Mapping[str, Any]) -> Frame:
    """A frame as clients write it. Raises Invalid where its numbers or moments are none."""
    begin, end = moment(said["period"]["begin"], "begin"), moment(said["period"]["end"], "end")
    if begin is None or end is None or end <= begin:
        raise Invalid("A period ends after it begins.")
    usage = {metric: tuple(map(_read_point, points)) for metric, points in said["usage"].items()}
    return Frame(Period(begin, end), usage)


def read_used(said: Mapping[str, Any]) -> Used:
    """Usage as clients push it, now where they name no moment. Raises Invalid where its number or moment is none."""
    return Used(
        said["metric"],
        str(said["scope_id"]),
        moment(said.get("moment"), "moment") or datetime.now(UTC),
        decimal(said["value"], "value"),
        _labels(said.get("labels", {})),
    )


def _read_point(said: Mapping[str, Any]) -> Point:
    return Point(
        said["vol"]["unit"],
        decimal(said["vol"]["qty"], "qty"),
        decimal(said.get("rating", {}).get("price", 0), "price"),
        _labels(said["groupby"]),
        _labels(said["metadata"]),
    )


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "period": {"begin": frame.period.begin.isoformat(), "end": frame.period.end.isoformat()},
        "usage": {metric: [_point(point) for point in points] for metric, points in frame.usage.items()},
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "vol": {"unit": point.unit, "qty": point.qty},
        "rating": {"price": point.price},
        "groupby": point.groupby,
        "metadata": point.metadata,
    }


def _row(one: Sum, shown: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """One group: its period, its sums, its attributes."""
    sums = {name: _value(one, function, field) for name, (function, field) in shown.items()}
    return {"begin": one.period.begin.isoformat(), "end": one.period.end.isoformat(), **sums, **one.groups}


_USUAL = {"qty": ("sum", "qty"), "rate": ("sum", "price")}
_FIELD = re.compile(r"(sum|mean|count)\((qty|price)\)(?:\s+as\s+([A-Za-z_][A-Za-z0-9_]{0,62}))?", re.IGNORECASE)


def _fields(text: str | None) -> Mapping[str, tuple[str, str]]:
    """What to show of each group, by name: a function of a field.

    Raises:
        Invalid: it can't be read.
    """
    if not text:
        return _USUAL
    found = {}
    for part in text.split(","):
        field = _FIELD.fullmatch(part.strip())
        if field is None:
            raise Invalid(f"{part.strip()[:80]!r} is no custom field; write it like `sum(qty) AS qty`.")
        function, column = field[1].lower(), field[2].lower()
        found[field[3] or f"{function}_{column}"] = (function, column)
    return found


def _value(one: Sum, function: str, column: str) -> Decimal | int:
    total = one.qty if column == "qty" else one.price
    if function == "count":
        return one.count
    return total / one.count if function == "mean" else total


def _scope(scope: Scope) -> dict[str, Any]:
    last = scope.last_processed.isoformat() if scope.last_processed else None
    return {
        "scope_id": scope.scope_id,
        "scope_key": scope.scope_key,
        "fetcher": scope.fetcher,
        "collector": scope.collector,
        "last_processed_timestamp": last,
        "state": last,
        "active": scope.active,
        "scope_activation_toggle_date": scope.toggled.isoformat() if scope.toggled else None,
    }


def _module(module: Any) -> dict[str, Any]:
    return {
        "module_id": module.processor.name,
        "description": module.processor.description,
        "enabled": module.enabled,
        "hot_config": module.processor.hot_config,
        "priority": module.priority,
    }


def _reprocess(one: Reprocess) -> dict[str, Any]:
    begin, end = one.begin.replace(tzinfo=None), one.end.replace(tzinfo=None)
    return {
        "scope_id": one.scope_id,
        "reason": one.reason,
        "start_reprocess_time": begin.isoformat(),
        "end_reprocess_time": end.isoformat(),
        "current_reprocess_time": one.current.replace(tzinfo=None).isoformat() if one.current else "",
    }
