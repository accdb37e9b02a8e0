"""What grows and what does not: requests, starts and swaps as descriptions get larger; memory as workers get more.

python bench/growth.py [--rounds N] [--write]
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

from figures import arguments, machine, tell
from stacks import BIN

from apifold import Settings
from apifold.application import Application
from servers import Ask, Server

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1}, "size": {"type": "integer", "minimum": 0}},
}
OPERATIONS = (10, 1_000, 10_000)
APIS = (1, 100)
SWAPS = 6


def description(operations: int, name: str = "things") -> dict:
    """A description with so many operations: half of them read, half write; each has its own schema."""
    paths, schemas = {}, {}
    for number in range(operations // 2):
        schemas[f"Thing{number}"] = {**SCHEMA, "title": f"Thing {number}"}
        content = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/Thing{number}"}}}}
        answer = {"200": {"description": "A thing", **content}}
        parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 40}}
        paths[f"/kind{number}/{{id}}"] = {
            "get": {"operationId": f"get_{number}", "parameters": [parameter], "responses": answer},
            "put": {
                "operationId": f"put_{number}",
                "parameters": [parameter],
                "requestBody": {"required": True, **content},
                "responses": answer,
            },
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1"},
        "servers": [{"url": f"/{name}"}],
        "x-apifold": {"validation": {"response": "off"}},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def write(folder: Path, apis: int, operations: int) -> Path:
    """A directory of so many APIs with so many operations each."""
    folder.mkdir()
    for number in range(apis):
        name = "things" if number == 0 else f"things{number}"
        (folder / f"{name}.json").write_text(json.dumps(description(operations, name)))
    return folder


def mock(folder: Path, state: Path, workers: int = 1) -> list[str]:
    return [
        *(str(BIN / "apifold"), "mock", str(folder), "--listen", "127.0.0.1:{port}", "--workers", str(workers)),
        *("--no-access-log", "--state", str(state)),
    ]


def requests(home: Path, rounds: int) -> list[tuple[str, float]]:
    """CPU of a request to the last operation, as a ratio to that of the smallest."""
    folders = {f"{count:,} operations": write(home / f"o{count}", 1, count) for count in OPERATIONS}
    folders |= {f"{count} APIs of 10": write(home / f"a{count}", count, 10) for count in APIS[1:]}
    asks = {
        name: Ask("GET", f"/things/kind{count // 2 - 1}/x")
        for name, count in zip(folders, (*OPERATIONS, 10), strict=False)
    }
    found: dict[str, list[float]] = {name: [] for name in folders}
    with ExitStack() as running:
        servers = {
            name: running.enter_context(Server(mock(folder, home / f"{folder.name}s"), home, {}))
            for name, folder in folders.items()
        }
        for number in range(rounds):
            print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
            for name, server in servers.items():
                found[name].append(server.load(asks[name], 1).cpu)
    print(file=sys.stderr)
    smallest = found[next(iter(found))]
    return [
        (f"request, {name}", statistics.median(cost / base for cost, base in zip(costs, smallest, strict=True)))
        for name, costs in found.items()
    ]


def builds(home: Path, rounds: int) -> list[tuple[str, float]]:
    """Seconds to build a generation, in this process."""
    rows = []
    for name in ("o1000", "o10000", "a100"):
        times = []
        for _ in range(rounds):
            application = Application.serving([str(home / name)], Settings(state="", implementation="mock"))
            began = time.perf_counter()
            application.build()
            times.append(time.perf_counter() - began)
            application.close()
        rows.append((f"build, {name[1:]} {'operations' if name[0] == 'o' else 'APIs'}, s", statistics.median(times)))
    return rows


def starts(home: Path, rounds: int) -> list[tuple[str, float]]:
    """Seconds from the command to the first answer."""
    rows = []
    for name in ("o10", "o1000", "o10000"):
        times = []
        for _ in range(rounds):
            with Server(mock(home / name, home / f"{name}s"), home, {}, pinned=False) as server:
                times.append(server.seconds)
        rows.append((f"start, {name[1:]} operations, s", statistics.median(times)))
    return rows


def swaps(home: Path) -> list[tuple[str, float]]:
    """The slowest of many requests while a description of 1,000 operations is changed again and again, in ms."""
    folder = write(home / "swapped", 1, 1000)
    file = folder / "things.json"
    text = file.read_text()
    took: list[float] = []
    stop = threading.Event()

    def ask(port: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not stop.wait(0.001):
                began = time.perf_counter()
                connection.request("GET", "/things/kind3/x")
                assert connection.getresponse().read()
                took.append((time.perf_counter() - began) * 1000)

    with Server(mock(folder, home / "swappeds"), home, {}, pinned=False) as server:
        server.ask(Ask("GET", "/things/kind3/x"))
        asking = threading.Thread(target=ask, args=(server.port,))
        asking.start()
        time.sleep(2)
        quiet, took[:] = list(took), []
        for number in range(SWAPS):
            known = generation(server)
            file.write_text(text.replace('"version": "1"', f'"version": "1.{number}"'))
            while generation(server) == known:
                time.sleep(0.05)
            time.sleep(0.3)
        stop.set()
        asking.join()
    return [
        ("slowest request without a swap, ms", max(quiet)),
        ("slowest request during swaps, ms", max(took)),
        ("p99 during swaps, ms", statistics.quantiles(took, n=100)[98]),
    ]


def generation(server: Server) -> str:
    return json.loads(server.ask(Ask("GET", "/-/apis"))[1])["generation"]


def memory(home: Path) -> list[tuple[str, float]]:
    """MB of all processes with one worker, and of each further one; 1,000 operations."""
    totals = []
    for workers in (1, 4):
        with Server(mock(home / "o1000", home / "o1000s", workers), home, {}, pinned=False) as server:
            time.sleep(1)
            totals.append(sum(server.memory()) / 1e6)
    return [("memory, one worker, MB", totals[0]), ("memory, each further worker, MB", (totals[1] - totals[0]) / 3)]


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = requests(home, chosen.rounds) + builds(home, 3) + starts(home, 3) + swaps(home) + memory(home)
    tell(
        "growth",
        f"# What grows\n\n`python bench/growth.py` on {machine()}; requests as ratios to the first row.",
        rows,
        chosen.write,
    )


if __name__ == "__main__":
    main()
