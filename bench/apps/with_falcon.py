"""Falcon, tuned: ASGI, orjson as its JSON handler, schemas compiled once by jsonschema-rs."""

import falcon.asgi
import falcon.media
import jsonschema_rs
import orjson
import work

PLAN = jsonschema_rs.validator_for(work.SCHEMA)
STORED = jsonschema_rs.validator_for(work.STORED_SCHEMA)
NAME = jsonschema_rs.validator_for({"type": "string", "pattern": work.NAME})


def allow(role, request):
    header = request.get_header("Authorization") or ""
    if not header.startswith("Bearer "):
        raise falcon.HTTPUnauthorized
    if not work.may(header[7:], role):
        raise falcon.HTTPForbidden


def checked(plan):
    if not PLAN.is_valid(plan):
        raise falcon.HTTPBadRequest(description="; ".join(error.message for error in PLAN.iter_errors(plan)))
    return plan


class Plan:
    async def on_get(self, request, response, name):
        allow("reader", request)
        if not NAME.is_valid(name):
            raise falcon.HTTPBadRequest
        response.media = work.PLANS[name]


class Plans:
    async def on_post(self, request, response):
        allow("member", request)
        response.media = work.create(checked(await request.get_media()))
        response.status = falcon.HTTP_201


class CheckedPlans:
    async def on_post(self, request, response):
        allow("member", request)
        stored = work.create(checked(await request.get_media()))
        if not STORED.is_valid(stored):
            raise falcon.HTTPInternalServerError
        response.media = stored
        response.status = falcon.HTTP_201


class Items:
    async def on_get(self, request, response):
        allow("reader", request)
        response.media = work.ITEMS[: request.get_param_as_int("limit", min_value=1, max_value=1000, default=100)]


app = falcon.asgi.App()
handler = falcon.media.JSONHandler(dumps=orjson.dumps, loads=orjson.loads)
for options in (app.req_options, app.resp_options):
    options.media_handlers[falcon.MEDIA_JSON] = handler
app.resp_options.media_handlers.update({"application/json": handler})
app.add_route("/plans/{name}", Plan())
app.add_route("/plans", Plans())
app.add_route("/checked/plans", CheckedPlans())
app.add_route("/items", Items())
