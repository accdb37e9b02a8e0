"""The page of spend, in this process and in a browser."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from apifold_services.rating.v2.spend import money

FRAMES = [
    {
        "period": {"begin": f"2026-07-{day:02}T10:00:00Z", "end": f"2026-07-{day:02}T11:00:00Z"},
        "usage": {
            metric: [
                {
                    "vol": {"unit": "i", "qty": 1},
                    "rating": {"price": price * day},
                    "groupby": {"project_id": project},
                    "metadata": {},
                }
                for project in projects
            ]
            for metric, price, projects in (("cpu", 2, ("acme", "<b>bold</b>")), ("volume", 1, ("acme",)))
        },
    }
    for day in range(1, 11)
]
WHEN = "begin=2026-07-01&end=2026-08-01"


@pytest.mark.parametrize(
    ("cost", "shown"), [("0", "0.00"), ("1234.5", "1,234.50"), ("0.004", "0.004"), ("0.0000123", "0.000012")]
)
def test_costs_are_shown_for_people(cost, shown):
    assert money(Decimal(cost)) == shown


def test_the_page_adds_up(serve, tmp_path):
    api = serve("rating", state=str(tmp_path))
    empty = api.get(f"/v2/spend?{WHEN}").text
    assert "There is no rated usage in this time." in empty
    assert api.post("/v2/dataframes", json={"dataframes": FRAMES}).status == 204
    answer = api.get(f"/v2/spend?{WHEN}")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in answer.headers["content-security-policy"]
    assert 'id="total">275.00<' in answer.text
    assert "<b>bold" not in answer.text
    assert re.findall(r'<td class="number">([^<]*)', answer.text) == ["220.00", "55.00", "165.00", "110.00"]
    one = api.get(f"/v2/spend?{WHEN}&filters=project_id:acme").text
    assert 'id="total">165.00<' in one
    assert "only project_id acme" in one
    assert api.get("/v2/spend?begin=soon").json["message"].startswith("Invalid begin")


@pytest.mark.process
@pytest.mark.browser
def test_the_page_in_a_browser(server, browser, tmp_path):
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def shows(total):
        """Waits until a page shows it: the one before may still be there."""
        wait = WebDriverWait(browser, 10, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda driver: driver.find_element(By.ID, "total").text == total)

    started = server("rating", "--no-access-log")
    assert started.request("POST", "/v2/dataframes", {"dataframes": FRAMES}).status == 204
    browser.get_log("browser")
    browser.get(f"{started.url}/v2/spend?{WHEN}")
    assert shows("275.00")
    bars = browser.find_elements(By.CSS_SELECTOR, "#days rect")
    assert len(bars) == 10
    heights = [bar.size["height"] for bar in bars]
    assert heights == sorted(heights)
    browser.find_element(By.LINK_TEXT, "acme").click()
    assert shows("165.00")
    browser.find_element(By.LINK_TEXT, "cpu").click()
    assert shows("110.00")
    begin = browser.find_element(By.NAME, "begin")
    browser.execute_script("arguments[0].value = '2026-07-10'", begin)
    browser.find_element(By.TAG_NAME, "button").click()
    assert shows("20.00")
    assert "type:cpu" in browser.current_url.replace("%3A", ":")
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []
    picture = tmp_path / "spend.png"
    browser.get(f"{started.url}/v2/spend?{WHEN}")
    browser.save_screenshot(str(picture))
    assert Path(picture).stat().st_size > 10_000
