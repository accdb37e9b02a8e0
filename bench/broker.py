"""A list that the broker of clouds answers: many requests over many connections, and one worker killed meanwhile.

python bench/broker.py [TARGET] [--path PATH] [--rounds N] [--write]
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from figures import HERE, arguments, machine
from memory import family, proportional
from stacks import BIN

from servers import Ask, Server, milliseconds, tool

FEW, MANY = (10_000, 100), (100_000, 1_000)
"""Requests, and how many at once: what the predecessor was measured with."""

KILLED_SECONDS = 6
"""How long the load lasts in whose middle a worker is killed."""

QUOTED = (
    ("Django's runserver", FEW, 85.3, ""),
    ("Django, uwsgi", FEW, 3.81, ""),
    ("Pecan", FEW, 3.18, ""),
    ("Django's runserver", MANY, None, "it dies"),
    ("Django, uwsgi", MANY, 37.3, "about 32 %"),
    ("Pecan", MANY, 35.3, "0"),
)
"""What the proposal to replace Django by Pecan reports, in seconds, from a machine of four cores."""

HEADING = """# The broker's list of cloud types

`{command}` on {machine}.

Two workers, `GET {path}`, {size} bytes of JSON; `ab` and the server share the cores.
The median of {rounds}; failed are those of all rounds: no answer, or none of 2xx. CPU is that of all processes of the server.

| apifold | requests, at once | seconds | requests/s | failed | p50, ms | p99, ms | longest, ms | CPU, us/request |
|---|---|---|---|---|---|---|---|---|
{loads}

What the proposal to replace Django by Pecan reports of its own three set-ups, on another machine of four cores; for scale, not
for comparison:

| before | requests, at once | seconds | requests/s | failed |
|---|---|---|---|---|
{quoted}

## A worker killed

{connections} kept connections of `wrk` for {seconds} s, every one of them with a request under way; `kill -9` of one worker in the
middle. Only what that worker had under way can be lost: at most one request for each connection that it held.

| | |
|---|---|
{killed}

## Memory

Proportional set size, MB. What connections need stays with a worker; requests must not make it grow. Another is the process that
does long work.

| | arbiter | workers | others |
|---|---|---|---|
{memory}
"""


@dataclass(frozen=True)
class Load:
    """What `ab` found: latencies in milliseconds, `cpu` in microseconds a request."""

    seconds: float
    rate: float
    failed: int
    p50: float
    p99: float
    longest: float
    cpu: float


def serve(target: str, home: Path, *, logged: bool) -> Server:
    """Two workers, everything else as it comes."""
    log = "--access-log" if logged else "--no-access-log"
    state = home / f"state{logged:d}"
    line = [str(BIN / "apifold"), "serve", target, "--listen", "127.0.0.1:{port}", "--workers", "2", log]
    return Server([*line, "--state", str(state)], home, {}, pinned=False)


def load(server: Server, path: str, amount: tuple[int, int], *, kept: bool) -> Load:
    """Ask so often, so many at once, over connections that are kept or new for each request."""
    requests, at_once = amount
    table = server.folder / "ab.csv"
    line = [
        "ab",
        "-q",
        "-r",
        "-l",
        "-n",
        str(requests),
        "-c",
        str(at_once),
        "-e",
        str(table),
        *(["-k"] if kept else []),
    ]
    before = server.cpu()
    done = subprocess.run([*line, f"http://127.0.0.1:{server.port}{path}"], capture_output=True, text=True, check=False)
    used = server.cpu() - before
    if done.returncode:
        raise SystemExit(f"{' '.join(line)}: {done.stderr or done.stdout}")

    def said(pattern: str) -> float:
        found = re.search(pattern, done.stdout)
        return float(found[1]) if found else 0.0

    cuts = dict(row.split(",") for row in table.read_text().splitlines()[1:])
    missing = requests - int(said(r"Complete requests:\s+(\d+)"))
    failed = missing + int(said(r"Failed requests:\s+(\d+)")) + int(said(r"Non-2xx responses:\s+(\d+)"))
    return Load(
        seconds=said(r"Time taken for tests:\s+([\d.]+)"),
        rate=said(r"Requests per second:\s+([\d.]+)"),
        failed=failed,
        p50=float(cuts["50"]),
        p99=float(cuts["99"]),
        longest=said(r"100%\s+(\d+)"),
        cpu=used / requests * 1e6,
    )


def middle(loads: list[Load]) -> Load:
    """The median of each figure, and all that failed."""
    names = [name for name in Load.__annotations__ if name != "failed"]
    medians = {name: statistics.median(getattr(one, name) for one in loads) for name in names}
    return Load(**medians, failed=sum(one.failed for one in loads))


def kill_one(server: Server, path: str, at_once: int) -> list[tuple[str, str]]:
    """Load, with the worker that holds the most connections killed in the middle."""
    lost: dict[str, int] = {}

    def strike() -> None:
        time.sleep(KILLED_SECONDS / 2)
        held = {pid: connections(pid) for pid in family(server.process.pid)[1:]}
        lost["pid"] = max(held, key=held.__getitem__)
        lost["held"] = held[lost["pid"]]
        subprocess.run(["kill", "-9", str(lost["pid"])], check=True)

    striker = threading.Thread(target=strike)
    striker.start()
    line = [tool("wrk"), "-t2", f"-c{at_once}", f"-d{KILLED_SECONDS}s", "--latency"]
    found = subprocess.run(
        [*line, f"http://127.0.0.1:{server.port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    striker.join()
    errors = dict(re.findall(r"(connect|read|write|timeout) (\d+)", found))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", found)
    slow = re.search(r"\n\s+99%\s+(\S+)", found)[1]
    return [
        ("requests answered", re.search(r"(\d+) requests in", found)[1]),
        ("connections that the killed worker held", str(lost["held"])),
        ("requests lost", str(sum(int(errors.get(kind, 0)) for kind in ("read", "write")))),
        ("connections refused", errors.get("connect", "0")),
        ("answers later than 2 s", errors.get("timeout", "0")),
        ("answers that were none of 2xx", refused[1] if refused else "0"),
        ("p99, ms", f"{milliseconds(slow):.1f}"),
        ("its place is taken by another", "yes" if replaced(server, lost["pid"]) else "no"),
    ]


def replaced(server: Server, killed: int) -> bool:
    """Whether there are as many processes as before, without that one."""
    time.sleep(2)
    now = family(server.process.pid)
    return killed not in now and server.ask(Ask("GET", "/-/ready"))[0] == 200 and len(now) >= 3


def connections(pid: int) -> int:
    """How many connections of clients a process holds: its sockets that are established."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.update(re.findall(r"socket:\[(\d+)\]", str(link.readlink())))
        except OSError:
            continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "01" and row[9] in inodes for row in rows)


