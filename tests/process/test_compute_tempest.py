"""Tempest, OpenStack's own tests of clouds, run against compute behind a real Keystone."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import keystone as identity

TEMPEST = Path(__file__).parent.parent.parent / ".tempest" / "bin" / "tempest"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not identity.THERE, reason="Keystone is missing: make .keystone/.test"),
    pytest.mark.skipif(not TEMPEST.exists(), reason="Tempest is missing: make .tempest/.test"),
]

LEFT_OUT = {
    "what compute handed on to others, and here never did": [
        r"test_networks\.",
        r"test_tenant_networks\.",
        r"floating_ips\.",
        r"security_groups\.",
        r"admin\.test_security_groups\.",
        r"test_rescued_vm_add_remove_security_group",
        r"QuotasSecurityGroupAdminNegativeTest",
    ],
    "asks the network service for ports and networks": [
        r"MultiNic",
        r"AttachInterfaces",
        r"filtered_by_ip",
        r"AutoAllocate",
    ],
    "asks the volume service": [r"volume"],
    "uploads images": [
        r"test_boot_with_low_ram",
        r"test_image_metadata\.",
        r"test_list_image_filters\.",
    ],
    "is for upstream's own parts": [r"instance_usage_audit_log"],
    "names security groups that are nowhere": [r"test_create_with_nonexistent_security_group"],
    "signs in to servers": [r"test_novnc\.", r"RunValidation"],
}
"""What is not run, by reason: a piece of the names of tests."""

CONFIGURATION = """
[auth]
use_dynamic_credentials = false
test_accounts_file = {folder}/accounts.yaml
admin_username = admin
admin_password = secret
admin_project_name = admin
admin_domain_name = Default
create_isolated_networks = false
[oslo_concurrency]
lock_path = {folder}/locks
[DEFAULT]
log_file = {folder}/tempest.log
[identity]
uri_v3 = {keystone}
auth_version = v3
region = RegionOne
[compute]
image_ref = {images[0]}
image_ref_alt = {images[1]}
flavor_ref = {flavors[0]}
flavor_ref_alt = {flavors[1]}
region = RegionOne
min_microversion = 2.1
max_microversion = 2.26
build_interval = 0
build_timeout = 60
min_compute_nodes = 2
[compute-feature-enabled]
resize = true
cold_migration = true
live_migration = false
rescue = true
vnc_console = false
personality = true
[image]
region = RegionOne
[network]
region = RegionOne
[validation]
run_validation = false
[service_available]
cinder = false
neutron = true
swift = false
"""

ACCOUNTS = [
    *(("other", ("member",)), ("own", ("member",)), ("own", ("reader",)), ("own", ("manager",))),
    *(("admin", ("admin",)), ("service", ("service", "admin"))),
]
"""Who is what in which project. A class of tests asks for people of one project; and for a stranger, who is the first in
this order that nobody uses."""

EACH = 3
"""How many projects of each kind there are; two classes run at a time."""


def accounts(keystone):
    for (where, roles), number in itertools.product(ACCOUNTS, range(EACH)):
        name, project = f"tempest-{where}-{roles[0]}-{number}", f"tempest-{where}-{number}"
        for role in roles:
            keystone.add(name, project, role)
        known = {"username": name, "password": "secret", "project_name": project, "domain_name": "Default"}
        yield {**known, **({"types": ["admin"]} if roles == ("admin",) else {"roles": list(roles)})}


NETWORKS = """
openapi: 3.1.0
info: {title: No networks, version: "2"}
paths:
  /v2.0/security-groups:
    get:
      x-apifold: {public: true, binding: {static: {value: {security_groups: []}}}}
      responses: {"200": {description: There are none}}
"""
"""What Tempest asks for when it removes a project. Without a network service it runs only half of its tests."""


@pytest.fixture
def cloud(server, keystone, tmp_path):
    """The folder of Tempest's configuration."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("one", "other"):
        (folder / f"{name}.yaml").write_text("{min_disk: 1, min_ram: 64}\n")
    started = server(
        "compute",
        "--workers",
        "1",
        "--auth",
        "keystone",
        *keystone.options,
        environment={"APIFOLD_COMPUTE_IMAGES": str(folder)},
    )
    admin = {"X-Auth-Token": keystone.people["admin"][0]}
    sizes = ({"ram": 64, "vcpus": 1, "disk": 1}, {"ram": 128, "vcpus": 1, "disk": 2})
    flavors = [
        started.request("POST", "/v2.1/flavors", {"flavor": {"name": f"m{at}", **size}}, admin).json["flavor"]["id"]
        for at, size in enumerate(sizes)
    ]
    images = [image["id"] for image in started.get("/image/v2/images", headers=admin).json["images"]]
    (tmp_path / "accounts.yaml").write_text(yaml.safe_dump(list(accounts(keystone))))
    (tmp_path / "networks.yaml").write_text(NETWORKS)
    networks = server(tmp_path / "networks.yaml", "--workers", "1")
    told = {"folder": tmp_path, "keystone": keystone.url, "images": images, "flavors": flavors}
    (tmp_path / "tempest.conf").write_text(CONFIGURATION.format(**told))
    (tmp_path / "left-out").write_text("".join(f"{part}\n" for parts in LEFT_OUT.values() for part in parts))
    with (
        keystone.offering("compute", "nova", f"{started.url}/v2.1"),
        keystone.offering("image", "glance", f"{started.url}/image/v2"),
        keystone.offering("network", "neutron", networks.url),
    ):
        yield tmp_path


def test_tempest(cloud):
    def tempest(*words, seconds=60):
        return subprocess.run(
            [TEMPEST, *words],
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=cloud,
            env={"PATH": os.environ["PATH"], "HOME": str(cloud)},
        )

    assert tempest("init", "here").returncode == 0
    which = ("--regex", r"^tempest\.api\.compute\.", "--exclude-list", cloud / "left-out", "--concurrency", "2")
    done = tempest("run", "--workspace", "here", "--config-file", cloud / "tempest.conf", *which, seconds=900)
    (cloud / "told").write_text(done.stdout)
    failed = re.findall(r"^\{\d\} (.*) \.\.\. FAILED$", done.stdout, re.MULTILINE)
    assert not failed, "\n".join((*failed, done.stdout[-30_000:]))
    (passed,) = re.findall(r"^ - Passed: (\d+)$", done.stdout, re.MULTILINE)
    assert int(passed) > 250, done.stdout[-3_000:]
