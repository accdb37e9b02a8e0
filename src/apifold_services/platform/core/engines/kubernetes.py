"""The engine `kubernetes`: hands applications over to a cluster. They come as images; nothing is built here.

It is tested for its contract only - the schemas of Kubernetes and a stand-in of its API - and not against a cluster.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from apifold import Deployment, SettingsError
from apifold_services.platform.core.engines import manifests
from apifold_services.platform.core.engines.cluster import (
    DEPLOYMENT,
    INGRESS,
    POD,
    SECRET,
    SERVICE,
    Cluster,
    ClusterFailed,
    KubernetesOptions,
)
from apifold_services.platform.core.engines.engine import EngineFailed, Unit, UnitState
from apifold_services.platform.core.engines.manifests import CONTAINER, IMAGE, OURS, UNIT, name_of, selector_of
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.plan_file import Artifact

LOG = "application"
LINES, TAIL, LINE = 2000, 2000, 65_536
POLL_SECONDS = 0.5
ENDED = ("Succeeded", "Failed")
USUAL = ("ContainerCreating", "PodInitializing")
"""Why a container waits that is on its way."""

NO_IMAGE = "is no image, and nothing is built here: write `content: {href: docker://REGISTRY/NAME:TAG}`, or `oci://`"
NO_PACK = "names a language pack, and nothing is built here: leave `language_pack` out"
NO_CODES = "has `health: accepted`, and Kubernetes takes 200 to 399: leave it out, or write `health: {tcp: true}`"

log = logging.getLogger("apifold.platform")


class Kubernetes:
    """`kubernetes`: each unit is a Deployment, with a Secret, a Service and, where there is a domain, an Ingress.

    Args:
        settings: those of `KubernetesOptions`.
    """

    name = "kubernetes"
    description = "Applications are images, run by a Kubernetes cluster."

    def __init__(self, deployment: Deployment, settings: Mapping[str, Any], options: Options) -> None:
        try:
            self.options = msgspec.convert(settings, KubernetesOptions, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"services: platform: kubernetes: {error}") from None
        self.cluster = Cluster(self.options)

    def runtimes(self) -> Mapping[str, str]:
        return {}

    def check(self, artifact: Artifact, *, packaged: bool) -> str:
        if not IMAGE.fullmatch(artifact.content.href or ""):
            return NO_IMAGE
        for name in ("unittest_cmd", "build_cmd"):
            if getattr(artifact, name):
                return f"has a `{name}`, and nothing is built here: leave it out, and do that where the image is made"
        if artifact.language_pack not in (True, False, "auto", ""):
            return NO_PACK
        return NO_CODES if artifact.health.accepted else ""

    def prepare(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        return {}

    def test(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        pass

    def build(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        return {}

    def start(self, unit: Unit) -> str:
        lost = sorted(name for name, value in unit.variables.items() if "$DATA_FOLDER" in value)
        if lost:
            raise EngineFailed(
                f"{lost[0]} is for a folder that stays, and pods have none: require `org.postgresql:postgresql`"
            )
        secret = self.cluster.apply(manifests.secret(unit))
        self.cluster.apply(manifests.service(unit))
        if self.options.domain:
            self.cluster.apply(manifests.ingress(unit, self.options))
        else:
            self.cluster.delete(INGRESS, name_of(unit.id))
        self.cluster.apply(manifests.deployment(unit, self.options, secret["metadata"]["resourceVersion"]))
        return manifests.address_of(unit, self.options)

    def settle(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        until = time.monotonic() + self.options.start_seconds
        while time.monotonic() < until and not stopped():
            try:
                if _is_settled(self.cluster.get(DEPLOYMENT, name_of(unit.id)), unit.instances):
                    return
            except ClusterFailed as error:
                if not error.is_passing:
                    raise
            time.sleep(POLL_SECONDS)
        if not stopped():
            reason = self._reason(unit.id)
            raise EngineFailed(f"it did not answer within {self.options.start_seconds:g} seconds: {reason}")

    def stop(self, id: str) -> None:
        self.cluster.scale(name_of(id), 0)
        # One that has ended stays where it was evicted, say.
        self._wait(id, lambda: all(pod.get("status", {}).get("phase") in ENDED for pod in self._pods(id)))

    def remove(self, id: str) -> None:
        self._delete(id)
        self._wait(id, lambda: not self._pods(id) and self.cluster.get(DEPLOYMENT, name_of(id)) is None)

    def state(self, id: str) -> UnitState:
        try:
            found = self.cluster.get(DEPLOYMENT, name_of(id))
            if not found or not found["spec"].get("replicas") or found["metadata"].get("deletionTimestamp"):
                return UnitState()
            restarts = sum(one.get("restartCount", 0) for one in _containers(self._pods(id)))
        except EngineFailed as error:
            log.warning("how unit %s does is not known: %s", id, error)
            return UnitState(alive=True)  # it may well be: nobody knows that it is to be started again
        ready = found.get("status", {}).get("readyReplicas", 0)
        started = datetime.fromisoformat(found["metadata"]["creationTimestamp"]).timestamp()
        return UnitState(alive=True, ready=ready, restarts=restarts, started=started)

    def logs(self, id: str) -> Mapping[str, str]:
        with suppress(EngineFailed):
            pods = self._pods(id)
            lines = [line for pod in pods for line in self._lines(pod, 1, TAIL)]
            moments = [line.partition(" ")[0] for line in lines] or [_made(pod) for pod in pods]
            if moments:
                last = datetime.fromisoformat(max(moments)).astimezone(UTC).replace(tzinfo=None)
                return {LOG: last.isoformat(timespec="microseconds")}
        return {}

    def log(self, id: str, name: str, most: int) -> str:
        lines: list[str] = []
        if name == LOG:
            with suppress(EngineFailed):
                lines = sorted(line for pod in self._pods(id) for line in self._lines(pod, LINES, most))
        return "".join(f"{line}\n" for line in lines).encode()[-most:].decode("utf-8", "replace")

    def folder(self, id: str) -> Path | None:
        return None

    def forget_all_but(self, known: Callable[[], Set[str]]) -> None:
        there = {one["metadata"]["labels"][UNIT] for one in self.cluster.all(DEPLOYMENT, OURS)}
        for id in there - known():
            log.info("unit %s is in the cluster, and of no assembly; it is removed", id)
            self._delete(id)

    def _delete(self, id: str) -> None:
        """Remove its objects; the Deployment last, since a unit that is to be forgotten is found by that."""
        for kind in (INGRESS, SERVICE, SECRET, DEPLOYMENT):
            self.cluster.delete(kind, name_of(id))

    def _pods(self, id: str) -> list[dict[str, Any]]:
        return self.cluster.all(POD, selector_of(id))

    def _wait(self, id: str, gone: Callable[[], bool]) -> None:
        """Until its pods are gone. EngineFailed: they do not go."""
        until = time.monotonic() + self.options.stop_seconds
        while not gone():
            if time.monotonic() > until:
                left = ", ".join(pod["metadata"]["name"] for pod in self._pods(id)) or "its Deployment"
                raise EngineFailed(f"it is not gone after {self.options.stop_seconds:g} seconds: {left}")
            time.sleep(POLL_SECONDS)

    def _lines(self, pod: Mapping[str, Any], lines: int, most: int) -> list[str]:
        """The end of a pod's log, each line with its time and the pod's name; none while it has no log."""
        name = pod["metadata"]["name"]
        try:
            text = self.cluster.log(name, CONTAINER, lines, max(most, LINE))  # a whole line at least
        except ClusterFailed:
            return []
        told = (line.partition(" ") for line in text.split("\n"))
        return [f"{moment} {name}: {said}" for moment, _, said in told if _is_moment(moment)]

    def _reason(self, id: str) -> str:
        """Why it does not answer, as far as the cluster says, and what it wrote last."""
        try:
            troubles = [*_troubles(self.cluster.get(DEPLOYMENT, name_of(id)), self._pods(id))]
        except ClusterFailed as error:
            return str(error)
        lines = self.log(id, LOG, TAIL).rstrip("\n").split("\n")[-5:]
        said = [line.partition(" ")[2] for line in lines if line] or ["it wrote nothing"]
        return " | ".join([*dict.fromkeys(troubles), *said])


def _is_settled(found: Mapping[str, Any] | None, instances: int) -> bool:
    """Whether so many instances answer, all of them as they were asked for last, and no others."""
    if found is None:
        return False
    status = found.get("status", {})
    updated = status.get("updatedReplicas", 0)
    is_current = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
    return bool(
        is_current and status.get("replicas", 0) <= updated >= instances and status.get("readyReplicas", 0) >= instances
    )


def _troubles(found: Mapping[str, Any] | None, pods: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    if found is None:
        yield "its Deployment is gone"
        return
    for owner, kind, bad in ((found, "ReplicaFailure", "True"), *((pod, "PodScheduled", "False") for pod in pods)):
        for condition in owner.get("status", {}).get("conditions", ()):
            if (condition["type"], condition["status"]) == (kind, bad):
                yield condition.get("message") or condition.get("reason", kind)
    for one in _containers(pods):
        waiting = one.get("state", {}).get("waiting", {})
        if waiting and waiting.get("reason") not in USUAL:
            yield ": ".join(filter(None, (waiting.get("reason", "it waits"), waiting.get("message"))))
        ended = one.get("state", {}).get("terminated") or one.get("lastState", {}).get("terminated")
        if ended:
            yield f"it ended with {ended['exitCode']} ({ended.get('reason', 'for no reason')})"


def _containers(pods: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for pod in pods:
        yield from pod.get("status", {}).get("containerStatuses", ())


def _made(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["creationTimestamp"])


def _is_moment(text: str) -> bool:
    """Whether a line begins with its time; one that was cut does not."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
