"""BlackSheep: pydantic models bound from the body, its JSON helpers; answers are checked with the same models."""

import re

import work
from blacksheep import Application, FromJSON, Request, json
from blacksheep.exceptions import BadRequest, Forbidden, Unauthorized
from models_pydantic import Plan, Stored

app = Application()
NAME = re.compile(work.NAME)


def allow(role, request):
    header = request.get_first_header(b"Authorization") or b""
    if not header.startswith(b"Bearer "):
        raise Unauthorized
    if not work.may(header[7:].decode(), role):
        raise Forbidden


@app.router.get("/plans/{name}")
async def get_plan(request: Request, name: str):
    allow("reader", request)
    if not NAME.fullmatch(name):
        raise BadRequest
    return json(work.PLANS[name])


@app.router.post("/plans")
async def create_plan(request: Request, data: FromJSON[Plan]):
    allow("member", request)
    return json(work.create(data.value.model_dump(exclude_unset=True)), 201)


@app.router.post("/checked/plans")
async def create_checked_plan(request: Request, data: FromJSON[Plan]):
    allow("member", request)
    stored = Stored.model_validate(work.create(data.value.model_dump(exclude_unset=True)))
    return json(stored.model_dump(exclude_unset=True), 201)


@app.router.get("/items")
async def list_items(request: Request, limit: int = 100):
    allow("reader", request)
    if not 1 <= limit <= 1000:
        raise BadRequest
    return json(work.ITEMS[:limit])
