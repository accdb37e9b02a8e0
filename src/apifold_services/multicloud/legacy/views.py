"""The views: each finds the cloud, logs in there, asks, and puts the answer in shape by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, JsonResponse

from apifold import Fault, FixedSession, Reply, Upstream, fault_of, status_of
from apifold_services.multicloud.core.clouds import Cloud, parted
from apifold_services.multicloud.core.connections import Connections

Asking = Callable[[Connections, Cloud], Awaitable[Any]]


def identity_version(request: HttpRequest, **named: str) -> HttpResponse:
    async def ask(connections: Connections, cloud: Cloud) -> Any:
        reply = await connections.upstream(cloud, cloud.default_tenant).call("GET", "/", service="identity")
        return reply.json() or {}

    def shape(body: dict[str, Any]) -> dict[str, Any]:
        here = request.build_absolute_uri().partition("?")[0].rstrip("/") + "/"
        return {"version": {**body.get("version", {}), "links": [{"rel": "self", "href": here}]}}

    return _answered(request, named, ask, shape)


def create_token(request: HttpRequest, **named: str) -> HttpResponse:
    async def ask(connections: Connections, cloud: Cloud) -> Reply:
        sent = json.loads(request.body)
        upstream = connections.upstream(cloud, "")
        address = await upstream.session.address("identity")
        return await Upstream(upstream.outgoing, FixedSession(address)).call("POST", "/auth/tokens", json=sent)

    found = _asked(request, named, ask)
    if isinstance(found, HttpResponse):
        return found
    body = found.json()
    if found.status != 201:
        return JsonResponse(body, status=found.status)
    here = request.build_absolute_uri().partition("/identity/")[0]
    for service in body["token"].get("catalog", []):
        for endpoint in service["endpoints"]:
            endpoint["url"] = f"{here}/{service['type']}"
    response = JsonResponse(body, status=201)
    response["X-Subject-Token"] = found.header("X-Subject-Token")
    return response


def extensions(request: HttpRequest, **named: str) -> HttpResponse:
    async def ask(connections: Connections, cloud: Cloud) -> Any:
        return cloud

    def shape(cloud: Cloud) -> dict[str, Any]:
        return {
            "cloud-owner": cloud.owner,
            "cloud-region-id": cloud.region,
            "vimid": cloud.vimid,
            "extensions": cloud.extra.get("extensions", []),
        }

    return _answered(request, named, ask, shape)


def hosts(request: HttpRequest, tenantid: str, **named: str) -> HttpResponse:
    async def ask(connections: Connections, cloud: Cloud) -> Any:
        query = f"?{request.META['QUERY_STRING']}" if request.META["QUERY_STRING"] else ""
        upstream = connections.upstream(cloud, tenantid)
        return _successful(await upstream.call("GET", f"/os-hypervisors/detail{query}", service="compute"))

    def shape(body: dict[str, Any]) -> dict[str, Any]:
        names = _names(named)
        return {
            "vimName": names["vimName"],
            "hosts": [_host(one) for one in body["hypervisors"]],
            "tenantId": tenantid,
            "vimid": names["vimId"],
            **{key: value for key, value in names.items() if key.startswith("cloud-")},
        }

    return _answered(request, named, ask, shape)


def host(request: HttpRequest, tenantid: str, hostid: str, **named: str) -> HttpResponse:
    async def ask(connections: Connections, cloud: Cloud) -> Any:
        path = f"/os-hypervisors/{quote(hostid, safe='')}"
        return _successful(await connections.upstream(cloud, tenantid).call("GET", path, service="compute"))

    def shape(body: dict[str, Any]) -> dict[str, Any]:
        return {**_host(body["hypervisor"]), **_names(named), "tenantId": tenantid, "returnCode": 0}

    return _answered(request, named, ask, shape)


def _host(hypervisor: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": hypervisor["hypervisor_hostname"],
        "id": hypervisor["id"],
        "status": hypervisor["status"],
        "state": hypervisor["state"],
        "cpu": hypervisor["vcpus"],
        "disk_gb": hypervisor["local_gb"],
        "memory_mb": hypervisor["memory_mb"],
    }


def _names(named: dict[str, str]) -> dict[str, str]:
    if "vimid" in named:
        return {"vimName": named["vimid"], "vimId": named["vimid"]}
    owner, region = named["cloud_owner"], named["cloud_region_id"]
    vimid = f"{owner}_{region}"
    return {"vimName": vimid, "vimId": vimid, "cloud-owner": owner, "cloud-region-id": region}


def _answered(
    request: HttpRequest, named: dict[str, str], ask: Asking, shape: Callable[[Any], dict[str, Any]]
) -> HttpResponse:
    found = _asked(request, named, ask)
    return found if isinstance(found, HttpResponse) else JsonResponse(shape(found))


def _asked(request: HttpRequest, named: dict[str, str], ask: Asking) -> Any:
    """What a cloud answers; the response to send where it can't be asked."""
    provided: Connections = request.META["apifold.provides"]["connections"]
    try:
        return asyncio.run(_alone(provided, named, ask))
    except Fault as fault:
        return JsonResponse({"error": fault.detail or fault.title}, status=status_of(fault))


async def _alone(provided: Connections, named: dict[str, str], ask: Asking) -> Any:
    """Ask on connections that live for this request only, as this application always did."""
    owner, region = parted(named["vimid"]) if "vimid" in named else (named["cloud_owner"], named["cloud_region_id"])
    async with provided.alone() as connections:
        return await ask(connections, await connections.inventory.find(owner, region))


def _successful(reply: Reply) -> Any:
    if reply.status != 200:
        raise fault_of(reply)
    return reply.json()
