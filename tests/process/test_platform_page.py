"""The page of applications in a browser: what an owner sees, and the buttons."""

from __future__ import annotations

import urllib.request

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.servers import free_port, until

pytestmark = [pytest.mark.process, pytest.mark.browser]

PLAN = """
camp_version: CAMP 1.1
name: <b>page</b>
description: a static page
artifacts:
  - name: web
    artifact_type: org.web:static
    content: {href: "file://HERE"}
"""


@pytest.fixture
def started(server, tmp_path, units):
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<h1>it is served</h1>")
    first = free_port()
    config = tmp_path / "apifold.yaml"
    config.write_text(
        f"services: {{platform: {{folders: [{site}], process: {{folder: {units}, ports: {first}-{first + 20}}}}}}}\n"
    )
    made = server("platform", "--config", config, "--no-access-log")
    plan = made.request(
        "POST", "/camp/v1_1/plans", PLAN.replace("HERE", str(site)).encode(), {"content-type": "application/yaml"}
    )
    assert plan.status == 201
    yield made
    for one in made.get("/v1/assemblies").json:
        made.request("DELETE", f"/v1/assemblies/{one['uuid']}")
    until(lambda: made.get("/v1/assemblies").json == [], 30)


def complaints(browser):
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_an_owner_deploys_looks_stops_starts_scales_and_deletes(started, browser):
    def seen(selector):
        browser.get(f"{started.url}/console/")
        return [one.text for one in browser.find_elements(By.CSS_SELECTOR, selector)]

    def press(selector):
        browser.find_element(By.CSS_SELECTOR, selector).click()

    def becomes(state):
        until(lambda: seen(".state") == [state], 30, f"it does not become {state}")

    browser.implicitly_wait(0)
    assert "There is no application" in seen("#none")[0]
    assert seen("#plans td")[0] == "<b>page</b>"
    press("button.deploy")
    becomes("DEPLOYMENT_COMPLETE")
    (address,) = seen("a.address")
    assert b"it is served" in urllib.request.urlopen(address).read()
    until(lambda: "GET / HTTP" in seen("pre.log")[0], 10)
    press("button.stop")
    becomes("STOPPED")
    with pytest.raises(OSError):
        urllib.request.urlopen(address)
    press("button.start")
    becomes("DEPLOYMENT_COMPLETE")
    number = browser.find_element(By.NAME, "instances")
    number.send_keys(Keys.CONTROL, "a")
    number.send_keys("2")
    press("button.scale")
    becomes("DEPLOYMENT_COMPLETE")
    press("h3 a")
    text = browser.find_element(By.TAG_NAME, "main").text
    assert "instances 2" in text
    assert "building by the conventions of: static" in text
    assert "<b>page</b>_application" in text
    seen("article")
    press("button.delete")
    until(lambda: seen("#none") != [], 30)
    assert complaints(browser) == []
    browser.implicitly_wait(10)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
)
def test_another_sites_page_presses_no_button(started, headers):
    plan = started.get("/camp/v1_1/plans").json["plan_links"][0]["href"].rpartition("/")[2]
    pressed = started.request("POST", f"/console/plans/{plan}/deploy", b"", headers)
    assert pressed.status == 403
    assert started.get("/v1/assemblies").json == []


def test_who_is_not_known_is_asked_by_the_browser(server, tmp_path):
    (tmp_path / "tokens.yaml").write_text("- {token: secret, user: ada, project: p, roles: [member]}\n")
    config = tmp_path / "apifold.yaml"
    config.write_text("services: {platform: {engine: simulated}}\n")
    made = server("platform", "--config", config, "--auth", "tokens", "--tokens", tmp_path / "tokens.yaml")
    refused = made.get("/console/")
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="platform", charset="UTF-8"')
    shown = made.get("/console/", headers={"authorization": "Basic YWRhOnNlY3JldA=="})
    assert shown.status == 200
    assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
    assert made.get("/console/applications/none", headers={"authorization": "Basic YWRhOnNlY3JldA=="}).status == 404
