"""The storage path, what each kind of handler costs, and what slow ones do to fast ones.

python bench/storage.py [--rounds N] [--write]
"""

from __future__ import annotations

import http.client
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from figures import arguments, machine, tell
from stacks import BIN

from apifold.store import Collection, CollectionSpec, open_database
from servers import Ask, Server

BODY = {"name": "host-1", "status": "up", "cores": 8, "labels": ["rack-1", "room-2"], "note": "A host as others are"}
READS, WRITES, CLIENTS, RATE, SECONDS = 20_000, 4_000, 8, 200, 5

SLOW = """
openapi: 3.1.0
info: {title: Slow and fast, version: "1"}
x-apifold: {handlers: handlers, validation: {response: "off"}}
paths:
  /fast: {get: {operationId: fast, x-apifold: {inline: true}, responses: {"200": {description: ok}}}}
  /async: {get: {operationId: suspending, responses: {"200": {description: ok}}}}
  /thread: {get: {operationId: threaded, responses: {"200": {description: ok}}}}
  /slow: {get: {operationId: slow, responses: {"200": {description: ok}}}}
"""
KINDS = {"`def`, `inline: true`": "/fast", "`async def`": "/async", "`def`, in a thread": "/thread"}
HANDLERS = """
import time

def fast():
    return {"fast": True}

threaded = fast

async def suspending():
    return {"fast": True}

def slow():
    time.sleep(0.05)
    return {"fast": False}
"""


def cost(work: Callable[[], object]) -> float:
    """CPU microseconds of one call."""
    began = time.process_time()
    for _ in range(READS):
        work()
    return (time.process_time() - began) / READS * 1e6


def reads(home: Path, rounds: int) -> list[tuple[str, float]]:
    """One row by its id: through a collection, and by hand; both give the document."""
    database = open_database(f"sqlite:///{home / 'documents.db'}")
    collection = Collection(database, "hosts", CollectionSpec())
    identifier = collection.create(BODY).id
    direct = sqlite3.connect(home / "documents.db", isolation_level=None)
    select = "SELECT body FROM apifold_documents WHERE collection = ? AND id = ?"

    def by_hand() -> object:
        return json.loads(direct.execute(select, ("hosts", identifier)).fetchone()[0])

    def row_only() -> object:
        return direct.execute(select, ("hosts", identifier)).fetchone()

    found = [(cost(row_only), cost(by_hand), cost(lambda: collection.read(identifier))) for _ in range(rounds)]
    database.close()
    return [
        ("one row by hand, us", statistics.median(one[0] for one in found)),
        ("one row by hand and its JSON decoded, us", statistics.median(one[1] for one in found)),
        ("one document from a collection, us", statistics.median(one[2] for one in found)),
        ("document / row by hand", statistics.median(one[2] / one[0] for one in found)),
    ]


def writes(home: Path) -> list[tuple[str, float]]:
    """A document stored, one after the other and many at once."""
    database = open_database(f"sqlite:///{home / 'written.db'}")
    collection = Collection(database, "hosts", CollectionSpec())
    collection.create(BODY)
    rows = []
    for threads in (1, 16):
        began = time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda _: collection.create(BODY), range(WRITES)):
                pass
        rows.append((f"one document stored, {threads} at once, us", (time.process_time() - began) / WRITES * 1e6))
    database.close()
    return rows


def served(home: Path, *, pinned: bool) -> Server:
    """A server of fast and slow operations."""
    folder = home / "apis"
    folder.mkdir(exist_ok=True)
    (folder / "openapi.yaml").write_text(SLOW)
    (folder / "handlers.py").write_text(HANDLERS)
    line = [str(BIN / "apifold"), "serve", str(folder), "--listen", "127.0.0.1:{port}", "--workers", "1"]
    return Server([*line, "--no-access-log", "--state", str(home / "state")], home, {}, pinned=pinned)


def kinds(home: Path, rounds: int) -> list[tuple[str, float]]:
    """CPU microseconds of a request, by how its handler runs."""
    with served(home, pinned=True) as server:
        found = {name: [server.load(Ask("GET", path), 1).cpu for _ in range(rounds)] for name, path in KINDS.items()}
    return [(f"a request, its handler {name}, us", statistics.median(costs)) for name, costs in found.items()]


def stall(home: Path) -> list[tuple[str, float]]:
    """Latency of a fast operation, alone and beside slow ones that block their threads, in ms."""
    with served(home, pinned=False) as server:
        alone = latencies(server.port)
        stop = threading.Event()
        slow = [threading.Thread(target=keep_asking, args=(server, stop)) for _ in range(CLIENTS)]
        for thread in slow:
            thread.start()
        beside = latencies(server.port)
        stop.set()
        for thread in slow:
            thread.join()
    rows = []
    for name, took in (("alone", alone), (f"beside {CLIENTS} that wait for 50 ms", beside)):
        cuts = statistics.quantiles(took, n=100)
        rows += [(f"fast operation {name}, p50, ms", cuts[49]), (f"fast operation {name}, p99, ms", cuts[98])]
    return rows


def keep_asking(server: Server, stop: threading.Event) -> None:
    while not stop.is_set():
        server.ask(Ask("GET", "/slow"))


def latencies(port: int) -> list[float]:
    took = []
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        for _ in range(RATE * SECONDS):
            time.sleep(1 / RATE)
            began = time.perf_counter()
            connection.request("GET", "/fast")
            assert connection.getresponse().read()
            took.append((time.perf_counter() - began) * 1000)
    return took


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = reads(Path(folder), chosen.rounds) + writes(Path(folder))
        rows += kinds(Path(folder), chosen.rounds) + stall(Path(folder))
    tell(
        "storage",
        f"# Storage, kinds of handlers, and slow beside fast\n\n`python bench/storage.py` on {machine()}.",
        rows,
        chosen.write,
    )


if __name__ == "__main__":
    main()
