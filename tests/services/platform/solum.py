"""Solum's API v1 as its clients ask it, and what they say."""

from __future__ import annotations

import pytest

from apifold_services.platform.core.tables import metadata
from tests.jobs import AtOnce

HREF = "https://github.com/octo/web.git"
PLAN = {"version": 1, "name": "web", "artifacts": [{"name": "web", "content": {"href": HREF}}]}
PACK = "https://github.com/octo/pack.git"
COLLECTIONS = (
    "apps", "assemblies", "plans", "language_packs", "pipelines", "services", "operations", "sensors", "extensions",
    "components", "infrastructure/stacks",
)  # fmt: skip

EACH_DATABASE = pytest.mark.parametrize(
    "v1",
    [
        pytest.param("shared", id="SQLite"),
        pytest.param("shared_postgresql", id="PostgreSQL", marks=pytest.mark.postgres),
    ],
    indirect=True,
)
"""For tests of what is kept; all others ask a platform on SQLite."""


def emptied(request):
    """The fixture `v1`: a platform that is empty again after each test."""
    platform = request.getfixturevalue(getattr(request, "param", "shared"))
    yield V1(platform)
    with platform.core.database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


class V1:
    """A platform, asked by its addresses below `/v1`; whoever asks."""

    def __init__(self, platform):
        self.platform = platform

    def by(self, name):
        return V1(self.platform.by(name))

    def settle(self):
        self.platform.settle()
        return self

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.ask("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.ask("PUT", path, body, **more)

    def patch(self, path, body, **more):
        return self.ask("PATCH", path, body, **more)

    def delete(self, path, **more):
        return self.ask("DELETE", path, **more)

    def ask(self, method, path, body=None, **more):
        path = path.removeprefix("http://testserver")
        path = path if path.startswith(("/v1", "/camp")) else f"/v1/{path}"
        return self.platform.request(method, path, body, **more)

    def made(self, name, body):
        """What was made of a body."""
        answer = self.post(name, body)
        assert answer.status == 201, answer.text
        return answer.json

    def plan(self, **said):
        return self.made("plans", {**PLAN, **said})

    def app(self, name="web", **said):
        return self.made("apps", {"name": name, "source": {"repository": HREF}, **said})

    def assembly(self, **said):
        return self.made("assemblies", {"plan_uri": self.plan()["uri"], **said})

    def running(self, **said):
        """An assembly that runs."""
        uri = self.assembly(**said)["uri"]
        return self.settle().get(uri).json

    def operated(self, assembly, operation, body=None):
        """An assembly, once something was done to it to its end."""
        answer = self.post(f"{assembly['uri']}/operations/{operation}", body)
        assert answer.status == 202, answer.text
        self.platform.core.carry_out(AtOnce(), assembly["uuid"])
        return self.get(assembly["uri"]).json

    def flow(self, app, *actions, **more):
        """A workflow, once it was done to its end."""
        answer = self.post(f"{app['uri']}/workflows", {"actions": list(actions), **more})
        assert answer.status == 200, answer.text
        return self.settle().get(answer.json["uri"]).json

    def names(self, collection):
        return [one["name"] for one in self.get(collection).json]


def faulty(answer, status, *words):
    """Whether an answer is a fault in WSME's form that says some words."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json"), answer.text
    assert answer.json.keys() == {"faultcode", "faultstring", "debuginfo"}
    assert answer.json["faultcode"] == ("Client" if status < 500 else "Server")
    for word in words:
        assert word in answer.json["faultstring"], answer.text
