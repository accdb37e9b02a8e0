"""The benchmark service's API v1.0, as QTIP's users know it."""

from __future__ import annotations

import pytest
from openapi_spec_validator import validate

from apifold_services.benchmark.core import Library
from apifold_services.benchmark.service import DATA


@pytest.fixture
def api(serve):
    return serve("benchmark", validation_response="reject")


@pytest.mark.parametrize("kind", ["plans", "qpis", "metrics"])
def test_everything_listed_is_shown_and_fits_the_description(api, kind):
    names = api.get(f"/v1.0/{kind}").json[kind]
    assert names == sorted(names)
    assert names
    for name in names:
        whole = api.get(f"/v1.0/{kind}/{name}")
        assert whole.status == 200
        assert api.get(f"/v1.0/{kind}/{name.removesuffix('.yaml')}").json == whole.json


def test_every_qpi_of_a_plan_is_there(api):
    for name in api.get("/v1.0/plans").json["plans"]:
        for qpi in api.get(f"/v1.0/plans/{name}").json["QPIs"]:
            assert api.get(f"/v1.0/qpis/{qpi}").status == 200


def test_weights_of_the_compute_index_add_up(api):
    sections = api.get("/v1.0/qpis/compute").json["sections"]
    assert sum(section["weight"] for section in sections) == pytest.approx(1)


@pytest.mark.parametrize(("kind", "title"), [("plans", "Plan"), ("qpis", "QPI"), ("metrics", "Metric")])
@pytest.mark.parametrize(
    "name", ["nope", "..", "%2e%2e%2fservice", "compute.yml", ".yaml", "a%00b", "compute.yaml.yaml", "%2Fetc%2Fpasswd"]
)
def test_what_is_not_there_is_told_in_qtips_words(api, kind, title, name):
    answer = api.get(f"/v1.0/{kind}/{name}")
    assert answer.status == 404
    assert answer.json["title"] == f"{title} not found"
    assert answer.json["detail"].startswith(f"Requested {title.lower()} `")


def test_a_link_out_of_the_library_is_not_followed(tmp_path):
    (tmp_path / "plans").mkdir()
    (tmp_path / "secret.yaml").write_text("name: secret\n")
    (tmp_path / "plans" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    from apifold import NotFound

    with pytest.raises(NotFound):
        Library(tmp_path).plans.get("link")


def test_a_changed_document_is_read_again(tmp_path):
    (tmp_path / "plans").mkdir()
    file = tmp_path / "plans" / "a.yaml"
    file.write_text("name: one\n")
    library = Library(tmp_path)
    assert library.plans.get("a") == {"name": "one"}
    file.write_text("name: second\n")
    assert library.plans.get("a") == {"name": "second"}


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/v1.0/plans/compute?action=jump", 501, "Jump handler not implemented"),
        ("/v1.0/plans/nope?action=run", 404, "Plan not found"),
        ("/v1.0/plans/sample?action=run", 400, "Invalid request"),
        ("/v1.0/plans/compute", 400, "Invalid request"),
        ("/v1.0/plans/compute?action=run&more=1", 400, "Invalid request"),
    ],
)
def test_what_can_not_be_run_is_told(api, path, status, title):
    answer = api.post(path)
    assert (answer.status, answer.json["title"]) == (status, title)
    assert answer.json["status"] == status


def test_its_description_and_page_are_served(api):
    described = api.get("/v1.0/swagger.json").json
    validate(described)
    assert described["basePath"] == "/v1.0"
    assert "swagger-ui" in api.get("/v1.0/ui").text
    assert api.get("/").json["apis"][0]["title"] == "QTIP"


def test_the_library_is_shipped():
    assert Library(DATA).plans.names() == [
        "compute.yaml",
        "everything.yaml",
        "sample.yaml",
        "storage.yaml",
    ]
