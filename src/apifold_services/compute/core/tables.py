"""The tables of the compute service. Their history is in `migrations/`."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

Key = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True).with_variant(JSONB(), "postgresql")
Moment = String(26)
"""UTC, as `2026-11-21T17:42:53.000000`: sorts as it reads, and is what answers show, nearly."""
Id = String(36)
Name = String(255)

flavors = Table(
    "compute_flavors",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("id", Name, nullable=False, unique=True),
    Column("name", Name, nullable=False, unique=True),
    Column("ram", Integer, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("disk", Integer, nullable=False),
    Column("swap", Integer, nullable=False),
    Column("ephemeral", Integer, nullable=False),
    Column("rxtx_factor", Float, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("extra_specs", Json, nullable=False),
)

flavor_access = Table(
    "compute_flavor_access",
    metadata,
    Column("flavor_id", Name, ForeignKey("compute_flavors.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Name, primary_key=True),
)
"""Projects that may use flavors that are not public."""

keypairs = Table(
    "compute_keypairs",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("type", String(16), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", Name, nullable=False),
    Column("created", Moment, nullable=False),
    UniqueConstraint("user_id", "name"),
)

servers = Table(
    "compute_servers",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("project_id", Name, nullable=False),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("hostname", Name, nullable=False),
    Column("description", Name),
    Column("reservation_id", String(16), nullable=False),
    Column("launch_index", Integer, nullable=False),
    Column("vm_state", String(32), nullable=False),
    Column("task_state", String(32)),
    Column("power_state", Integer, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("host", Name),
    Column("availability_zone", Name, nullable=False),
    Column("image_id", String(36), nullable=False),
    Column("flavor_id", Name, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("ram", Integer, nullable=False),
    Column("flavor", Json, nullable=False),
    Column("old_flavor", Json),
    Column("key_name", Name),
    Column("config_drive", Boolean, nullable=False),
    Column("disk_config", String(8), nullable=False),
    Column("access_ip_v4", String(16), nullable=False),
    Column("access_ip_v6", String(46), nullable=False),
    Column("metadata", Json, nullable=False),
    Column("security_groups", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("group_id", Id),
    Column("locked", Boolean, nullable=False),
    Column("locked_by", String(8)),
    Column("fault", Json),
    Column("details", Json, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("launched_at", Moment),
    Column("terminated_at", Moment),
    Column("deleted", Boolean, nullable=False),
    Index("ix_compute_servers_project", "project_id", "deleted", "created"),
    Index("ix_compute_servers_updated", "updated"),
    Index("ix_compute_servers_reservation", "reservation_id"),
)
"""Servers, those that were deleted, too; `details` is what only drivers and builds look at."""

ports = Table(
    "compute_ports",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("server_id", Id, ForeignKey("compute_servers.id", ondelete="CASCADE"), nullable=False),
    Column("network_id", Id, nullable=False),
    Column("mac", String(17), nullable=False),
    Column("address", String(46), nullable=False),
    UniqueConstraint("network_id", "address"),
    Index("ix_compute_ports_server", "server_id"),
)

volume_attachments = Table(
    "compute_volume_attachments",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("server_id", Id, ForeignKey("compute_servers.id", ondelete="CASCADE"), nullable=False),
    Column("volume_id", Name, nullable=False, unique=True),
    Column("device", Name, nullable=False),
    Column("is_root", Boolean, nullable=False),
    Column("delete_on_termination", Boolean, nullable=False),
    Index("ix_compute_volume_attachments_server", "server_id"),
)

actions = Table(
    "compute_actions",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("server_id", Id, nullable=False),
    Column("request_id", Name, nullable=False),
    Column("action", String(64), nullable=False),
    Column("user_id", Name, nullable=False),
    Column("project_id", Name, nullable=False),
    Column("start_time", Moment, nullable=False),
    Column("finish_time", Moment),
    Column("message", Name),
    Index("ix_compute_actions_server", "server_id", "number"),
)
"""What was asked of servers."""

action_events = Table(
    "compute_action_events",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("action", Key, ForeignKey("compute_actions.number", ondelete="CASCADE"), nullable=False),
    Column("event", String(64), nullable=False),
    Column("start_time", Moment, nullable=False),
    Column("finish_time", Moment),
    Column("result", String(16)),
    Column("details", Text),
    Index("ix_compute_action_events_action", "action"),
)
"""What was done for that."""

transitions = Table(
    "compute_transitions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("server_id", Id, nullable=False),
    Column("action", String(32), nullable=False),
    Column("arguments", Json, nullable=False),
    Column("record", Key),
    Column("state", String(16), nullable=False),
    Column("created", Moment, nullable=False),
    Index("ix_compute_transitions_server", "server_id"),
)
"""What is being done: written with the state that it starts from, and taken away when nothing of it is left to do."""

quotas = Table(
    "compute_quotas",
    metadata,
    Column("project_id", Name, primary_key=True),
    Column("user_id", Name, primary_key=True),
    Column("resource", String(32), primary_key=True),
    Column("limit", Integer, nullable=False),
)
"""Limits that somebody set, of a project, or of a user in it ("" for the project)."""

quota_classes = Table(
    "compute_quota_classes",
    metadata,
    Column("name", Name, primary_key=True),
    Column("resource", String(32), primary_key=True),
    Column("limit", Integer, nullable=False),
)

groups = Table(
    "compute_server_groups",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("project_id", Name, nullable=False),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("policy", String(32), nullable=False),
)

aggregates = Table(
    "compute_aggregates",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("name", Name, nullable=False, unique=True),
    Column("metadata", Json, nullable=False),
    Column("hosts", Json, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment),
)

services = Table(
    "compute_services",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("binary", Name, nullable=False),
    Column("host", Name, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("disabled_reason", Name),
    Column("forced_down", Boolean, nullable=False),
    Column("updated", Moment),
    UniqueConstraint("binary", "host"),
)

migrations = Table(
    "compute_migrations",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("server_id", Id, nullable=False),
    Column("type", String(32), nullable=False),
    Column("status", String(32), nullable=False),
    Column("source", Name, nullable=False),
    Column("target", Name),
    Column("old_flavor", Integer),
    Column("new_flavor", Integer),
    Column("created", Moment, nullable=False),
    Column("updated", Moment),
    Index("ix_compute_migrations_server", "server_id"),
)
"""Moves of servers between hosts, and resizes; flavors by their numbers."""

images = Table(
    "compute_images",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("project_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("status", String(16), nullable=False),
    Column("server_id", Id),
    Column("base_id", String(36), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)
"""Images that were made of servers; those that a deployment has lie in a folder."""

told = Table(
    "compute_told",
    metadata,
    Column("address", Name, primary_key=True),
    Column("moment", Moment, nullable=False),
    Column("telling", Json),
)
"""Up to when usage was told, by whom it was told to; and what is being told of the period after that."""
