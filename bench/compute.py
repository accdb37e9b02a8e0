"""What a request to the compute service costs: CPU of one worker process, by `wrk` on loopback.

    python bench/compute.py [--seconds N] [--write]

Upstream's figures are from another shared machine of two cores (Nova 34.0.0, one uwsgi process, one thread, SQLite, four
flavors), so only their order of magnitude says something beside ours. "unchecked" is the same with validation off, in the same
run: what checking costs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

RESULTS = Path(__file__).with_name("results") / "compute.md"
PORT = 27841
UPSTREAM = {"GET /v2.1/": 2.0, "GET /v2.1/flavors": 5.6}
TICKS = os.sysconf("SC_CLK_TCK")


def ask(method: str, path: str, body: object = None) -> dict:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{path}", data, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


def cpu(pid: int) -> float:
    """Seconds of CPU that a process used."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / TICKS


def measure(path: str, seconds: int, pid: int) -> float:
    """Milliseconds of the worker's CPU for one request."""
    before = cpu(pid)
    line = ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{PORT}{path}"]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    requests = int(next(one for one in told.splitlines() if "requests in" in one).split()[0])
    return (cpu(pid) - before) * 1000 / requests


def run(seconds: int, *options: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        line = [str(Path(sys.executable).with_name("apifold")), "serve", "compute", "--listen", f"127.0.0.1:{PORT}"]
        line += ["--state", folder, "--workers", "1", "--no-access-log", *options]
        server = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                try:
                    ask("GET", "/-/ready")
                    break
                except OSError:
                    time.sleep(0.1)
            for number in range(4):
                made = ask(
                    "POST", "/v2.1/flavors", {"flavor": {"name": f"f{number}", "ram": 64, "vcpus": 1, "disk": 1}}
                )
            image = ask("GET", "/image/v2/images")["images"][0]["id"]
            order = {"server": {"name": "s", "imageRef": image, "flavorRef": made["flavor"]["id"], "min_count": 10}}
            server_id = ask("POST", "/v2.1/servers", order)["server"]["id"]
            while any(one["status"] != "ACTIVE" for one in ask("GET", "/v2.1/servers/detail")["servers"]):
                time.sleep(0.2)
            (worker,) = ask("GET", "/-/apis")["workers"]
            paths = [
                "/v2.1/",
                "/v2.1/flavors",
                "/v2.1/flavors/detail",
                f"/v2.1/servers/{server_id}",
                "/v2.1/servers/detail",
            ]
            return {f"GET {path.replace(server_id, '{id}')}": measure(path, seconds, worker["pid"]) for path in paths}
        finally:
            server.terminate()
            server.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    checked = run(asked.seconds)
    unchecked = run(asked.seconds, "--validation-request", "off", "--validation-response", "off")
    lines = ["# What a request to compute costs", "", "    python bench/compute.py --write", ""]
    lines += ["CPU of a worker for one request, in milliseconds; four flavors, ten servers, SQLite.", ""]
    lines += ["| request | here | unchecked | upstream, elsewhere |", "|---|---|---|---|"]
    for path, cost in checked.items():
        lines.append(f"| `{path}` | {cost:.2f} | {unchecked[path]:.2f} | {UPSTREAM.get(path, '')} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
