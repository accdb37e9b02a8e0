"""Litestar: msgspec structs in and out, a guard for the token."""

from typing import Annotated, Any, Literal

import msgspec
import work
from litestar import Litestar, get, post
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.params import Parameter
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1)]
Positive = Annotated[float, Meta(ge=0)]


class Closed(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Owner(Closed):
    name: Text
    email: Annotated[str, Meta(pattern="^[^@]+@[^@]+$")]
    team: str = ""


class Quota(Closed):
    resource: Text
    limit: Annotated[int, Meta(ge=0)]


class Plan(Closed, kw_only=True):
    name: Annotated[str, Meta(pattern=work.NAME)]
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    description: Annotated[str, Meta(max_length=2000)] = ""
    currency: Literal["EUR", "USD", "GBP"]
    priority: Annotated[int, Meta(ge=0, le=100)] = 0
    weight: Positive = 0
    active: bool = False
    valid_from: Annotated[str, Meta(min_length=10)] = ""
    tags: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=32)] = []
    owner: Owner
    rates: Annotated[list[Positive], Meta(min_length=1)]
    quotas: Annotated[list[Quota], Meta(max_length=200)]


class Stored(Plan):
    id: str
    created_at: str


def allow(role):
    def guard(connection, _):
        header = connection.headers.get("authorization", "")
        if not header.startswith("Bearer "):
            raise NotAuthorizedException
        if not work.may(header[7:], role):
            raise PermissionDeniedException

    return guard


@get("/plans/{name:str}", guards=[allow("reader")])
async def get_plan(name: Annotated[str, Parameter(pattern=work.NAME)]) -> dict[str, Any]:
    return work.PLANS[name]


@post("/plans", guards=[allow("member")])
async def create_plan(data: Plan) -> dict[str, Any]:
    return work.create(msgspec.to_builtins(data))


@post("/checked/plans", guards=[allow("member")])
async def create_checked_plan(data: Plan) -> Stored:
    return msgspec.convert(work.create(msgspec.to_builtins(data)), Stored)


@get("/items", guards=[allow("reader")])
async def list_items(limit: Annotated[int, Parameter(ge=1, le=1000)] = 100) -> list[dict[str, Any]]:
    return work.ITEMS[:limit]


app = Litestar([get_plan, create_plan, create_checked_plan, list_items], openapi_config=None)
