"""The page and its buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from apifold import Denied, Request, Response
from apifold_services.platform.console.page import HEADERS, Application, applications, one_application
from apifold_services.platform.core.assemblies import Wanted
from apifold_services.platform.core.platform import PlatformCore
from apifold_services.platform.core.scope import Scope

MOST = 200
"""Applications, and plans, that the page shows; the newest of them."""


def show_applications(core: PlatformCore, scope: Scope, address: str) -> Response:
    there, plans = core.assemblies.all(scope), core.plans.all(scope)
    shown = [_application(one, core.tail(one)) for one in there[:MOST]]
    return _page(applications(shown, plans[:MOST], address, more=max(0, len(there) - MOST)))


def show_application(core: PlatformCore, scope: Scope, id: str, address: str) -> Response:
    shown = _application(core.assemblies.get(scope, id))
    logs = {one["name"]: core.log(scope, id, one["id"]) for one in core.logs(scope, id)}
    return _page(one_application(shown, core.sensors(scope, id), logs, address))


def operate_application(
    core: PlatformCore, scope: Scope, id: str, operation: str, request: Request, address: str,
    body: Mapping[str, Any] | None = None,
) -> Any:  # fmt: skip
    _refuse_others(request)
    core.operate(scope, id, operation, (body or {}).get("instances", 0))
    return _back(address)


def delete_application(core: PlatformCore, scope: Scope, id: str, request: Request, address: str) -> Any:
    _refuse_others(request)
    core.assemblies.delete(scope, id)
    return _back(address)


def deploy_plan(core: PlatformCore, scope: Scope, id: str, request: Request, address: str) -> Any:
    _refuse_others(request)
    core.assemblies.create(scope, Wanted(id))
    return _back(address)


def _application(assembly: Mapping[str, Any], tail: str = "") -> Application:
    return Application(
        id=assembly["id"],
        name=assembly["name"],
        status=assembly["status"],
        reason=assembly.get("reason", ""),
        address=assembly.get("address", ""),
        instances=assembly["instances"],
        moves=assembly["skew"] != "NONE",
        is_deployed=assembly["is_deployed"],
        tail=tail,
    )


def _refuse_others(request: Request) -> None:
    """A button of another site's page is none of ours, though a browser would come with our user's credentials."""
    origin = request.headers.get("origin", "")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != request.host):
        raise Denied("Another site's page may not do this.")


def _page(text: str) -> Response:
    return Response(200, text.encode(), (("Content-Type", "text/html; charset=utf-8"), *HEADERS))


def _back(address: str) -> Any:
    return None, 303, {"Location": f"{address}/"}
