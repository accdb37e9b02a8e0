"""The tables of the platform service. Their history is in `migrations/`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

Key = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True).with_variant(JSONB(), "postgresql")
Moment = String(27)
"""UTC, as `2026-11-21T17:42:53.000000Z`: sorts as it reads."""
Id = String(36)
Name = String(255)


def _owned(name: str, *columns: Column[object] | Index) -> Table:
    """A table of things that belong to a project."""
    return Table(
        f"platform_{name}",
        metadata,
        Column("number", Key, primary_key=True, autoincrement=True),
        Column("id", Id, nullable=False, unique=True),
        Column("project_id", Name, nullable=False, index=True),
        Column("user_id", Name, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("updated_at", Moment, nullable=False),
        *columns,
    )


plans = _owned(
    "plans",
    Column("document", Json, nullable=False),
    Column("trigger_id", Id, nullable=False, unique=True),
    Column("app_id", Id),
    Column("has_package", Boolean, nullable=False),
)
"""`document` is the plan as it was sent, whoever knows its nodes; a plan of an app, which may be gone by then, goes
with its last assembly."""

keys = Table(
    "platform_keys",
    metadata,
    Column("plan_id", Id, ForeignKey("platform_plans.id", ondelete="CASCADE"), primary_key=True),
    Column("public_key", Text, primary_key=True),
    Column("private_key", Text, nullable=False),
)
"""Deploy keys for the private sources of a plan's artifacts: never shown."""

assemblies = _owned(
    "assemblies",
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("tags", Json, nullable=False),
    Column("plan_id", Id, ForeignKey("platform_plans.id", ondelete="RESTRICT"), nullable=False, index=True),
    Column("actions", Json, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("done", Json, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("address", Text, nullable=False),
    Column("operation", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
)
"""`wanted` says that it should run, `done` lists the actions that were done, `operation` is what it was asked for last,
and `attempt` counts that."""

components = _owned(
    "components",
    Column("assembly_id", Id, ForeignKey("platform_assemblies.id", ondelete="CASCADE"), index=True),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("tags", Json, nullable=False),
    Column("artifact", Integer),
    Column("artifact_uri", Text),
    Column("service_id", Id),
    Column("status", String(32), nullable=False),
    Column("address", Text, nullable=False),
    Column("related", Json, nullable=False),
    Column("document", Json, nullable=False),
)
"""One for each artifact of an assembly's plan, by its place there, and one for each service that fulfils a requirement;
`document` has what only v1 knows."""

variables = Table(
    "platform_variables",
    metadata,
    Column("component_id", Id, ForeignKey("platform_components.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What a service tells the applications that use it, as environment: passwords among it, never shown."""

ports = Table(
    "platform_ports",
    metadata,
    Column("port", Integer, primary_key=True, autoincrement=False),
    Column("unit_id", Id, nullable=False, index=True),
    Column("place", Integer, nullable=False),
)
"""Ports of applications on this machine: place 0 is where one answers, the others are its instances'."""

records = _owned(
    "records",
    Column("kind", String(32), nullable=False),
    Column("document", Json, nullable=False),
    Index("platform_records_kind", "kind", "project_id"),
)
"""What v1 only keeps: services, operations, sensors, extensions, pipelines, stacks, free components."""

language_packs = _owned(
    "language_packs",
    Column("name", Name, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("document", Json, nullable=False),
    Index("platform_language_packs_name", "project_id", "name", unique=True),
)

apps = _owned(
    "apps",
    Column("name", Name, nullable=False),
    Column("trigger_id", Id, nullable=False, unique=True),
    Column("document", Json, nullable=False),
)

workflows = _owned(
    "workflows",
    Column("app_id", Id, ForeignKey("platform_apps.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("wf_id", Integer, nullable=False),
    Column("assembly_id", Id, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("document", Json, nullable=False),
    Index("platform_workflows_wf", "app_id", "wf_id", unique=True),
)
"""`status` is the last that was known of its assembly."""

events = Table(
    "platform_events",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("sink", String(16), nullable=False),
    Column("event", Json, nullable=False),
)
"""What was not told yet, in the order in which it happened."""
