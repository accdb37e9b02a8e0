"""How long a GET takes while this machine is being measured, beside when it is not: `python bench/during_a_run.py`.

A client asks 200 times a second over kept connections; rounds with and without a run of the compute plan alternate.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

APIFOLD = str(Path(sys.executable).with_name("apifold"))
PATH = "/v1.0/plans/compute"
ROUNDS, SECONDS, CLIENTS, RATE = 3, 8.0, 4, 50


def ask(port: int, seconds: float) -> list[float]:
    """Latencies in milliseconds of one client that asks `RATE` times a second."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took, begin = [], time.perf_counter()
    for number in range(int(seconds * RATE)):
        time.sleep(max(0, begin + number / RATE - time.perf_counter()))
        asked = time.perf_counter()
        connection.request("GET", PATH)
        answer = connection.getresponse()
        answer.read()
        took.append(1000 * (time.perf_counter() - asked))
        assert answer.status == 200
    return took


def everybody(port: int) -> list[float]:
    found: list[float] = []
    threads = [threading.Thread(target=lambda: found.extend(ask(port, SECONDS))) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def call(port: int, method: str, path: str, body: object = None) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read())


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found: dict[str, list[list[float]]] = {"idle": [], "during a run": []}
    with tempfile.TemporaryDirectory() as state:
        line = [APIFOLD, "serve", "benchmark", "--listen", f"127.0.0.1:{port}", "--state", state, "--no-access-log"]
        server = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(4)
            for _ in range(ROUNDS):
                found["idle"].append(everybody(port))
                job = call(port, "POST", "/v2/jobs", {"plan": "compute", "seconds": 1})
                time.sleep(1)
                found["during a run"].append(everybody(port))
                call(port, "POST", f"/v2/jobs/{job['id']}/cancel")
                time.sleep(2)
        finally:
            server.terminate()
            server.wait()
    print(
        f"{os.cpu_count()} cores, {CLIENTS * RATE} GET {PATH} a second, {ROUNDS} rounds of {SECONDS:g} s each; milliseconds"
    )
    print("| | p50 | p99 | worst |")
    print("|---|---|---|---|")
    for name, rounds in found.items():
        cuts = [statistics.quantiles(one, n=100) for one in rounds]
        middle = statistics.median
        print(
            f"| {name} | {middle(c[49] for c in cuts):.2f} | {middle(c[98] for c in cuts):.2f} | {middle(max(one) for one in rounds):.1f} |"
        )


if __name__ == "__main__":
    main()
