"""The work that every stack does: plans and items in memory, tokens with roles, one schema for a plan."""

from __future__ import annotations

import json
from pathlib import Path

SCHEMA = json.loads((Path(__file__).parent / "apis" / "plan.json").read_text("utf-8"))
"""What a plan has to look like."""

STORED_SCHEMA = {
    "type": "object",
    "required": ["id", "name", "title", "owner"],
    "properties": {
        "id": {"type": "string"},
        "created_at": {"type": "string"},
        "name": {"type": "string"},
        "title": {"type": "string"},
        "currency": {"type": "string", "enum": ["EUR", "USD", "GBP"]},
        "priority": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "owner": {
            "type": "object",
            "required": ["name", "email"],
            "properties": {"name": {"type": "string"}, "email": {"type": "string"}},
        },
        "rates": {"type": "array", "items": {"type": "number"}},
        "quotas": {"type": "array", "items": {"type": "object", "required": ["resource", "limit"]}},
    },
}
"""What a plan looks like as it is stored; as in `apis/openapi.yaml`."""

NAME = "^[a-z][a-z0-9-]{2,62}$"

TOKEN = "bench-token-0123456789abcdef"  # it opens nothing but the benchmark
TOKENS = {TOKEN: {"user": "ada", "project": "lab", "roles": {"reader", "member"}}}

STORED = {
    "id": "0d4f2a7c",
    "created_at": "2026-01-01T00:00:00Z",
    "name": "gold",
    "title": "Gold plan for customers of every size",
    "currency": "EUR",
    "priority": 10,
    "tags": ["compute", "storage", "network", "premium", "support"],
    "owner": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "rates": [0.25, 0.5, 1.75],
    "quotas": [{"resource": "instances", "limit": 20}, {"resource": "volumes", "limit": 100}],
}
PLANS = {"gold": STORED}
"""By name; `gold` is about 390 bytes of JSON."""

ITEMS = [
    {
        "id": f"item-{number:04d}",
        "name": f"The item of the list that has number {number}",
        "size": number * 37 % 101,
        "ratio": number / 8,
        "active": number % 3 > 0,
        "tags": ["one", "two", "three"],
    }
    for number in range(100)
]
"""100 items, about 14 kB of JSON."""

PLAN = {
    "name": "platinum",
    "title": "Platinum plan for large customers",
    "description": ("Everything in gold, and more of it. " * 11).strip(),
    "currency": "USD",
    "priority": 42,
    "weight": 1.5,
    "active": True,
    "valid_from": "2026-01-01",
    "tags": ["compute", "storage", "network", "premium", "support"],
    "owner": {"name": "Grace Hopper", "email": "grace@example.org", "team": "platform"},
    "rates": [0.25, 0.5, 1.75, 2.25, 8],
    "quotas": [
        {"resource": "instances", "limit": 200},
        {"resource": "volumes", "limit": 1000},
        {"resource": "networks", "limit": 50},
        {"resource": "addresses", "limit": 75},
    ],
}
"""A plan as a client sends it: 12 members, about 900 bytes."""

REFUSED = {
    **PLAN,
    "priority": 1000,
    "owner": {"name": "Grace Hopper", "email": "nope"},
    "quotas": [{"resource": "instances", "limit": -1}],
}
"""The same with three mistakes."""


def create(plan: dict) -> dict:
    """Store a plan; the plan as it is stored."""
    stored = {"id": "5b1c9e20", "created_at": "2026-01-01T00:00:00Z", **plan}
    PLANS[plan["name"]] = stored
    return stored


def may(token: str | None, role: str, project: str | None = None) -> bool:
    """Whether a token's owner may do what a role may, in a project (or in his own)."""
    who = TOKENS.get(token or "")
    return who is not None and ("admin" in who["roles"] or (role in who["roles"] and project in (None, who["project"])))
