"""The tables of the rating service. Their history is in `migrations/`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from apifold_services.rating.core import exact

metadata = MetaData()

Key = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True).with_variant(JSONB(), "postgresql")
Seconds = BigInteger
"""Moments, in seconds since the epoch."""

periods = Table(
    "rating_periods",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("begin", Seconds, nullable=False),
    Column("end", Seconds, nullable=False),
    Column("day_of_the_year", String(3), nullable=False),
    Column("week_of_the_year", String(2), nullable=False),
    Column("month", String(2), nullable=False),
    Column("year", String(4), nullable=False),
    Index("uq_rating_periods", "begin", "end", unique=True),
)
"""Periods that there are points of, with the days, weeks, months and years that they begin in."""

series = Table(
    "rating_series",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("type", String(255), nullable=False),
    Column("unit", String(255), nullable=False),
    Column("groupby", Json, nullable=False),
    Column("metadata", Json, nullable=False),
)
"""What is used again and again: a metric with its attributes."""

points = Table(
    "rating_points",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("period_id", Key, ForeignKey("rating_periods.id"), nullable=False),
    Column("series_id", Key, ForeignKey("rating_series.id"), nullable=False),
    *exact.columns("qty"),
    *exact.columns("price"),
    Index("ix_rating_points_period", "period_id", "series_id"),
)
"""How much of it in which period, and what that costs."""

used_columns = Table("rating_used_columns", metadata, Column("name", String(16), primary_key=True))
"""Columns of numbers in which any point has something else than 0."""

flat = Table(
    "rating_flat_frames",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("begin", Seconds, nullable=False),
    Column("end", Seconds, nullable=False),
    Column("tenant_id", String(255), nullable=False),
    Column("type", String(255), nullable=False),
    Column("unit", String(255), nullable=False),
    Column("groupby", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    *exact.columns("qty"),
    *exact.columns("price"),
    Index("ix_rating_flat_frames_begin", "begin", "end"),
)
"""The same in the shape of v1: one row for each resource and period."""

scopes = Table(
    "rating_scopes",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("scope_id", String(255), nullable=False),
    Column("scope_key", String(255), nullable=False),
    Column("fetcher", String(255), nullable=False),
    Column("collector", String(255), nullable=False),
    Column("last_processed", Seconds, nullable=True),
    Column("active", Boolean, nullable=False),
    Column("toggled", Seconds, nullable=True, comment="when it was last made active, or no longer"),
    Column("reset_to", Seconds, nullable=True, comment="to where it is to be set back, with its data"),
    Index("uq_rating_scopes", "scope_id", "scope_key", "fetcher", "collector", unique=True),
)
"""Whose usage is rated, and how far it is."""

reprocesses = Table(
    "rating_reprocesses",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("scope_id", String(255), nullable=False),
    Column("begin", Seconds, nullable=False),
    Column("end", Seconds, nullable=False),
    Column("current", Seconds, nullable=True, comment="up to where it was rated again; null before it was begun"),
    Column("reason", Text, nullable=False),
    Index("ix_rating_reprocesses_scope", "scope_id"),
)
"""Pasts that are to be rated again."""

modules = Table(
    "rating_modules",
    metadata,
    Column("module_id", String(255), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
)
"""What a deployment changed about rating modules."""

services = Table(
    "rating_hashmap_services",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("service_id", String(36), nullable=False, unique=True),
    Column("name", String(255), nullable=False, unique=True),
)

fields = Table(
    "rating_hashmap_fields",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("field_id", String(36), nullable=False, unique=True),
    Column("name", String(255), nullable=False),
    Column("service_id", String(36), ForeignKey("rating_hashmap_services.service_id", ondelete="CASCADE")),
    Index("uq_rating_hashmap_fields", "service_id", "name", unique=True),
)

groups = Table(
    "rating_hashmap_groups",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("group_id", String(36), nullable=False, unique=True),
    Column("name", String(255), nullable=False, unique=True),
)


def _parents() -> list[Column[str]]:
    return [
        Column("service_id", String(36), ForeignKey("rating_hashmap_services.service_id", ondelete="CASCADE")),
        Column("field_id", String(36), ForeignKey("rating_hashmap_fields.field_id", ondelete="CASCADE")),
        Column("group_id", String(36), ForeignKey("rating_hashmap_groups.group_id", ondelete="SET NULL")),
    ]


def _audit() -> list[Column[str] | Column[int]]:
    return [
        Column("name", String(32), nullable=False),
        Column("description", String(256), nullable=True),
        Column("created", Seconds, nullable=False),
        Column("start", Seconds, nullable=False),
        Column("end", Seconds, nullable=True),
        Column("deleted", Seconds, nullable=True),
        Column("created_by", String(32), nullable=False),
        Column("updated_by", String(32), nullable=True),
        Column("deleted_by", String(32), nullable=True),
    ]


mappings = Table(
    "rating_hashmap_mappings",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("mapping_id", String(36), nullable=False, unique=True),
    Column("value", String(255), nullable=True),
    Column("cost", String(64), nullable=False),
    Column("type", String(4), nullable=False),
    Column("tenant_id", String(36), nullable=True),
    *_parents(),
    *_audit(),
)
"""Rules of the hashmap: what a service, or a value of one of its fields, costs."""

thresholds = Table(
    "rating_hashmap_thresholds",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("threshold_id", String(36), nullable=False, unique=True),
    Column("level", String(64), nullable=False),
    Column("cost", String(64), nullable=False),
    Column("type", String(4), nullable=False),
    Column("tenant_id", String(36), nullable=True),
    *_parents(),
)
"""Rules of the hashmap: what is added from a level on."""

scripts = Table(
    "rating_scripts",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("script_id", String(36), nullable=False, unique=True),
    Column("data", Text, nullable=False),
    Column("checksum", String(128), nullable=False),
    *_audit(),
)

collector_mappings = Table(
    "rating_collector_mappings",
    metadata,
    Column("service", String(255), primary_key=True),
    Column("collector", String(255), nullable=False),
)

collector_states = Table(
    "rating_collector_states",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("enabled", Boolean, nullable=False),
)

usage = Table(
    "rating_pushed_usage",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("metric", String(255), nullable=False),
    Column("scope_id", String(255), nullable=False),
    Column("moment", Seconds, nullable=False),
    Column("qty", String(64), nullable=False),
    Column("labels", Json, nullable=False),
    Index("ix_rating_pushed_usage", "scope_id", "metric", "moment"),
)
"""Usage that was pushed, and waits to be collected."""
