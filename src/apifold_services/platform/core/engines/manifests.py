"""What a unit is in a cluster: the objects that Kubernetes takes. Plain data in, plain data out."""

from __future__ import annotations

import base64
import math
import re
from typing import Any

from apifold_services.platform.core.engines.cluster import (
    DEPLOYMENT,
    INGRESS,
    MANAGER,
    SECRET,
    SERVICE,
    KubernetesOptions,
)
from apifold_services.platform.core.engines.engine import Unit
from apifold_services.platform.core.plan_file import Artifact, Health, ports_of

NAME, MANAGED_BY = "app.kubernetes.io/name", "app.kubernetes.io/managed-by"
UNIT, ASSEMBLY, VARIABLES = "apifold.org/unit", "apifold.org/assembly", "apifold.org/variables"
OURS = f"{MANAGED_BY}={MANAGER},{UNIT}"
"""Selects what any unit has."""

CONTAINER, PORT = "application", "web"
IMAGE = re.compile(
    r"(?:docker|oci)://(?P<image>[a-z0-9][a-z0-9.-]*(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+"
    r"(?:(?::\w[\w.-]{0,127})(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64}))",
    re.ASCII,
)
"""The address of an image: its registry, its name, its tag or digest."""

PUBLIC_PORT, DEFAULT_PORT = 80, 8080
PROBE_SECONDS, STARTUP_SECONDS = 10, 2
LABEL_LENGTH, ID_LENGTH = 63, 8


def name_of(id: str) -> str:
    """What all objects of a unit are called."""
    return f"{MANAGER}-{id}"


def selector_of(id: str) -> str:
    """Selects what one unit has."""
    return f"{MANAGED_BY}={MANAGER},{UNIT}={id}"


def address_of(unit: Unit, options: KubernetesOptions) -> str:
    """Where a unit answers: everybody, or those in the cluster where there is no domain."""
    return f"http://{_host(unit, options) if options.domain else f'{name_of(unit.id)}.{options.namespace}.svc'}"


def secret(unit: Unit) -> dict[str, Any]:
    """The environment that a unit runs with."""
    data = {name: base64.b64encode(value.encode()).decode() for name, value in unit.variables.items()}
    return {**_head("v1", SECRET, unit), "type": "Opaque", "data": data}


def service(unit: Unit) -> dict[str, Any]:
    """One address for all instances of a unit."""
    ports = [{"name": PORT, "port": PUBLIC_PORT, "targetPort": PORT, "protocol": "TCP"}]
    return {**_head("v1", SERVICE, unit), "spec": {"selector": {UNIT: unit.id}, "ports": ports}}


def ingress(unit: Unit, options: KubernetesOptions) -> dict[str, Any]:
    """A host name for it outside of the cluster."""
    backend = {"service": {"name": name_of(unit.id), "port": {"name": PORT}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec: dict[str, Any] = {"rules": [{"host": _host(unit, options), "http": {"paths": paths}}]}
    if options.ingress_class:
        spec["ingressClassName"] = options.ingress_class
    return {**_head("networking.k8s.io/v1", INGRESS, unit), "spec": spec}


def deployment(unit: Unit, options: KubernetesOptions, variables: str) -> dict[str, Any]:
    """Its instances.

    Args:
        variables: the version of its Secret: where that is another, pods are changed for others.
    """
    template = {
        "metadata": {"labels": _labels(unit), "annotations": {VARIABLES: variables}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
                # Plans say port 80 where they say nothing, and whoever is not root could not listen there.
                "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
            },
            "containers": [_container(unit, options)],
        },
    }
    spec = {"replicas": unit.instances, "selector": {"matchLabels": {UNIT: unit.id}}, "template": template}
    return {**_head("apps/v1", DEPLOYMENT, unit), "spec": spec}


def _container(unit: Unit, options: KubernetesOptions) -> dict[str, Any]:
    artifact, port = unit.artifact, _port(unit.artifact)
    found = IMAGE.fullmatch(artifact.content.href or "")
    assert found, "`check` lets nothing else in"
    probe = {**_probe(artifact.health), "timeoutSeconds": 5}
    tries = math.ceil(options.start_seconds / STARTUP_SECONDS)
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": found["image"],
        "ports": [{"name": PORT, "containerPort": port, "protocol": "TCP"}],
        "env": [{"name": "PORT", "value": str(port)}],
        "envFrom": [{"secretRef": {"name": name_of(unit.id)}}],
        "resources": {"limits": {"memory": options.memory, "cpu": options.cpu}},
        "startupProbe": {**probe, "periodSeconds": STARTUP_SECONDS, "failureThreshold": tries},
        "readinessProbe": {**probe, "periodSeconds": PROBE_SECONDS, "failureThreshold": 3},
        "livenessProbe": {**probe, "periodSeconds": PROBE_SECONDS, "failureThreshold": 3},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if artifact.run_cmd:
        # Kubernetes would replace $(NAME) before the shell sees it.
        container["command"] = ["/bin/sh", "-c", artifact.run_cmd.replace("$", "$$")]
    return container


def _probe(health: Health) -> dict[str, Any]:
    if health.tcp:
        return {"tcpSocket": {"port": PORT}}
    return {"httpGet": {"path": health.path, "port": PORT, "scheme": "HTTP"}}


def _port(artifact: Artifact) -> int:
    return next(iter(ports_of(artifact).values()), DEFAULT_PORT)


def _head(version: str, kind: str, unit: Unit) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name_of(unit.id), "labels": _labels(unit)}}


def _labels(unit: Unit) -> dict[str, str]:
    return {NAME: _label(unit), MANAGED_BY: MANAGER, UNIT: unit.id, ASSEMBLY: unit.assembly_id}


def _host(unit: Unit, options: KubernetesOptions) -> str:
    return f"{_label(unit)}-{unit.id[:ID_LENGTH]}.{options.domain}"


def _label(unit: Unit) -> str:
    """The artifact's name, which stays, whatever its component is called later; as DNS takes it."""
    plain = re.sub(r"[^a-z0-9]+", "-", unit.artifact.name.lower()).strip("-")
    return plain[: LABEL_LENGTH - ID_LENGTH - 1].strip("-") or CONTAINER
