"""A cloud in this process, asked by way of any of its endpoints."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

import pytest

from apifold_services.compute.core.tables import transitions
from tests.jobs import AtOnce
from tests.keystone import THERE

TOKENS = """
- {token: ada-token, user: ada, project: "a1", roles: [member, reader]}
- {token: eve-token, user: eve, project: "e1", roles: [member, reader]}
- {token: watcher-token, user: watcher, project: "a1", roles: [reader]}
- {token: manager-token, user: manager, project: "a1", roles: [manager]}
- {token: service-token, user: neutron, project: "s1", roles: [service]}
- {token: unscoped-token, user: ada, roles: [member, reader]}
- {token: admin-token, user: root, project: "c0", roles: [admin, member, reader]}
"""

numbers = itertools.count(1)


PEOPLE = {
    name: (f"{name}-token", project)
    for name, project in (
        ("ada", "a1"),
        ("watcher", "a1"),
        ("eve", "e1"),
        ("admin", "c0"),
        ("manager", "a1"),
        ("service", "s1"),
    )
}
"""Token and project of each, where tokens are in a file."""


@dataclass
class Cloud:
    """One endpoint of a cloud, and who asks."""

    client: object
    base: str
    token: str = ""
    version: str = ""
    people: dict = field(default_factory=lambda: PEOPLE)

    def request(self, method, path, json=None, version="", token=None, **more):
        headers = {}
        used = self.token if token is None else token
        if used:
            headers["x-auth-token"] = used
        if version or self.version:
            headers["x-openstack-nova-api-version"] = version or self.version
        return self.client.request(
            method, f"{self.base}{path}", json=json, headers={**headers, **more.pop("headers", {})}, **more
        )

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, json, **more):
        return self.request("POST", path, json, **more)

    def put(self, path, json, **more):
        return self.request("PUT", path, json, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def by(self, name):
        """The same endpoint, asked by somebody else."""
        token, project = self.people[name]
        base = self.base.replace("/a1", f"/{project}") if self.token else self.base
        return Cloud(self.client, base, token if self.token else "", self.version, self.people)

    @property
    def admin(self):
        return self.by("admin")

    @property
    def core(self):
        return self.client.application.targets[0].provides["core"]

    def settle(self):
        """Do everything that was begun. Hosts are alive meanwhile, however long the tests before took."""
        self.core.hosts.report()
        while True:
            with self.core.database.reading() as connection:
                ids = [row.id for row in connection.execute(transitions.select().order_by(transitions.c.created))]
            if not ids:
                return self
            for id in ids:
                self.core.carry_out(AtOnce(), id)

    def flavor(self, **said):
        made = self.admin.post(
            "/flavors", {"flavor": {"name": f"f{next(numbers)}", "ram": 64, "vcpus": 1, "disk": 1, **said}}
        )
        assert made.status == 200, made.text
        return made.json["flavor"]["id"]

    @property
    def image(self):
        return self.core.images.page()[0].id

    def order(self, **said):
        """The body that asks for a server."""
        usual = {
            "name": f"s{next(numbers)}",
            "imageRef": self.image,
            "flavorRef": said.pop("flavor", None) or self.flavor(),
        }
        return {"server": {**usual, **said}}

    def server(self, **said):
        """The id of a server that runs."""
        made = self.post("/servers", self.order(**said))
        assert made.status == 202, made.text
        self.settle()
        return made.json["server"]["id"]

    def act(self, id, name, said=None, **more):
        return self.post(f"/servers/{id}/action", {name: said}, **more)

    def done(self, id, name, said=None, **more):
        """Have something done to its end; the server then."""
        answer = self.act(id, name, said, **more)
        assert answer.status < 300, answer.text
        self.settle()
        return self.seen(id)

    def seen(self, id, **more):
        answer = self.get(f"/servers/{id}", **more)
        assert answer.status == 200, answer.text
        return answer.json["server"]


def opened(factory, auth, **settings):
    from apifold.testing import client

    folder = factory.mktemp("cloud")
    (folder / "tokens.yaml").write_text(TOKENS)
    (folder / "tokens.yaml").chmod(0o600)
    chosen = {"auth": auth} | ({"tokens": str(folder / "tokens.yaml")} if auth == "tokens" else {})
    return client("compute", state=str(folder / "state"), validation_response="reject", **chosen, **settings)


UNLIMITED = ("instances", "cores", "ram", "key_pairs", "server_groups")

ENDPOINTS = {
    "v2": ("/v2", ""),
    "v2.1": ("/v2.1", ""),
    "v2 with project": ("/v2/a1", ""),
    "v2.1 with project": ("/v2.1/a1", ""),
    "newest": ("/v2.1", "2.26"),
}


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    """One cloud for each auth method and database, made when it is asked for."""
    made = {}

    def cloud(auth, database="", keystone=None):
        key = (auth, database)
        if key not in made:
            more = keystone.settings() if keystone else {}
            made[key] = opened(tmp_path_factory, auth, apis=REJECTING, database=database, **more)
            core = made[key].application.targets[0].provides["core"]
            core.quotas.set_class("default", dict.fromkeys(UNLIMITED, -1))
        return made[key]

    yield cloud
    for one in made.values():
        one.close()


def _rejecting():
    from apifold.settings import ApiSettings, ValidationModes

    return {
        name: ApiSettings(validation=ValidationModes(response="reject")) for name in ("compute-v2.0", "compute-v2.1")
    }


REJECTING = _rejecting()


ELSEWHERE = [
    "nobody is asked",
    pytest.param("on PostgreSQL", marks=pytest.mark.postgres),
    pytest.param(
        "behind Keystone",
        marks=[pytest.mark.process, pytest.mark.skipif(not THERE, reason="Keystone is missing: make .keystone/.test")],
    ),
]


@pytest.fixture(params=[*ENDPOINTS, *ELSEWHERE])
def cloud(request, clouds):
    """Each endpoint, asked with a token; one where nobody is asked for one; one on another database; one behind a real
    Keystone."""
    if request.param == "nobody is asked":
        return Cloud(clouds("none"), "/v2.1")
    if request.param == "behind Keystone":
        keystone = request.getfixturevalue("keystone")
        behind = clouds("keystone", keystone=keystone)
        return Cloud(behind, "/v2.1", keystone.people["ada"][0], "2.26", keystone.people)
    if request.param == "on PostgreSQL":
        return Cloud(clouds("tokens", request.getfixturevalue("postgresql_database")), "/v2.1", "ada-token", "2.26")
    base, version = ENDPOINTS[request.param]
    return Cloud(clouds("tokens"), base, "ada-token", version)


@pytest.fixture(params=ENDPOINTS)
def asked(request, clouds):
    """Each endpoint, asked with a token."""
    base, version = ENDPOINTS[request.param]
    return Cloud(clouds("tokens"), base, "ada-token", version)


@pytest.fixture
def newest(clouds):
    return Cloud(clouds("tokens"), "/v2.1", "ada-token", "2.26")


@pytest.fixture
def oldest(clouds):
    return Cloud(clouds("tokens"), "/v2", "ada-token")


@pytest.fixture
def base21(clouds):
    return Cloud(clouds("tokens"), "/v2.1", "ada-token")


def moment():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
