"""The rating service with a real Prometheus, which scrapes the service itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.servers import free_port, until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        not shutil.which("prometheus"), reason="Prometheus is missing (Debian: apt-get install prometheus)"
    ),
]

METRICS = """
metrics:
  apifold_request_seconds_count:
    unit: request
    alt_name: requests
    groupby: [operation]
    metadata: [status]
    extra_args: {aggregation_method: sum, range_function: increase}
"""

CONFIGURATION = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: apifold
    metrics_path: /-/metrics
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


@pytest.fixture
def prometheus(tmp_path):
    """Starts Prometheus, scraping a port; its address."""
    started = []

    def start(port):
        own = free_port()
        (tmp_path / "prometheus.yml").write_text(CONFIGURATION % port)
        line = [
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{own}",
            "--log.level=error",
        ]
        with (tmp_path / "log").open("wb") as log:
            started.append(subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT))
        return f"http://127.0.0.1:{own}"

    yield start
    for one in started:
        one.terminate()
        one.wait(20)


def asked(url, path):
    try:
        with closing(urllib.request.urlopen(f"{url}{path}", timeout=5)) as answer:
            return json.load(answer)["data"]
    except (OSError, ValueError):
        return None


def test_its_own_requests_are_rated(server, prometheus, tmp_path):
    """The scope is the API that was called: a label of the service's own metrics."""
    (tmp_path / "metrics.yml").write_text(METRICS)
    port = free_port()
    url = prometheus(port)
    settings = {
        "APIFOLD_RATING_COLLECTOR": "prometheus",
        "APIFOLD_RATING_FETCHER": "prometheus",
        "APIFOLD_RATING_PROMETHEUS": url,
        "APIFOLD_RATING_PROMETHEUS_SCOPE": "apifold_request_seconds_count",
        "APIFOLD_RATING_SCOPE_KEY": "api",
        "APIFOLD_RATING_METRICS": str(tmp_path / "metrics.yml"),
        "APIFOLD_RATING_PERIOD": "10",
        "APIFOLD_RATING_WAIT_PERIODS": "0",
        "APIFOLD_RATING_INTERVAL": "0.5",
    }
    started = server("rating", "--no-access-log", "--workers", "2", environment=settings, port=port)
    # Before Prometheus knows of it: a scope that is met later begins with the month.
    moment = datetime.fromtimestamp(int(time.time()) // 10 * 10, UTC).isoformat()
    for name in ("rating-v2", "system"):
        scope = {"scope_id": name, "last_processed_timestamp": moment}
        assert started.request("POST", "/v2/scope", scope).status == 200
    service = started.request("POST", "/v2/rating/hashmap/services", {"name": "requests"}).json["service_id"]
    rule = {"service_id": service, "cost": "0.01", "start": "2020-01-01", "force": True}
    assert started.request("POST", "/v2/rating/hashmap/mappings", rule).status == 201
    started.request("PUT", "/v2/rating/modules/hashmap", {"enabled": True})
    until(lambda: asked(url, "/api/v1/series?match[]=apifold_request_seconds_count"), 30)

    def rated():
        for _ in range(20):
            started.get("/v2/rating/modules")
        rows = started.get(
            "/v2/summary?groupby=type,operation&filters=api:rating-v2&response_format=object&begin=2020-01-01"
        ).json
        return [row for row in rows["results"] if row["operation"] == "list_modules" and row["qty"] > 20]

    (row,) = until(rated, 60, "nothing was rated")
    assert row["type"] == "requests"
    assert row["rate"] == pytest.approx(row["qty"] * 0.01)
    assert "rating-v2" in {one["scope_id"] for one in started.get("/v2/scope").json["results"]}
