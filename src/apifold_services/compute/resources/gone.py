"""What was there once, and answers 410 ever since."""

from __future__ import annotations

from typing import Any

from apifold import Gone
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "gone", "Gone", "What was there once.", "2018-01-01T00:00:00Z")


def gone(**said: Any) -> None:
    raise Gone("This resource is no longer available. No forwarding address is given.")
