"""Which plan an address is of, in any of the forms that clients write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from apifold import Request

_PLAN = re.compile(r"/(?:v1|camp/v1_1)/plans?/(?P<id>[^/]+)/?")
_SERVICE = re.compile(r"/(?:v1|camp/v1_1)(?:/|$)")


@dataclass(frozen=True, slots=True)
class PlanAddress:
    """An address that was understood.

    Attributes:
        id: of the plan of this service that it is of; "" where it is of none.
        elsewhere: the whole address, where it is another host's; "" where it is ours.
    """

    id: str = ""
    elsewhere: str = ""


def plan_address(uri: str, request: Request) -> PlanAddress:
    """What an address means in a request (RFC 3986, 5). A relative one is read as if the collection's address ended in
    a slash, too, because clients mean that.

    Raises:
        ValueError: it is no address.
    """
    here = f"{request.base_url}{request.path}"
    parts = urlsplit(urljoin(here, uri.strip()))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{uri[:200]!r} is no http address")
    if _host(parts) != _host(urlsplit(f"{parts.scheme}://{request.host}")):
        return PlanAddress(elsewhere=parts.geturl())
    root = f"{request.prefix}{_SERVICE.split(request.path, maxsplit=1)[0]}"
    for base in (here, f"{here.rstrip('/')}/"):
        path = urlsplit(urljoin(base, uri.strip())).path
        found = _PLAN.fullmatch(path.removeprefix(root)) if path.startswith(root) else None
        if found:
            return PlanAddress(id=unquote(found["id"]))
    return PlanAddress()


def _host(parts: SplitResult) -> tuple[str, int]:
    """Who is asked at an address, however that is spelt (RFC 3986, 6.2). Raises ValueError: its port is none."""
    user = f"{parts.username}@" if parts.username is not None else ""
    return f"{user}{parts.hostname}", parts.port or {"http": 80, "https": 443}[parts.scheme]
