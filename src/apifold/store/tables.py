"""The tables of apifold's own storage. Their history is in `migrations/`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

Json = JSON(none_as_null=False).with_variant(JSONB(), "postgresql")

documents = Table(
    "apifold_documents",
    metadata,
    Column("position", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("collection", String(128), nullable=False),
    Column("id", String(255), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("body", Json, nullable=False),
    Column("created", BigInteger, nullable=False, comment="microseconds since the epoch"),
    Column("updated", BigInteger, nullable=False, comment="microseconds since the epoch"),
    UniqueConstraint("collection", "id", name="uq_apifold_documents_id"),
    Index("ix_apifold_documents_order", "collection", "position"),
)
"""Documents of every collection, in the order in which they were created."""

answers = Table(
    "apifold_answers",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=True, comment="null while the request is being answered"),
    Column("headers", Json, nullable=True),
    Column("body", LargeBinary, nullable=True),
    Column("begun", BigInteger, nullable=False, comment="seconds since the epoch"),
)
"""Answers that are kept for their idempotency keys."""
