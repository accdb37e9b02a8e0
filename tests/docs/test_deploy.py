"""What `deploy/` holds is what the tools that read it take, and each command in it starts a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import msgspec
import pytest
import yaml

from apifold import Deployment, Settings
from apifold.extension_points import names
from apifold.settings import load
from apifold_services.multicloud.generation import expand
from apifold_services.multicloud.options import Options
from tests.servers import APIFOLD, Server, free_port, until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "apifold.service"
CONTAINERFILE = DEPLOY / "container" / "Containerfile"
KUBERNETES = DEPLOY / "kubernetes"
SERVICE = "multicloud"
TARGET = SERVICE if SERVICE in names("apifold.services") else "benchmark"
TOKENS = "- {token: s3cret, user: ada, roles: [admin]}\n"
KNOWN = {"authorization": "Bearer s3cret"}


def tool(name: str) -> str:
    """A program of this environment or of the machine; the test that needs it is skipped where it is missing."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return found or pytest.skip(f"{name} is not installed")


def run(*line: object) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, line)), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def started(tmp_path):
    """Starts a command of `deploy/` on a port of its own, and stops it gracefully at the end."""
    servers = []

    def start(line: list[str], port: int, environment: dict[str, str]) -> Server:
        bare = {key: value for key, value in os.environ.items() if not key.startswith("APIFOLD_")}
        log = tmp_path / "log"
        line = [APIFOLD, *(TARGET if part == SERVICE else part for part in line[1:])]
        with log.open("wb") as out:
            process = subprocess.Popen(line, stdout=out, stderr=out, cwd=tmp_path, env={**bare, **environment})
        servers.append(Server(process, port, log))
        servers[-1].wait()
        return servers[-1]

    yield start
    for one in servers:
        assert one.stop(seconds=20) == 0


def check_settings(environment: dict[str, str]) -> Settings:
    """Settings that variables make; those of the service are held against its own."""
    own = f"APIFOLD_{SERVICE.upper()}_"
    mine = {key.removeprefix(own).lower() for key in environment if key.startswith(own)}
    check_service_settings(mine)
    return load(None, {}, {key: value for key, value in environment.items() if not key.startswith(own)})


def check_service_settings(chosen: set[str]) -> None:
    assert chosen <= {field.encode_name for field in msgspec.structs.fields(Options)}


# systemd


def unit() -> list[tuple[str, str]]:
    """Every assignment of the unit; a key may stand more than once."""
    return re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE)


def unit_environment(folder: str) -> dict[str, str]:
    lines = [value for key, value in unit() if key == "Environment"]
    placed = [re.sub(r"%[Sd]", folder, line) for line in lines]
    return dict(line.partition("=")[::2] for line in placed)


def env_file(*, commented: bool = False) -> dict[str, str]:
    lines = (DEPLOY / "systemd" / "apifold.env").read_text().splitlines()
    wanted = [line.lstrip("#") if commented else line for line in lines]
    return dict(line.partition("=")[::2] for line in wanted if re.match(r"APIFOLD_\w+=", line))


def test_systemd_takes_the_unit(tmp_path):
    copy = tmp_path / "apifold.service"
    copy.write_text(UNIT.read_text().replace("/opt/apifold/bin/apifold", APIFOLD))
    done = run(tool("systemd-analyze"), "verify", copy)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_little_that_the_unit_leaves_open():
    done = run(tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", UNIT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("commented", [False, True], ids=["as it is", "with every line"])
def test_every_variable_of_the_unit_is_a_setting(commented):
    settings = check_settings(unit_environment("/x") | env_file(commented=commented))
    assert settings.listen.startswith("127.0.0.1:")
    assert settings.auth != "none"


def test_the_unit_lets_requests_finish():
    said = dict(unit())
    assert said["KillMode"] == "mixed"
    assert int(said["TimeoutStopSec"]) > load(None, {}, unit_environment("/x")).graceful_timeout + 5


def test_the_unit_has_every_file_that_its_settings_name():
    given = {value.partition(":")[0] for key, value in unit() if key == "LoadCredential"}
    wanted = {value for key, value in unit() if key == "Environment" and "%d/" in value}
    assert {value.partition("%d/")[2] for value in wanted} == given


@pytest.mark.process
def test_the_unit_s_command_serves_and_reloads(tmp_path, started):
    (tmp_path / "tokens.yaml").write_text(TOKENS)
    (tmp_path / "tokens.yaml").chmod(0o600)
    line = dict(unit())["ExecStart"].split()
    port = free_port()
    environment = unit_environment(str(tmp_path)) | env_file() | {"APIFOLD_LISTEN": f"127.0.0.1:{port}"}
    if TARGET != SERVICE:
        environment = {key: value for key, value in environment.items() if SERVICE.upper() not in key}
    running = started(line, port, environment)
    assert running.get("/-/apis").status == 401
    assert running.get("/-/apis", headers=KNOWN).status == 200
    workers = set(running.workers())
    running.signal(signal.SIGHUP)
    until(lambda: workers.isdisjoint(running.workers()), 20)
    assert until(lambda: running.get("/-/ready").status == 200)
    assert (tmp_path / "apifold").is_dir()


# The container


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.MULTILINE))
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, text.splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


