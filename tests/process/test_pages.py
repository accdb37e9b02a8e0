"""Pages in a browser: the catalogue lists the APIs, the UI loads a description, "try it" answers."""

from __future__ import annotations

import time

import pytest
from selenium.webdriver.common.by import By

pytestmark = [pytest.mark.process, pytest.mark.browser]


@pytest.fixture
def started(server, tmp_path):
    (tmp_path / "hosts.model.yaml").write_text("model: host\npath: /inventory/hosts\nfields: {name: {type: string}}\n")
    (tmp_path / "broken.yaml").write_text("openapi: <script>alert(1)</script> [")
    (tmp_path / "hostile.yaml").write_text(
        'openapi: 3.1.0\ninfo: {title: Hostile, version: "1", description: "<img src=x onerror=alert(1)>"}\nservers: [{url: /hostile}]\npaths: {}\n'
    )
    (tmp_path / "shy.yaml").write_text(
        'openapi: 3.1.0\ninfo: {title: "<b>Shy</b>", version: "1"}\nservers: [{url: /shy}]\n'
        'x-apifold: {status: DEPRECATED}\npaths: {/x: {get: {summary: Say hello, x-apifold: {binding: {static: {value: hello}}}, responses: {"200": {description: ok}}}}}\n'
    )
    return server(tmp_path, "--quarantine", "--no-access-log")


def complaints(browser):
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_catalogue_shows_the_apis(started, browser):
    browser.get(f"{started.url}/")
    text = browser.find_element(By.TAG_NAME, "main").text
    assert "<b>Shy</b>" in text
    assert "DEPRECATED" in text
    assert "/inventory/hosts" in text
    assert "broken.yaml" in text
    assert [link.text for link in browser.find_elements(By.CSS_SELECTOR, ".api a")][:3] == [
        "Try it",
        "Reference",
        "Description",
    ]
    assert complaints(browser) == []


def test_trying_an_operation_answers(started, browser):
    browser.get(f"{started.url}/shy/ui")
    browser.find_element(By.CSS_SELECTOR, ".opblock-summary").click()
    browser.find_element(By.CSS_SELECTOR, ".execute").click()
    answered = browser.find_element(By.CSS_SELECTOR, ".live-responses-table tr.response .response-col_status")
    assert answered.text.startswith("200")
    assert "hello" in browser.find_element(By.CSS_SELECTOR, ".live-responses-table").text
    assert complaints(browser) == []


def test_the_reference_can_be_read(started, browser):
    browser.get(f"{started.url}/inventory/hosts/ui/reference")
    deadline = time.monotonic() + 15
    while "List hosts" not in browser.find_element(By.TAG_NAME, "body").text:
        assert time.monotonic() < deadline, browser.find_element(By.TAG_NAME, "body").text
        time.sleep(0.1)
    assert complaints(browser) == []


def test_nothing_in_a_page_comes_from_elsewhere(started):
    for path in ("/", "/shy/ui", "/shy/ui/reference"):
        answer = started.get(path, headers={"accept": "text/html"})
        assert b"http://" not in answer.body.replace(started.url.encode(), b"")
        assert b"https://" not in answer.body
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert b"<script>" not in answer.body


def test_assets_are_kept_by_browsers_and_compressed(started):
    answer = started.get("/-/assets/swagger-ui-bundle.js", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    again = started.get(
        "/-/assets/swagger-ui-bundle.js", headers={"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]}
    )
    assert again.status == 304
    assert started.get("/-/assets/..%2fpages.py").status == 404