def memory(server: Server) -> str:
    """What the arbiter, its two workers, and other children use, as the end of a row."""
    arbiter, *children = family(server.process.pid)
    serving = set(listeners(children))
    used = {pid: proportional(pid) / 1e6 for pid in (arbiter, *children)}
    workers = " + ".join(f"{used[pid]:.1f}" for pid in children if pid in serving)
    others = sum(used[pid] for pid in children if pid not in serving)
    return f"{used[arbiter]:.1f} | {workers} | {others:.1f}"


def listeners(pids: list[int]) -> list[int]:
    """Those processes that hold a listening socket."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    return [pid for pid in pids if any(str(link.readlink()) in listening for link in Path(f"/proc/{pid}/fd").iterdir())]


def told(name: str, amount: tuple[int, int], one: Load) -> str:
    requests, at_once = amount
    return (
        f"| {name} | {requests:,}, {at_once:,} | {one.seconds:.2f} | {one.rate:,.0f} | {one.failed} "
        f"| {one.p50:.1f} | {one.p99:.1f} | {one.longest:.0f} | {one.cpu:.0f} |"
    )


def quoted(name: str, amount: tuple[int, int], seconds: float | None, failed: str) -> str:
    requests, at_once = amount
    pace = f"{seconds:g} | {requests / seconds:,.0f}" if seconds else " | "
    return f"| {name} | {requests:,}, {at_once:,} | {pace} | {failed} |"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("target", nargs="?", default="multicloud", help="what is served")
    parser.add_argument("--path", default="/api/multicloud/v0/vim_types", help="what is asked for: a JSON list")
    parser.set_defaults(rounds=3)
    chosen = parser.parse_args()
    if not shutil.which("ab"):
        raise SystemExit("ab is missing: sudo apt-get install apache2-utils")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a connection is a file, here and in the server
    loads, used, killed = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for logged in (False, True):
            with serve(chosen.target, Path(folder), logged=logged) as server:
                status, body = server.ask(Ask("GET", chosen.path))
                if status != 200 or not isinstance(json.loads(body), list):
                    raise SystemExit(f"GET {chosen.path} answers {status}: {body[:300]!r}")
                load(server, chosen.path, FEW, kept=True)
                after = ", with an access log" if logged else ""
                used.append(f"| after {FEW[0]:,} requests{after} | {memory(server)} |")
                asked = FEW[0]
                for amount in (FEW, MANY):
                    for kept in (False, True):
                        if logged and not kept:
                            continue
                        name = f"{'kept connections' if kept else 'a connection for each request'}{after}"
                        found = [load(server, chosen.path, amount, kept=kept) for _ in range(chosen.rounds)]
                        asked += amount[0] * chosen.rounds
                        loads.append(told(name, amount, middle(found)))
                        used.append(f"| after {asked:,}{after} | {memory(server)} |")
                if not logged:
                    killed = kill_one(server, chosen.path, MANY[1])
    text = HEADING.format(
        command=command(chosen),
        machine=machine(),
        path=chosen.path,
        size=len(body),
        rounds="one round" if chosen.rounds == 1 else f"{chosen.rounds} rounds",
        loads="\n".join(loads),
        quoted="\n".join(quoted(*one) for one in QUOTED),
        connections=f"{MANY[1]:,}",
        seconds=KILLED_SECONDS,
        killed="\n".join(f"| {name} | {value} |" for name, value in killed),
        memory="\n".join(used),
    )
    print(text)
    if chosen.write:
        (HERE / "results" / "broker.md").write_text(text, "utf-8")


def command(chosen: object) -> str:
    """The command that makes the same again."""
    other = [chosen.target] if chosen.target != "multicloud" else []
    asked = ["--path", chosen.path] if other else []
    return " ".join(["python bench/broker.py", *other, *asked, f"--rounds {chosen.rounds}"])


if __name__ == "__main__":
    main()