def last_stage() -> dict[str, str]:
    return dict(stages()[-1])


INSTRUCTIONS = {
    *("FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "VOLUME", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"),
    *("ENTRYPOINT", "CMD"),
}


def test_the_containerfile_is_plain():
    assert {name for stage in stages() for name, _ in stage} <= INSTRUCTIONS
    last = last_stage()
    arguments = dict(rest.split("=") for name, rest in stages()[-1] if name == "ARG")
    user = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], last["USER"])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert json.loads(last["ENTRYPOINT"]) == ["apifold"]
    assert isinstance(json.loads(last["CMD"]), list)
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert all("python:3.11-slim" in rest for stage in stages() for name, rest in stage if name == "FROM")


def test_hadolint_has_nothing_to_say():
    done = run(tool("hadolint"), CONTAINERFILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_containerfile_finds_what_it_copies():
    ignored = [line for line in (DEPLOY / "container/Containerfile.dockerignore").read_text().splitlines() if line]
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    for stage in stages():
        for name, rest in stage:
            if name == "COPY" and "--from" not in rest:
                for source in rest.split()[:-1]:
                    assert (ROOT / source).exists()
                    assert any(fnmatch(source, pattern) for pattern in let_in)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    chosen = {
        rest.partition("=")[2] for stage in stages() for name, rest in stage if "EXTRAS" in rest and name == "ARG"
    }
    assert all(extra in extras for one in chosen for extra in one.split(","))


@pytest.mark.process
def test_the_container_s_command_serves_and_its_health_is_seen(tmp_path, started):
    (tmp_path / "tokens.yaml").write_text(TOKENS)
    (tmp_path / "tokens.yaml").chmod(0o600)
    port = free_port()
    last = last_stage()
    line = json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])
    places = {
        "0.0.0.0:8080": f"127.0.0.1:{port}",
        "/etc/apifold": str(tmp_path),
        "/var/lib/apifold": str(tmp_path / "state"),
    }
    probe = json.loads(last["HEALTHCHECK"].partition("CMD ")[2])
    probe = [sys.executable, *(part.replace("8080", str(port)) for part in probe[1:])]
    assert run(*probe).returncode != 0
    running = started([placed(part, places) for part in line], port, {})
    assert run(*probe).returncode == 0
    assert running.get("/-/apis").status == 401
    assert running.get("/-/apis", headers=KNOWN).status == 200
    assert all(text.startswith("{") for text in running.log.read_text().splitlines() if "serving on" not in text)


@pytest.mark.process
def test_without_who_is_asking_the_container_s_address_is_refused(tmp_path):
    line = json.loads(last_stage()["CMD"])
    start = line.index("--auth")
    del line[start : start + 4]
    done = run(APIFOLD, *(TARGET if part == SERVICE else part for part in line))
    assert done.returncode != 0
    assert "nobody is asked who they are" in done.stderr


def placed(text: str, places: dict[str, str]) -> str:
    for path, other in places.items():
        text = text.replace(path, other)
    return text


# Kubernetes


def documents(path: Path) -> list[dict]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def objects() -> list[dict]:
    """What kustomize makes, but for names that carry a digest; and the secrets, which are applied apart."""
    kustomization = documents(KUBERNETES / "kustomization.yaml")[0]
    made = [one for name in kustomization["resources"] for one in documents(KUBERNETES / name)]
    for one in kustomization["configMapGenerator"]:
        data = {Path(name).name: (KUBERNETES / name).read_text() for name in one["files"]}
        made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": one["name"]}, "data": data})
    return made + documents(KUBERNETES / "secret.example.yaml")


