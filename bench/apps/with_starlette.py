"""Starlette: its own routing and JSONResponse; it has no validation, so jsonschema-rs does that."""

import re

import jsonschema_rs
import work
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

PLAN = jsonschema_rs.validator_for(work.SCHEMA)
STORED = jsonschema_rs.validator_for(work.STORED_SCHEMA)
NAME = re.compile(work.NAME)


def allow(role, request):
    header = request.headers.get("authorization", "")
    if not header.startswith("Bearer "):
        raise HTTPException(401)
    if not work.may(header[7:], role):
        raise HTTPException(403)


async def plan_of(request):
    plan = await request.json()
    if not PLAN.is_valid(plan):
        raise HTTPException(400, "; ".join(error.message for error in PLAN.iter_errors(plan)))
    return plan


async def get_plan(request):
    allow("reader", request)
    name = request.path_params["name"]
    if not NAME.fullmatch(name):
        raise HTTPException(400)
    return JSONResponse(work.PLANS[name])


async def create_plan(request):
    allow("member", request)
    return JSONResponse(work.create(await plan_of(request)), 201)


async def create_checked_plan(request):
    allow("member", request)
    stored = work.create(await plan_of(request))
    if not STORED.is_valid(stored):
        raise HTTPException(500)
    return JSONResponse(stored, 201)


async def list_items(request):
    allow("reader", request)
    try:
        limit = int(request.query_params.get("limit", 100))
    except ValueError:
        raise HTTPException(400) from None
    if not 1 <= limit <= 1000:
        raise HTTPException(400)
    return JSONResponse(work.ITEMS[:limit])


app = Starlette(
    routes=[
        Route("/plans/{name}", get_plan),
        Route("/plans", create_plan, methods=["POST"]),
        Route("/checked/plans", create_checked_plan, methods=["POST"]),
        Route("/items", list_items),
    ]
)
