"""The platform as it is used: real server processes, and applications that run."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import sqlalchemy

from apifold import lasting_process
from tests.servers import free_port, until

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent.parent
APPLICATIONS = ROOT / "examples" / "applications"

SLOW = """
camp_version: CAMP 1.1
name: slow
artifacts:
  - name: web
    artifact_type: org.web:static
    content: {href: "file://HERE/hello"}
    build_cmd: "date +%s%N >> $DATA_FOLDER/begun; sleep 3; echo done >> $DATA_FOLDER/ended"
    run_cmd: python3 app.py
    health: {path: /health}
"""


class Platform:
    """A platform with real applications, on a server that may be stopped and started again."""

    def __init__(self, server, folder, units):
        self.make, self.units, self.config, self.state = server, units, folder / "apifold.yaml", folder / "state"
        self.first = free_port()
        self.server = None

    def start(self, **options):
        process = {"folder": str(self.units), "ports": f"{self.first}-{self.first + 30}", "stop_seconds": 2}
        chosen = {"folders": [str(APPLICATIONS)], "process": process, **options}
        self.config.write_text(json.dumps({"services": {"platform": chosen}}))
        self.server = self.make("platform", "--config", self.config, "--no-access-log", "--state", self.state)
        return self

    def request(self, method, path, body=None, headers=None):
        path = re.sub(r"^http://[^/]+", "", path)
        return self.server.request(method, path, body, headers)

    def shown(self, path):
        answer = self.request("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    def register(self, text):
        text = text.replace("HERE", str(APPLICATIONS))
        made = self.request("POST", "/camp/v1_1/plans", text.encode(), {"content-type": "application/x-yaml"})
        assert made.status == 201, made.body
        return made.json["uri"]

    def deploy(self, text):
        """An assembly of a plan, being made."""
        made = self.request("POST", "/camp/v1_1/assemblies", {"plan_uri": self.register(text)})
        assert made.status == 201, made.body
        return made.json

    def running(self, assembly):
        """The assembly once it runs."""

        def ended():
            shown = self.shown(assembly["uri"])
            assert not shown["status"].endswith(("ERROR", "FAILED", "ERROR_CODE_DEPLOYMENT")), shown
            return shown if shown["status"] == "DEPLOYMENT_COMPLETE" else None

        return until(ended, 60, "it does not run")

    def operate(self, assembly, name, body=None):
        (uri,) = [
            one["href"]
            for one in self.shown(assembly["operations_uri"])["operation_links"]
            if one["target_name"] == name
        ]
        done = self.request("POST", uri, body)
        assert done.status == 202, done.body

    def sensor(self, assembly, name):
        links = self.shown(assembly["sensors_uri"])["sensor_links"]
        return self.shown(next(one["href"] for one in links if one["target_name"] == name))["value"]

    def unit(self, assembly):
        """The folder of the assembly's artifact."""
        (web,) = [one["href"] for one in assembly["components"] if one["target_name"] == "web"]
        return self.units / web.rpartition("/")[2]

    def is_gone(self, assembly):
        """Wait until nothing is left of it."""
        until(lambda: self.request("GET", assembly["uri"]).status == 404, 30)
        folder = self.unit(assembly)
        assert self.request("GET", f"/v1/assemblies/{assembly['uuid']}").status == 404
        assert [self.request("GET", one["href"]).status for one in assembly["components"]] == [404] * len(
            assembly["components"]
        )
        assert not folder.exists()
        assert marked(folder.name) == []
        with sqlite3.connect(self.state / "apifold.db") as database:
            for table in ("assemblies", "components", "ports", "variables"):
                assert database.execute(f"SELECT * FROM platform_{table}").fetchall() == []
        return True


