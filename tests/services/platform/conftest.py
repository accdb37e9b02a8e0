"""A platform in this process, asked by way of either of its APIs."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field

import pytest

from apifold_services.platform.core import states
from tests.jobs import AtOnce

TOKENS = """
- {token: ada-token, user: ada, project: a1, roles: [member]}
- {token: bob-token, user: bob, project: a1, roles: [member]}
- {token: eve-token, user: eve, project: e1, roles: [member]}
- {token: solo-token, user: solo, roles: [member]}
- {token: admin-token, user: root, project: c0, roles: [admin, member]}
"""

PLAN = """
camp_version: CAMP 1.1
name: {name}
description: a plan
tags: [one, two]
origin: https://example.org/origin
x-own: {{kept: true}}
artifacts:
  - name: web
    artifact_type: org.python:application
    content: {{href: "https://example.org/web.git#v1"}}
    x-artifact: 1
    requirements:
      - requirement_type: org.python:python
      - requirement_type: org.sql:database
        fulfillment: {{id: db, characteristics: [{{characteristic_type: org.sqlite:sqlite}}]}}
"""

CAMP = "/camp/v1_1"
numbers = itertools.count(1)


@dataclass
class Platform:
    """A platform, and who asks."""

    client: object
    token: str = "ada-token"
    headers: dict = field(default_factory=dict)

    def request(self, method, path, json=None, headers=None, **more):
        own = {"x-auth-token": self.token} if self.token else {}
        path = path.removeprefix("http://testserver")
        return self.client.request(method, path, json=json, headers={**own, **self.headers, **(headers or {})}, **more)

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, json=None, **more):
        return self.request("POST", path, json, **more)

    def put(self, path, json=None, **more):
        return self.request("PUT", path, json, **more)

    def patch(self, path, operations, **more):
        return self.request("PATCH", path, operations, {"content-type": "application/json-patch+json"}, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def by(self, name):
        """The same platform, asked by somebody else; by nobody where it is ""."""
        return Platform(self.client, f"{name}-token" if name else "", self.headers)

    @property
    def core(self):
        return self.client.application.targets[0].provides["core"]

    def send(self, path, text, media="application/x-yaml", **more):
        body = text.encode() if isinstance(text, str) else text
        return self.request("POST", path, body=body, headers={"content-type": media, **more.pop("headers", {})}, **more)

    def plan(self, text=PLAN, name=""):
        """A plan that was registered by CAMP, as it is shown there."""
        made = self.send(f"{CAMP}/plans", text.format(name=name or f"plan{next(numbers)}"))
        assert made.status == 201, made.text
        return made.json

    def assembly(self, **more):
        """An assembly that runs, as CAMP shows it."""
        made = self.post(f"{CAMP}/assemblies", {"plan_uri": self.plan(**more)["uri"]})
        assert made.status == 201, made.text
        self.settle()
        return self.get(made.json["uri"]).json

    def settle(self):
        """Do everything that was begun: what jobs would do."""
        core = self.core
        for _ in range(20):
            moving = core.assemblies.moving()
            if not moving:
                return self
            for row in moving:
                if row.status == states.DELETING:
                    core.remove(AtOnce(), row.id)
                elif row.attempt > 1:
                    core.carry_out(AtOnce(), row.id)
                else:
                    core.launch(AtOnce(), row.id)
        raise AssertionError("it never ends")


@pytest.fixture(scope="module")
def platforms(tmp_path_factory):
    """Platforms, each made when it is asked for; `simulated` runs nothing."""
    from apifold.testing import client

    with contextlib.ExitStack() as stack:

        def opened(database="", auth="tokens", outgoing=(), **options):
            folder = tmp_path_factory.mktemp("platform")
            (folder / "tokens.yaml").write_text(TOKENS)
            (folder / "tokens.yaml").chmod(0o600)
            settings = {"auth": auth} | ({"tokens": str(folder / "tokens.yaml")} if auth == "tokens" else {})
            services = {"platform": {"engine": "simulated", **options}}
            made = client(
                "platform",
                state=str(folder / "state"),
                validation_response="reject",
                database=database,
                services=services,
                apis=rejecting(),
                outgoing=outgoing,
                **settings,
            )
            stack.callback(made.close)
            return Platform(made, "ada-token" if auth == "tokens" else "")

        yield opened


def rejecting():
    from apifold.settings import ApiSettings, ValidationModes

    names = ("platform-root", "platform-v1", "platform-camp", "platform-console")
    return {name: ApiSettings(validation=ValidationModes(response="reject")) for name in names}


@pytest.fixture(scope="module")
def shared(platforms):
    return platforms()


@pytest.fixture(scope="module")
def shared_postgresql(platforms, postgresql_database):
    return platforms(postgresql_database)


@pytest.fixture(
    params=[
        pytest.param("shared", id="SQLite"),
        pytest.param("shared_postgresql", id="PostgreSQL", marks=pytest.mark.postgres),
    ]
)
def platform(request):
    """A platform on each database; not empty, where a test came before."""
    return request.getfixturevalue(request.param)