def the(kind: str) -> dict:
    found = [one for one in objects() if one["kind"] == kind]
    assert len(found) == 1
    return found[0]


def pod() -> dict:
    return the("StatefulSet")["spec"]["template"]["spec"]


def container() -> dict:
    (one,) = pod()["containers"]
    return one


def services() -> dict[str, dict]:
    return {one["metadata"]["name"]: one["spec"] for one in objects() if one["kind"] == "Service"}


def pod_settings() -> dict:
    (one,) = documents(KUBERNETES / "apifold.yaml")
    return one


@pytest.mark.parametrize("one", objects(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
@pytest.mark.parametrize("version", ["1.30", "1.32", "1.34"])
def test_an_object_is_what_its_schema_says(one, version):
    pytest.importorskip("kubernetes_validate").validate(one, version, strict=True)


def test_kustomize_makes_the_same_objects():
    done = run(tool("kubectl"), "kustomize", KUBERNETES)
    assert done.returncode == 0, done.stderr
    made = {(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(done.stdout)}
    digest = re.compile(r"-[a-z0-9]{10}$")
    plain = {(kind, digest.sub("", name) if kind == "ConfigMap" else name) for kind, name in made}
    assert plain == {(one["kind"], one["metadata"]["name"]) for one in objects() if one["kind"] != "Secret"}
    assert ("ConfigMap", "apifold-definitions") in made
    assert ("ConfigMap", "apifold-settings") not in made


def test_selectors_find_the_pods():
    labels = the("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        the("StatefulSet")["spec"]["selector"]["matchLabels"],
        *(one["selector"] for one in services().values()),
        the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in pod()["topologySpreadConstraints"]),
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)


def test_what_the_pod_refers_to_is_there():
    known = {(one["kind"], one["metadata"]["name"]): one for one in objects()}
    volumes = {one["name"]: one for one in pod()["volumes"]}
    assert {one["name"] for one in container()["volumeMounts"]} == volumes.keys()
    for volume in volumes.values():
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in known
        if "secret" in volume:
            assert ("Secret", volume["secret"]["secretName"]) in known
    for variable in container()["env"]:
        reference = variable["valueFrom"]["secretKeyRef"]
        assert reference["key"] in known["Secret", reference["name"]]["stringData"]
    namespace = documents(KUBERNETES / "kustomization.yaml")[0]["namespace"]
    assert the("Namespace")["metadata"]["name"] == namespace
    assert {one["metadata"]["namespace"] for one in objects() if one["kind"] == "Secret"} == {namespace}


def test_every_path_in_the_pod_s_settings_is_mounted():
    mounted = {one["mountPath"]: one["name"] for one in container()["volumeMounts"]}
    volumes = {one["name"]: one for one in pod()["volumes"]}
    held = {one["metadata"]["name"]: one.get("data") or one.get("stringData") for one in objects()}
    own = pod_settings()["services"][SERVICE]
    arguments = container()["args"]
    for path in (pod_settings()["tokens"], own["key"], arguments[arguments.index("--config") + 1]):
        folder, _, name = path.rpartition("/")
        volume = volumes[mounted[folder]]
        source = volume["secret"]["secretName"] if "secret" in volume else volume["configMap"]["name"]
        assert name in held[source]
    assert own["definitions"] in mounted
    assert "emptyDir" in volumes[mounted[pod_settings()["state"]]]
    assert not any("subPath" in one for one in container()["volumeMounts"])


def test_ports_and_probes_meet():
    ports = {one["name"]: one["containerPort"] for one in container()["ports"]}
    assert pod_settings()["listen"].rpartition(":")[2] == str(ports["http"])
    probes = [container()[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert {(one["path"], one["port"]) for one in probes} == {("/-/ready", "http"), ("/-/live", "http")}
    assert services()["multicloud"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]
    assert {one["port"] for rule in the("NetworkPolicy")["spec"]["ingress"] for one in rule["ports"]} <= ports.keys()


def test_the_pod_may_do_little():
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is pod()["enableServiceLinks"] is False
    assert str(pod()["securityContext"]["runAsUser"]) in dict(stages()[-1])["ARG"]


def test_a_rolling_update_loses_nothing():
    said = the("StatefulSet")["spec"]
    assert said["replicas"] >= 2
    assert said["updateStrategy"]["type"] == "RollingUpdate"
    assert the("PodDisruptionBudget")["spec"]["maxUnavailable"] < said["replicas"]
    waits = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod()["terminationGracePeriodSeconds"] > waits + pod_settings()["graceful_timeout"] + 5


def test_a_pod_that_comes_back_knows_its_own_work():
    assert services()[the("StatefulSet")["spec"]["serviceName"]]["clusterIP"] == "None"


def test_every_setting_of_the_pod_is_one(tmp_path):
    settings = load(KUBERNETES, {}, {"APIFOLD_DATABASE": "postgresql://user@host/name"})
    assert (settings.auth, settings.log_format) == ("tokens", "json")
    assert {one["name"] for one in container()["env"]} == {"APIFOLD_DATABASE"}
    check_service_settings(set(settings.services[SERVICE]))


def test_the_example_secrets_hold_no_secret_and_start_nothing(tmp_path):
    from apifold.access.tokens import Tokens
    from apifold.errors import SettingsError

    held = {one["metadata"]["name"]: one["stringData"] for one in objects() if one["kind"] == "Secret"}
    assert held["apifold-database"]["url"] == held["apifold-secrets"]["key"] == "REPLACE-ME"
    (tmp_path / "tokens.yaml").write_text(held["apifold-secrets"]["tokens.yaml"])
    (tmp_path / "tokens.yaml").chmod(0o600)
    with pytest.raises(SettingsError, match="sha256"):
        Tokens(Deployment(Settings(auth="tokens", tokens=str(tmp_path / "tokens.yaml"))))


@pytest.mark.parametrize("generation", ["v0", "v1"])
@pytest.mark.parametrize("path", sorted((KUBERNETES / "definitions").iterdir()), ids=lambda path: path.name)
def test_an_example_definition_is_one(path, generation):
    made = expand(documents(path)[0], path.stem, generation, "/api")
    assert made["paths"]
    listed = documents(KUBERNETES / "kustomization.yaml")[0]["configMapGenerator"]
    assert any(f"definitions/{path.name}" in one["files"] for one in listed)


@pytest.mark.process
def test_the_pod_s_command_serves(tmp_path, started):
    secret = next(one for one in objects() if one["metadata"]["name"] == "apifold-secrets")
    for name in secret["stringData"]:
        text = {"tokens.yaml": TOKENS, "key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}[name]
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    # As Kubernetes mounts a ConfigMap: links to a folder that is changed for another.
    mount = tmp_path / "definitions"
    (mount / "..first").mkdir(parents=True)
    (mount / "..data").symlink_to("..first")
    for path in (KUBERNETES / "definitions").iterdir():
        shutil.copy(path, mount / "..first")
        (mount / path.name).symlink_to(f"..data/{path.name}")
    port = free_port()
    places = {
        "0.0.0.0:8080": f"127.0.0.1:{port}",
        "/run/secrets/apifold": str(tmp_path),
        "/etc/apifold/definitions": str(mount),
        "/etc/apifold/settings": str(tmp_path),
        "/var/lib/apifold": str(tmp_path / "state"),
    }
    (tmp_path / "apifold.yaml").write_text(placed((KUBERNETES / "apifold.yaml").read_text(), places))
    running = started(["apifold", *(placed(part, places) for part in container()["args"])], port, {})
    assert len(running.workers()) >= pod_settings()["workers"]
    assert running.get("/-/live").status == running.get("/-/ready").status == 200
    loaded = running.get("/-/apis", headers=KNOWN).json
    assert loaded["errors"] == []
    if TARGET == SERVICE:
        assert all(any(path.name in one["file"] for one in loaded["apis"]) for path in mount.glob("*.yaml"))


# What is told about all of it


def readme() -> str:
    return (DEPLOY / "README.md").read_text()


def test_the_readme_names_every_file():
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path != DEPLOY / "README.md" and path.parent.name != "definitions":
            assert path.name in readme(), path


def test_the_readme_s_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", readme()):
        assert "://" in target or (DEPLOY / target).exists(), target


def test_every_variable_and_option_that_is_told_is_a_setting():
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    for name in re.findall(r"APIFOLD_([A-Z_]+)", readme()):
        if name.startswith(f"{SERVICE.upper()}_"):
            check_service_settings({name.partition("_")[2].lower()})
        else:
            assert name.lower() in known, name


def test_no_secret_and_no_other_place_is_named():
    words = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|docker\.io|ghcr\.io|quay\.io|gcr\.io|/root/|/work/")
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            assert not words.search(path.read_text()), path
