"""Faults that are armed, and how often what was asked."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from apifold import Conflict, Deployment, NotFound, Query
from apifold_services.multicloud.standin.core.resources import MOST
from apifold_services.multicloud.standin.core.tokens import TOKEN_SECONDS


class Faults:
    """What tests armed, for every process that serves."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def arm(self, wish: dict[str, Any]) -> None:
        """Have the next requests that match answered otherwise, or tokens expire sooner."""
        if "token_seconds" in wish:
            self._clock.put("token", {"seconds": wish["token_seconds"]})
        if "service" in wish and ("status" in wish or wish["delay"]):
            self._armed.create({name: value for name, value in wish.items() if name != "token_seconds"})

    def armed(self) -> list[dict[str, Any]]:
        """Those that are armed, the oldest first."""
        return [document.body for document in self._armed.page(Query(limit=MOST)).items if document.body["times"]]

    def token_seconds(self) -> float:
        """How long a new token lives."""
        with suppress(NotFound):
            return float(self._clock.read("token").body["seconds"])
        return TOKEN_SECONDS

    def clear(self) -> None:
        """Disarm all, and let tokens live as long as ever."""
        _empty(self._armed)
        _empty(self._clock)

    def take(self, service: str, method: str, path: str) -> dict[str, Any] | None:
        """The fault that a request meets, once; None where it meets none."""
        for document in self._armed.page(Query(limit=MOST)).items:
            fault = document.body
            if (fault["service"], fault.get("method", method)) == (service, method) and path.startswith(
                fault.get("path_prefix", "")
            ):
                with suppress(NotFound, Conflict):
                    met: dict[str, Any] = self._armed.change(document.id, _once_less).body
                    if not met["times"]:
                        self._armed.delete(document.id)
                    return met
        return None

    def count(self, service: str, method: str, path: str) -> None:
        """Remember a request."""
        id = f"{method} {path}"[:255]
        for _ in range(2):  # another may have made it in between
            with suppress(NotFound):
                self._counts.change(id, lambda body: {**body, "count": body["count"] + 1})
                return
            with suppress(Conflict):
                self._counts.create({"service": service, "method": method, "path": path, "count": 1}, id)
                return

    def counts(self) -> list[dict[str, Any]]:
        """How often what was asked."""
        return [document.body for document in self._counts.page(Query(limit=MOST)).items]

    def forget(self) -> None:
        """Begin to count anew."""
        _empty(self._counts)

    @property
    def _armed(self) -> Any:
        return self.deployment.collection("standin-faults")

    @property
    def _clock(self) -> Any:
        return self.deployment.collection("standin-clock")

    @property
    def _counts(self) -> Any:
        return self.deployment.collection("standin-requests")


def _once_less(fault: dict[str, Any]) -> dict[str, Any]:
    if not fault["times"]:
        raise Conflict("It has been met as often as it was to be.")
    return {**fault, "times": fault["times"] - 1}


def _empty(collection: Any) -> None:
    for document in collection.page(Query(limit=MOST)).items:
        with suppress(NotFound):
            collection.delete(document.id)