def marked(unit):
    """Processes of a unit."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if f"APIFOLD_UNIT={unit}".encode() in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
            except OSError:
                continue
    return found


def read(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode()


def answers(address):
    try:
        return read(address)
    except OSError:
        return ""


@pytest.fixture
def platform(server, tmp_path, units):
    return Platform(server, tmp_path, units)


HELLO = (APPLICATIONS / "hello.yaml").read_text()


def test_from_a_plan_to_a_running_application_and_back(platform):
    platform.start()
    assembly = platform.running(platform.deploy(HELLO))
    address = assembly["application_uri"]
    assert read(address) == "Hello world, visitor 1 of instance 1\n"
    assert read(address) == "Hello world, visitor 2 of instance 1\n"
    native = platform.shown(f"/v1/assemblies/{assembly['uuid']}")
    assert (native["status"], native["application_uri"]) == ("DEPLOYMENT_COMPLETE", address)
    web, python, sqlite = (platform.shown(one["href"]) for one in assembly["components"])
    assert (web["status"], web["external_management_resource"]) == ("RUNNING", address)
    assert {one["target_name"] for one in web["related_components"]} == {python["name"], sqlite["name"]}
    platform.operate(assembly, "scale", {"instances": 2})
    until(lambda: platform.sensor(assembly, "instances") == 2, 30)
    platform.running(assembly)
    until(lambda: {read(address).split()[-1] for _ in range(10)} == {"1", "2"}, 20)
    before = int(read(address).split()[3])
    platform.operate(assembly, "restart")
    platform.running(assembly)
    assert int(read(address).split()[3]) > before
    platform.operate(assembly, "stop")
    until(lambda: platform.shown(assembly["uri"])["status"] == "STOPPED", 30)
    assert (answers(address), marked(platform.unit(assembly).name)) == ("", [])
    platform.operate(assembly, "start")
    platform.running(assembly)
    logs = {one["name"]: one["location"] for one in platform.shown(f"/v1/assemblies/{assembly['uuid']}/logs")}
    assert b"Ran 1 test" in platform.request("GET", logs["build"]).body
    assert b"GET / HTTP" in platform.request("GET", logs["application"]).body
    assert "GET / HTTP" in platform.sensor(assembly, "log")
    assert platform.sensor(assembly, "memory") > 1_000_000
    assert platform.request("DELETE", assembly["uri"]).status == 204
    assert platform.is_gone(assembly)
    assert answers(address) == ""
    assert platform.request("DELETE", assembly["plan_uri"]).status == 204


def test_an_application_outlives_those_who_serve_the_platform(platform):
    platform.start()
    assembly = platform.running(platform.deploy(HELLO))
    address = assembly["application_uri"]
    for worker in platform.server.workers():
        os.kill(worker, signal.SIGKILL)
    assert "visitor 1 " in read(address)
    platform.server.process.kill()
    platform.server.process.wait()
    assert "visitor 2 " in read(address)
    platform.start()
    assert platform.shown(assembly["uri"])["status"] == "DEPLOYMENT_COMPLETE"
    assert "visitor 3 " in read(address)
    platform.server.stop()
    with lasting_process(platform.unit(assembly) / "supervisor.pid") as supervisor:  # as if the machine had gone down
        assert supervisor.kill()
    until(lambda: marked(platform.unit(assembly).name) == [], 10)
    assert answers(address) == ""
    platform.start()
    assert "visitor 4 " in until(lambda: answers(address), 30)
    platform.request("DELETE", assembly["uri"])
    assert platform.is_gone(assembly)


def test_a_build_whose_process_was_killed_is_gone_on_with(platform):
    platform.start()
    assembly = platform.deploy(SLOW)
    data = platform.unit(assembly) / "data"
    until(lambda: (data / "begun").exists() and (data / "begun").read_text(), 30)
    (job,) = platform.shown("/-/apis")["jobs"]
    os.kill(job["pid"], signal.SIGKILL)
    platform.running(assembly)
    assert (data / "ended").read_text() == "done\n"
    assert len((data / "begun").read_text().split()) == 2
    platform.request("DELETE", assembly["uri"])
    assert platform.is_gone(assembly)


def test_what_is_deleted_while_it_is_built_leaves_nothing(platform):
    platform.start()
    assembly = platform.deploy(SLOW)
    until((platform.unit(assembly) / "data" / "begun").exists, 30)
    answered = []
    paths = [assembly["uri"], f"/v1/assemblies/{assembly['uuid']}"] * 3
    threads = [
        threading.Thread(target=lambda path=path: answered.append(platform.request("DELETE", path).status))
        for path in paths
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(answered) == len(paths)
    assert set(answered) <= {204, 404}
    assert 204 in answered
    assert platform.is_gone(assembly)


def test_a_failure_is_told_with_its_log(platform):
    platform.start()
    text = SLOW.replace("sleep 3", "echo what went wrong >&2; exit 3")
    assembly = platform.deploy(text)
    shown = until(lambda: (found := platform.shown(assembly["uri"])).get("reason") and found, 30)
    assert (shown["status"], shown["representation_skew"]) == ("ERROR", "NONE")
    assert "the build failed: it ended with 3" in shown["reason"]
    assert "what went wrong" in platform.sensor(assembly, "log")
    assert platform.shown(assembly["components"][0]["href"])["status"] == "ERROR"
    platform.request("DELETE", assembly["uri"])
    assert platform.is_gone(assembly)


@pytest.mark.postgres
def test_an_application_gets_a_postgresql_database_of_its_own(platform, postgresql_url):
    platform.start(postgresql=postgresql_url)
    text = HELLO.replace("org.sqlite:sqlite", "org.postgresql:postgresql")
    text = text.replace(
        "health:",
        'run_cmd: "echo $DATABASE_URL > $DATA_FOLDER/told; unset DATABASE_URL; exec python3 app.py"\n    health:',
    )
    assembly = platform.running(platform.deploy(text))
    told = (platform.unit(assembly) / "data" / "told").read_text().strip()
    engine = sqlalchemy.create_engine(told.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE kept (number INTEGER)"))
        (name,) = connection.execute(sqlalchemy.text("SELECT current_database()")).one()
    engine.dispose()
    password = sqlalchemy.make_url(told).password
    assert password not in platform.server.log.read_text()
    assert password not in platform.request("GET", f"/v1/assemblies/{assembly['uuid']}").body.decode()
    platform.operate(assembly, "restart")
    platform.running(assembly)
    assert (platform.unit(assembly) / "data" / "told").read_text().strip() == told
    platform.request("DELETE", assembly["uri"])
    assert platform.is_gone(assembly)
    left = sqlalchemy.create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg://"))
    with left.connect() as connection:
        for table, column in (("pg_database", "datname"), ("pg_roles", "rolname")):
            rows = connection.execute(sqlalchemy.text(f"SELECT 1 FROM {table} WHERE {column} = :name"), {"name": name})
            assert rows.all() == []
    left.dispose()


def test_the_two_commands_of_the_readme(platform, tmp_path):
    page = (ROOT / "src" / "apifold_services" / "platform" / "README.md").read_text()
    register, deploy = re.findall(
        r"^    ((?:sed|curl -sH 'Content-Type: application/json').*?)\n\n", page, re.DOTALL | re.MULTILINE
    )
    platform.start()

    def run(command):
        line = command.replace("http://127.0.0.1:8080/platform", platform.server.url)
        return json.loads(
            subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
        )

    plan = run(register)
    assembly = platform.running(run(deploy.replace("URI", plan["uri"])))
    assert read(assembly["application_uri"]).startswith("Hello world")
    platform.request("DELETE", assembly["uri"])
    assert platform.is_gone(assembly)


def test_an_application_whose_supervisor_dies_comes_back(platform):
    platform.start()
    assembly = platform.running(platform.deploy(HELLO))
    address, number = assembly["application_uri"], platform.unit(assembly) / "supervisor.pid"
    assert "visitor 1 " in read(address)
    with lasting_process(number) as supervisor:
        assert supervisor.kill()
    assert "visitor 2 " in until(lambda: answers(address), 30)
    assert platform.shown(assembly["uri"])["status"] == "DEPLOYMENT_COMPLETE"
    platform.request("DELETE", assembly["uri"])
    assert platform.is_gone(assembly)


def test_a_removal_whose_process_was_killed_is_gone_on_with(platform):
    """The application does not listen to SIGTERM, so that it takes a while."""
    platform.start()
    deaf = "run_cmd: \"trap '' TERM; python3 app.py\""
    assembly = platform.running(platform.deploy(HELLO.replace("health:", f"{deaf}\n    health:")))
    (job,) = platform.shown("/-/apis")["jobs"]
    assert platform.request("DELETE", assembly["uri"]).status == 204
    until(lambda: answers(assembly["application_uri"]) == "", 20)
    os.kill(job["pid"], signal.SIGKILL)
    assert platform.is_gone(assembly)


def test_a_language_pack_builds_what_names_it(platform, tmp_path):
    """Whose files another user has."""
    pack = tmp_path / "pack"
    (pack / "bin").mkdir(parents=True)
    release = "#!/bin/sh\necho 'config_vars: {GREETED: pack}'\n"
    for name, text in {
        "detect": "#!/bin/sh\necho Own\n",
        "compile": "#!/bin/sh\necho compiled in $1\n",
        "release": release,
    }.items():
        (pack / "bin" / name).write_text(text)
        (pack / "bin" / name).chmod(0o755)
    platform.start(folders=[str(APPLICATIONS), str(pack)])
    made = platform.request("POST", "/v1/language_packs", {"name": "own", "source_uri": f"file://{pack}"})
    assert made.status == 201, made.body
    until(lambda: platform.shown("/v1/language_packs/own")["status"] == "READY", 30)
    text = HELLO.replace("parameters: {GREETED: world}\n", "").replace("health:", "language_pack: own\n    health:")
    assembly = platform.running(platform.deploy(text))
    assert read(assembly["application_uri"]).startswith("Hello pack, visitor 1 ")
    assert "compiled in /" in (platform.unit(assembly) / "logs" / "build.log").read_text()
    platform.request("DELETE", assembly["uri"])
    until(lambda: platform.request("GET", assembly["uri"]).status == 404, 30)
    assert platform.request("DELETE", assembly["plan_uri"]).status == 204
    assert platform.request("DELETE", "/v1/language_packs/own").status in (200, 204)
    until(lambda: not [one for one in platform.units.iterdir() if one.is_dir()], 20)
