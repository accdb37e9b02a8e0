"""Connexion: the same OpenAPI document, its operationIds bound to functions; answers checked on one path only."""

import json
from pathlib import Path

import connexion
import work
import yaml
from connexion.exceptions import Forbidden
from connexion.resolver import Resolver

SPEC = Path(work.__file__).parent / "apis" / "openapi.yaml"


def token_info(token):
    return {"sub": work.TOKENS[token]["user"], "token": token} if token in work.TOKENS else None


def allow(role):
    token = connexion.request.headers.get("authorization", "")[7:]
    if not work.may(token, role):
        raise Forbidden


async def get_plan(name):
    allow("reader")
    return work.PLANS[name]


async def create_plan(body):
    allow("member")
    return work.create(body), 201


create_checked_plan = create_plan


async def list_items(limit=100):
    allow("reader")
    return work.ITEMS[:limit]


def document():
    """The description with what Connexion needs in it: the token, and one file instead of two."""
    text = SPEC.read_text().replace('$ref: "plan.json"', '$ref: "#/components/schemas/Plan"')
    spec = yaml.safe_load(text.replace("openapi: 3.1.0", "openapi: 3.0.3"))
    spec["components"]["schemas"]["Plan"] = json.loads((SPEC.parent / "plan.json").read_text())
    spec["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "with_connexion.token_info"}
    }
    spec["security"] = [{"token": []}]
    return spec


def resolve(name):
    return globals()[name]


def parts():
    """What is checked on its way out, and what is not, as two documents."""
    spec = document()
    paths = spec["paths"]
    checked = {path.removeprefix("/checked"): paths[path] for path in paths if path.startswith("/checked")}
    plain = {path: paths[path] for path in paths if not path.startswith("/checked")}
    return {**spec, "paths": plain}, {**spec, "paths": checked}


app = connexion.AsyncApp(__name__)
plain, checked = parts()
app.add_api(plain, resolver=Resolver(resolve), name="plain")
app.add_api(checked, resolver=Resolver(resolve), name="checked", base_path="/checked", validate_responses=True)
