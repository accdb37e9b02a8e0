"""Resources are plug-ins: one of somebody else's, those that are switched off, those that clash."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from apifold import DescriptionErrors, SettingsError, extension_points
from tests.services.compute.conftest import REJECTING, Cloud, opened

EXAMPLE = Path(__file__).parent.parent.parent.parent / "examples" / "racks"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package: puts its files where Python finds them, with the entry points that it declares."""
    home = tmp_path / "site"

    def install(name, *points, files=None):
        home.mkdir(exist_ok=True)
        for path in (files or EXAMPLE).iterdir():
            if path.is_file():
                shutil.copy(path, home)
        told = home / f"{name}-1.0.dist-info"
        told.mkdir()
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (told / "entry_points.txt").write_text("[apifold_compute.resources]\n" + "".join(f"{one}\n" for one in points))
        forget()

    def forget():
        extension_points.names.cache_clear()
        extension_points.load.cache_clear()

    monkeypatch.syspath_prepend(home)
    yield install
    monkeypatch.undo()
    forget()
    sys.modules.pop("racks", None)


@pytest.mark.parametrize(("base", "version"), [("/v2.1", "2.26"), ("/v2.1", ""), ("/v2", "")])
def test_a_package_adds_a_resource_an_action_and_a_member(installed, tmp_path_factory, base, version):
    installed("racks", "racks = racks:RESOURCE")
    client = opened(tmp_path_factory, "tokens", apis=REJECTING)
    ada = Cloud(client, base, "ada-token", version)
    assert ada.get("/racks").json["racks"][0] == {"name": "rack-1", "host": "simulated-1"}
    shown = ada.get("/racks/rack-2")
    assert shown.status == (200 if version else 404)
    assert "racks" in [one["alias"] for one in ada.get("/extensions").json["extensions"]]
    id = ada.server()
    assert ("racks:rack" in ada.seen(id)) == bool(version)
    assert ada.act(id, "racks:light", {"colour": "blue"}).status == 400
    assert ada.act(id, "racks:light", {"colour": "red"}).status == 202
    assert ada.seen(id)["metadata"] == {"racks:light": "red"}
    assert ada.by("watcher").act(id, "racks:light", {"colour": "red"}).status == 403
    assert ada.act(id, "os-stop").status == 202, "the service's own actions are there as ever"
    document = client.get(f"{base}/openapi.json", headers={"x-auth-token": "admin-token"}).json
    assert "/servers/{server_id}/action#racks:light" in document["paths"]
    client.close()


def test_resources_are_switched_off_but_for_the_core(installed, tmp_path_factory):
    installed("racks", "racks = racks:RESOURCE")
    client = opened(tmp_path_factory, "none", services={"compute": {"disabled": ["racks", "os-aggregates"]}})
    cloud = Cloud(client, "/v2.1", version="2.26")
    assert [cloud.get(path).status for path in ("/racks", "/os-aggregates", "/flavors")] == [404, 404, 200]
    assert not {"racks", "os-aggregates"} & {one["alias"] for one in cloud.get("/extensions").json["extensions"]}
    assert "racks:rack" not in cloud.seen(cloud.server())
    client.close()


@pytest.mark.parametrize(
    ("disabled", "said"), [("servers", "'servers' is part of the core"), ("racks", "no resource 'racks'")]
)
def test_what_cant_be_left_out_is_told(tmp_path_factory, disabled, said):
    with pytest.raises(SettingsError, match=said):
        opened(tmp_path_factory, "none", services={"compute": {"disabled": [disabled]}})


def test_two_of_one_alias_are_told(installed, tmp_path_factory):
    installed("racks", "racks = racks:RESOURCE", "again = racks:RESOURCE")
    with pytest.raises(SettingsError, match="both the resource 'racks'"):
        opened(tmp_path_factory, "none")


def test_two_that_want_one_place_are_told(installed, tmp_path_factory, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(EXAMPLE, source)
    (source / "racks.yaml").write_text((EXAMPLE / "racks.yaml").read_text().replace("  /racks:\n", "  /flavors:\n"))
    installed("racks", "racks = racks:RESOURCE", files=source)
    client = opened(tmp_path_factory, "none")
    with pytest.raises(DescriptionErrors, match=r"GET /flavors is also in .*flavors\.yaml"):
        client.get("/v2.1/flavors")
    client.close()


def test_one_that_can_not_be_loaded_is_told(installed, tmp_path_factory):
    installed("racks", "racks = racks_that_are_not_there:RESOURCE")
    with pytest.raises(SettingsError, match="misses the module racks_that_are_not_there"):
        opened(tmp_path_factory, "none")
