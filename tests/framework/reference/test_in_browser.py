"""Pages in headless Chromium, below the prefix of a proxy: they work, can be read by day and night, and complain of nothing."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from apifold.reference.pages import CONTENT_SECURITY_POLICY, CatalogueEntry, asset, catalogue, redoc, swagger_ui
from apifold.reference.static_reference import write_reference

pytestmark = pytest.mark.browser

ROOT = "/proxy"
ENTRY = CatalogueEntry("hello", "Hello", "1", "CURRENT", "/hello", "Says hello", 1, "/hello/ui", "/hello/openapi.json")
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {
        "title": "Hello",
        "version": "1",
        "description": "| a |\n|--:|\n| 1 |",
    },
    "servers": [{"url": "/hello"}],
    "paths": {
        "/word": {
            "get": {
                "summary": "Say a word",
                "responses": {
                    "200": {
                        "description": "a word",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Word"}}},
                    }
                },
            }
        }
    },
    "components": {"schemas": {"Word": {"type": "object", "properties": {"word": {"type": "string"}}}}},
}
PAGES = {
    f"{ROOT}/": catalogue([ENTRY], "APIs", ROOT),
    f"{ROOT}/hello/ui": swagger_ui("Hello", f"{ROOT}/hello/openapi.json", ROOT, "CURRENT"),
    f"{ROOT}/hello/ui/reference": redoc("Hello", f"{ROOT}/hello/openapi.json", ROOT, "CURRENT"),
}
VALUES = {f"{ROOT}/hello/openapi.json": DOCUMENT, f"{ROOT}/hello/word": {"word": "good morning"}}


class Answers(BaseHTTPRequestHandler):
    """Serves the pages, the assets, and one small API."""

    def do_GET(self):
        if self.path in PAGES:
            self.answer(
                PAGES[self.path].encode(),
                "text/html; charset=utf-8",
                ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
            )
        elif self.path in VALUES:
            self.answer(json.dumps(VALUES[self.path]).encode(), "application/json")
        elif self.path.startswith(f"{ROOT}/-/assets/"):
            content, media, encoding = asset(self.path.rpartition("/")[2], self.headers["Accept-Encoding"])
            self.answer(content, media, ("Content-Encoding", encoding))
        else:
            self.send_error(404)

    def answer(self, content, media, *headers):
        self.send_response(200)
        for name, value in (("Content-Type", media), ("Content-Length", str(len(content))), *headers):
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """What is asked for is seen in the browser."""


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{ROOT}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["light", "dark"])
def seen(browser, request):
    """The browser, by day and by night, which must have nothing to complain of in the end."""
    feature = {"name": "prefers-color-scheme", "value": request.param}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get_log("browser")
    yield browser
    complaints = [entry["message"] for entry in browser.get_log("browser")]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert complaints == []


def wait_for_text(browser, text):
    WebDriverWait(browser, 15).until(lambda driver: text in driver.find_element(By.TAG_NAME, "body").text, text)


def contrast(browser, selector):
    """The contrast of an element's text with what is behind it (WCAG 2.2, 1.4.3)."""
    return browser.execute_script(
        """
        const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
        const light = (color) => {
          const [r, g, b] = numbers(color).slice(0, 3).map((one) => one / 255)
            .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const element = document.querySelector(arguments[0]);
        let behind = element;
        while (behind && (numbers(getComputedStyle(behind).backgroundColor)[3] ?? 1) < 1) behind = behind.parentElement;
        const two = [light(getComputedStyle(element).color), behind ? light(getComputedStyle(behind).backgroundColor) : 1];
        return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
        """,
        selector,
    )


def test_the_catalogue_leads_to_the_ui(seen, address):
    seen.get(f"{address}/")
    for selector in ("h1", ".lead", ".api h2", ".status", ".api a"):
        assert contrast(seen, selector) >= 4.5, selector
    seen.find_element(By.LINK_TEXT, "Try it").click()
    wait_for_text(seen, "Say a word")


def test_swagger_ui_tries_an_operation_behind_a_proxy(seen, address):
    seen.get(f"{address}/hello/ui")
    wait_for_text(seen, "Say a word")
    for selector in (
        ".bar strong",
        ".bar .status",
        ".info .title",
        ".opblock-summary-path",
        ".opblock-summary-description",
    ):
        assert contrast(seen, selector) >= 4.5, selector
    seen.find_element(By.CSS_SELECTOR, ".opblock-summary").click()
    seen.find_element(By.CSS_SELECTOR, ".execute").click()
    assert seen.find_element(By.CSS_SELECTOR, ".live-responses-table tr.response .response-col_status").text.startswith(
        "200"
    )
    wait_for_text(seen, "good morning")
    seen.find_element(By.LINK_TEXT, "All APIs").click()
    assert seen.find_element(By.TAG_NAME, "h1").text == "APIs"


def test_redoc_can_be_read(seen, address):
    seen.get(f"{address}/hello/ui/reference")
    wait_for_text(seen, "Say a word")
    for selector in (".bar strong", ".api-content h1", ".api-content h2"):
        assert contrast(seen, selector) >= 4.5, selector


def test_the_static_reference_can_be_read_from_a_disk(seen, tmp_path):
    pictured = {**DOCUMENT, "info": {**DOCUMENT["info"], "description": "![away](https://elsewhere.example/x.png)"}}
    write_reference([(ENTRY, pictured)], tmp_path)
    seen.get((tmp_path / "index.html").as_uri())
    seen.find_element(By.LINK_TEXT, "Hello").click()
    for selector in ("h1", ".operation h3", ".responses dt", ".kind"):
        assert contrast(seen, selector) >= 4.5, selector
    seen.find_element(By.LINK_TEXT, "Word").click()
    assert seen.find_element(By.CSS_SELECTOR, ":target h3").text == "Word"
