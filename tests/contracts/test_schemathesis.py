"""Every shipped API, and those of the examples, held against its own description by schemathesis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))

MODEL = """
model: host
path: /inventory/hosts
fields:
  name:   {type: string, minLength: 1, maxLength: 20, required: true}
  status: {type: string, enum: [up, down], default: up}
  cores:  {type: integer, minimum: 1, maximum: 4096}
filter: [name, status]
"""


def run(url: str, *more: str, config: Path | None = None) -> subprocess.CompletedProcess:
    line = [
        SCHEMATHESIS,
        *(("--config-file", str(config)) if config else ()),
        "run",
        url,
        "--max-examples",
        "40",
        "--seed",
        "1",
        "--request-timeout",
        "10",
        "--no-color",
        *more,
    ]
    return subprocess.run(line, capture_output=True, text=True, timeout=900)


def test_benchmark(server, tmp_path):
    (tmp_path / "tokens.yaml").write_text("- {token: secret, user: tester, roles: [admin]}\n")
    by_token = ("--auth", "tokens", "--tokens", tmp_path / "tokens.yaml")
    started = server("benchmark", "--validation-response", "reject", "--no-access-log", *by_token)
    token = ("--header", "X-Auth-Token: secret")
    # A run that is waited for takes a minute; runs are in the tests of the service.
    ended = run(f"{started.url}/v1.0/swagger.json", "--url", f"{started.url}/v1.0", "--exclude-method", "POST", *token)
    assert ended.returncode == 0, ended.stdout
    # Whether a name, a marker or an ETag means something depends on what is there, not on a schema; and a document may
    # be gone again, or shipped, or changed by a request that came between.
    left_out = "positive_data_acceptance,ensure_resource_availability"
    ended = run(f"{started.url}/v2/openapi.json", "--exclude-checks", left_out, *token)
    assert ended.returncode == 0, ended.stdout


def test_a_model_file(server, tmp_path):
    (tmp_path / "hosts.model.yaml").write_text(MODEL)
    started = server(tmp_path, "--validation-response", "reject", "--no-access-log")
    # Whether a marker names something, or a patch can be carried out, depends on what is there, not on a schema; and a
    # repeated Idempotency-Key is answered with what was made first, which may be gone by now.
    left_out = "positive_data_acceptance,ensure_resource_availability"
    ended = run(f"{started.url}/inventory/hosts/openapi.json", "--exclude-checks", left_out)
    assert ended.returncode == 0, ended.stdout


def test_the_example_service(server):
    started = server("library", "--no-access-log")
    ended = run(f"{started.url}/v1/openapi.json")
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("own", ["system", "catalogue", "documents"])
def test_apifolds_own_apis(server, tmp_path, own):
    from apifold import reference

    (tmp_path / "api.yaml").write_text(
        'openapi: 3.1.0\ninfo: {title: T, version: "1"}\nservers: [{url: /t}]\npaths: {}\n'
    )
    started = server(tmp_path, "--no-access-log")
    where = {"system": "/-", "catalogue": "", "documents": "/t"}[own]
    ended = run(str(Path(reference.__file__).with_name(f"{own}.yaml")), "--url", started.url + where)
    assert ended.returncode == 0, ended.stdout


STANDIN = "apifold_services.multicloud.standin.service:service"


PLACE = """
[parameters]
vimid = "a_b"
cloud-owner = "a"
cloud-region-id = "b"
tenantid = "demo"
"""
"""Where the cloud is that is there."""


def test_multicloud(server, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(PLACE)
    cloud = server(STANDIN, "--workers", "1", "--no-access-log")
    started = server(
        "multicloud",
        "--validation-response",
        "reject",
        "--no-access-log",
        environment={"APIFOLD_MULTICLOUD_WEB_FRAMEWORK": "pecan"},
    )
    body = {
        "cloud-type": "openstack",
        "service-url": f"{cloud.url}/identity/v3",
        "user-name": "admin",
        "password": "admin",
        "default-tenant": "demo",
    }
    place = f"{started.url}/api/multicloud-clouds/v1"
    left_out = "positive_data_acceptance,ensure_resource_availability"
    ended = run(f"{place}/openapi.json", "--url", place, "--exclude-checks", left_out)
    assert ended.returncode == 0, ended.stdout
    # What a cloud makes of a valid wish is the cloud's to say. What the broker does not know itself, it forwards, so that
    # a path allows more than its own item says. And who unregisters the cloud ends the run.
    left_out = f"{left_out},allow_header_conformance,unsupported_method"
    paths = ("--exclude-path", "/{vimid}", "--exclude-path", "/{cloud-owner}/{cloud-region-id}")
    for api in ("multicloud/v0", "multicloud/v1", "multicloud-vio/v0", "multicloud-vio/v1"):
        started.request("PUT", "/api/multicloud-clouds/v1/clouds/a/b", body)
        place, config = f"{started.url}/api/{api}", tmp_path / "schemathesis.toml"
        ended = run(
            f"{place}/swagger.json",
            "--url",
            place,
            "--exclude-checks",
            left_out,
            *paths,
            "--max-examples",
            "15",
            config=config,
        )
        assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    "base", ["/identity", "/compute", "/network/v2.0", "/image/v2", "/volume/v3", "/orchestration/v1", ""]
)
def test_the_stand_in_cloud(server, base):
    started = server(STANDIN, "--workers", "1", "--no-access-log", "--validation-response", "reject")
    user = {"name": "admin", "domain": {"name": "Default"}, "password": "admin"}
    login = {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": "demo", "domain": {"name": "Default"}}},
    }
    token = started.request("POST", "/identity/v3/auth/tokens", {"auth": login}).headers["x-subject-token"]
    place = f"{started.url}{base}"
    # What exists is told by what was made, not by a schema; and a token is asked for after the schema was.
    left_out = "positive_data_acceptance,ensure_resource_availability,allow_header_conformance,unsupported_method"
    more = ("--header", f"X-Auth-Token: {token}", "--exclude-checks", left_out, "--max-examples", "15")
    ended = run(f"{place}/openapi.json", "--url", place, *more)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_rating(server, version):
    started = server("rating", "--validation-response", "reject", "--no-access-log")
    # Whether an id, a moment or a number means something depends on what is there, and on more than a schema can say.
    left_out = ["--exclude-checks", "positive_data_acceptance,ensure_resource_availability"]
    # A module that is not there is no path of its own to clients of old: 405, and nothing is allowed. A path such as
    # `groups/mappings` has the methods of `groups/{group_id}`, too.
    left_out += ["--exclude-path-regex", r"/\{module\}$|/group$|/groups/(mappings|thresholds)$"]
    ended = run(f"{started.url}/{version}/openapi.json", "--url", f"{started.url}/{version}", *left_out)
    assert ended.returncode == 0, ended.stdout


VERSIONED = [("v2.1", "2.26", ("--max-examples", "4")), ("v2", "", ("--phases", "fuzzing", "--max-examples", "3"))]


@pytest.mark.parametrize(("api", "version", "how"), VERSIONED, ids=["v2.1", "v2"])
def test_compute(server, tmp_path, api, version, how):
    (tmp_path / "tokens.yaml").write_text("- {token: secret, user: tester, project: p, roles: [admin, member]}\n")
    by_token = ("--auth", "tokens", "--tokens", tmp_path / "tokens.yaml")
    started = server("compute", "--validation-response", "reject", "--no-access-log", *by_token)
    place = f"{started.url}/{api}"
    # What can't be had here is a 501, by contract: that nothing crashed is seen in the log. A path that two templates fit,
    # such as /os-cells/detail, has the methods of both.
    left_out = "positive_data_acceptance,ensure_resource_availability,not_a_server_error,unsupported_method,allow_header_conformance"
    asked = ("--header", f"X-OpenStack-Nova-API-Version: {version}") if version else ()
    document = f"{place}/openapi.json{f'?version={version}' if version else ''}"
    token = ("--header", "X-Auth-Token: secret")
    ended = run(document, "--url", place, "--exclude-checks", left_out, *how, *asked, *token)
    assert ended.returncode == 0, ended.stdout
    assert '"level": "error"' not in started.log.read_text()


def test_the_image_catalogue(server, tmp_path):
    (tmp_path / "tokens.yaml").write_text("- {token: secret, user: tester, project: p, roles: [admin, member]}\n")
    by_token = ("--auth", "tokens", "--tokens", tmp_path / "tokens.yaml")
    started = server("compute", "--validation-response", "reject", "--no-access-log", *by_token)
    place = f"{started.url}/image/v2"
    # Whether a marker names something depends on what is there, not on a schema.
    left_out, token = ("--exclude-checks", "positive_data_acceptance"), ("--header", "X-Auth-Token: secret")
    ended = run(f"{place}/openapi.json", "--url", place, *left_out, *token)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("api", ["v1", "camp", "console"])
def test_platform(server, tmp_path, api):
    (tmp_path / "tokens.yaml").write_text("- {token: secret, user: tester, project: p, roles: [member]}\n")
    (tmp_path / "apifold.yaml").write_text("services: {platform: {engine: simulated, max_apps: 100000}}\n")
    by_token = ("--auth", "tokens", "--tokens", tmp_path / "tokens.yaml", "--config", tmp_path / "apifold.yaml")
    started = server("platform", "--validation-response", "reject", "--no-access-log", *by_token)
    place = f"{started.url}/{api}"
    # Whether a plan can be built, or an ETag fits, is more than a schema can say; what GitHub does not send is a 501; and
    # our token is there beside any other credential.
    left_out = "positive_data_acceptance,ensure_resource_availability,not_a_server_error,ignored_auth"
    token = ("--header", "X-Auth-Token: secret")
    ended = run(f"{place}/openapi.json", "--url", place, "--exclude-checks", left_out, "--max-examples", "15", *token)
    assert ended.returncode == 0, ended.stdout
    assert '"level": "error"' not in started.log.read_text()
