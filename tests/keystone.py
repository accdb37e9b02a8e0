"""A real Keystone for tests."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers import free_port

HOME = Path(__file__).parent.parent / ".keystone" / "bin"
THERE = (HOME / "keystone-manage").exists()
CONFIGURATION = """
[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[token]
provider = fernet
[cache]
enabled = true
backend = dogpile.cache.memory
[identity]
password_hash_rounds = 4
"""


PEOPLE = {
    "ada": ("demo", "member"),
    "eve": ("other", "member"),
    "watcher": ("demo", "reader"),
    "admin": ("admin", "admin"),
}
"""Everybody, with his project and his role there; the password is `secret`."""


@dataclass
class Keystone:
    """A running Keystone and its administrator.

    Attributes:
        people: a token of everybody, and the id of his project.
    """

    url: str
    folder: Path
    people: dict[str, tuple[str, str]] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """Those of a service behind it."""
        (self.folder / "password").write_text("secret")
        known = {"keystone_url": self.url, "keystone_user": "admin", "keystone_project": "admin"}
        return {**known, "keystone_password": str(self.folder / "password")}

    @property
    def options(self) -> list[str]:
        """The same, for the command line."""
        return [word for name, value in self.settings().items() for word in (f"--{name.replace('_', '-')}", value)]

    def token(self, user: str, project: str) -> tuple[str, str]:
        """A token of somebody for a project, and that one's id."""
        name = {"id": "default"}
        identity = {"methods": ["password"], "password": {"user": {"name": user, "domain": name, "password": "secret"}}}
        scope = {"project": {"name": project, "domain": name}}
        headers, told = self._ask("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        return headers["X-Subject-Token"], told["token"]["project"]["id"]

    def add(self, user: str, project: str, role: str) -> None:
        """Somebody, with a role in a project."""
        found = self._named("projects", project) or self._make("project", name=project)
        person = self._named("users", user) or self._make("user", name=user, password="secret")
        part = self._named("roles", role)
        self.ask("PUT", f"/projects/{found['id']}/users/{person['id']}/roles/{part['id']}")

    @contextmanager
    def offering(self, kind: str, name: str, address: str) -> Iterator[None]:
        """Has a service in its catalogue for a while."""
        service = self._make("service", name=name, type=kind)
        place = {"service_id": service["id"], "interface": "public", "region": "RegionOne", "url": address}
        self._make("endpoint", **place)
        try:
            yield
        finally:
            self.ask("DELETE", f"/services/{service['id']}")

    def ask(self, method: str, path: str, body: dict | None = None) -> dict:
        """What it answers its administrator."""
        return self._ask(method, path, body, self.people["admin"][0])[1]

    def _make(self, kind: str, **said: str) -> dict:
        return self.ask("POST", f"/{kind}s", {kind: said})[kind]

    def _named(self, kinds: str, name: str) -> dict | None:
        return next(iter(self.ask("GET", f"/{kinds}?name={name}")[kinds]), None)

    def _ask(self, method: str, path: str, body: dict | None = None, token: str = "") -> tuple[Mapping[str, str], dict]:
        headers = {"Content-Type": "application/json", **({"X-Auth-Token": token} if token else {})}
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode() if body else None, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.headers, json.loads(answer.read() or b"{}")

    def openstack(self, words: str, user: str = "admin", project: str = "admin"):
        """What `openstack WORDS` tells, as somebody, as JSON where it can be had."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "OS_AUTH_URL": self.url,
            "OS_USERNAME": user,
            "OS_PASSWORD": "secret",
            "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_IDENTITY_API_VERSION": "3",
        }
        line = [str(HOME / "openstack"), *words.split()]
        done = subprocess.run(line, capture_output=True, text=True, timeout=90, env=environment)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        text = done.stdout.strip()
        return json.loads(text) if text.startswith(("[", "{")) else text


@pytest.fixture(scope="session")
def keystone(tmp_path_factory):
    """Keystone on SQLite, with some people."""
    folder = tmp_path_factory.mktemp("keystone")
    (folder / "keystone.conf").write_text(CONFIGURATION.format(folder=folder))
    port = free_port()
    url = f"http://127.0.0.1:{port}/v3"

    def manage(*words):
        line = [str(HOME / "keystone-manage"), "--config-file", str(folder / "keystone.conf"), *words]
        subprocess.run(line, check=True, capture_output=True, timeout=120)

    owner = ("--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid()))
    manage("db_sync")
    manage("fernet_setup", *owner)
    manage("credential_setup", *owner)
    places = [word for kind in ("admin", "internal", "public") for word in (f"--bootstrap-{kind}-url", url)]
    manage("bootstrap", "--bootstrap-password", "secret", *places, "--bootstrap-region-id", "RegionOne")
    line = [str(HOME / "uwsgi"), "--http-socket", f"127.0.0.1:{port}", "--module", "keystone.wsgi.api:application"]
    line += ["--master", "--processes", "1", "--threads", "4", "--lazy-apps", "--virtualenv", str(HOME.parent)]
    line += ["--die-on-term", "--disable-logging", "--buffer-size", "65535", "--add-header", "Connection: close"]
    environment = {**os.environ, "OS_KEYSTONE_CONFIG_DIR": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log, env=environment, cwd=folder)
    made = Keystone(url, folder)
    try:
        _wait(url, process, folder / "log")
        made.people = {"admin": made.token("admin", "admin")}
        for user, (project, role) in PEOPLE.items():
            if user != "admin":
                made.add(user, project, role)
                made.people[user] = made.token(user, project)
        yield made
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"Keystone does not answer:\n{log.read_text()}")
