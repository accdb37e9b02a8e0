"""Server processes under measurement: started, asked, loaded with wrk, and what their process trees used."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from memory import family, proportional

SERVER_CORE, CLIENT_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What wrk found, and what it cost the server: `cpu` in microseconds a request, latencies in milliseconds."""

    cpu: float
    rate: float
    p50: float
    p99: float
    requests: int
    failed: int


@dataclass(frozen=True)
class Ask:
    """One kind of request."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Server:
    """A server process of its own group, on a free port, on one core.

    Args:
        line: its command; `{port}` stands for the port.
        folder: where it runs.
        environment: beside the benchmark's own.
        pinned: to one core; the load comes from another.
    """

    def __init__(self, line: list[str], folder: Path, environment: dict[str, str], *, pinned: bool = True) -> None:
        self.port = free_port()
        self.line = [str(part).replace("{port}", str(self.port)) for part in line]
        if pinned and (os.cpu_count() or 1) > 1:
            self.line = ["taskset", "-c", SERVER_CORE, *self.line]
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.log = folder / f"{self.port}.log"
        self.seconds = 0.0

    def __enter__(self) -> Server:
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.line, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        while not self._listens():
            if self.process.poll() is not None or time.perf_counter() - began > 60:
                self.__exit__()
                raise SystemExit(f"{' '.join(self.line)} does not serve:\n{self.log.read_text()}")
            time.sleep(0.005)
        self.seconds = time.perf_counter() - began
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ask(self, ask: Ask) -> tuple[int, bytes]:
        """Status and body of one request."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(ask.method, ask.path, ask.body or None, dict(ask.headers))
            answer = connection.getresponse()
            return answer.status, answer.read()

    def load(self, ask: Ask, seconds: int, connections: int = 32) -> Load:
        """Ask as often as it answers, for so many seconds."""
        script = self.folder / f"{self.port}.lua"
        script.write_text(lua(ask))
        line = [tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
        if (os.cpu_count() or 1) > 1:
            line = ["taskset", "-c", CLIENT_CORE, *line]
        before = self.cpu()
        found = subprocess.run(
            [*line, f"http://127.0.0.1:{self.port}{ask.path}"], capture_output=True, text=True, check=True
        ).stdout
        used = self.cpu() - before
        requests = int(re.search(r"(\d+) requests in", found)[1])
        bad = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", found)))
        return Load(
            cpu=used / max(1, requests) * 1e6,
            rate=float(re.search(r"Requests/sec:\s+([\d.]+)", found)[1]),
            p50=milliseconds(re.search(r"\n\s+50%\s+(\S+)", found)[1]),
            p99=milliseconds(re.search(r"\n\s+99%\s+(\S+)", found)[1]),
            requests=requests,
            failed=bad,
        )

    def cpu(self) -> float:
        """Seconds of user and system time of the whole process tree, those that ended and were waited for included."""
        return sum(_cpu(pid) for pid in family(self.process.pid))

    def memory(self) -> list[int]:
        """Proportional set size of each process, in bytes."""
        return [proportional(pid) for pid in family(self.process.pid)]

    def _listens(self) -> bool:
        try:
            self.ask(Ask("GET", "/nothing/here"))
        except (OSError, http.client.HTTPException):
            return False
        return True


def tool(name: str) -> str:
    """The path of a program.

    Raises:
        SystemExit: it is not installed.
    """
    found = shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is missing: sudo apt-get install {name}")
    return found


def lua(ask: Ask) -> str:
    """wrk's script for a request."""
    headers = "".join(f"wrk.headers[{_quoted(name)}] = {_quoted(value)}\n" for name, value in ask.headers)
    return f"wrk.method = {_quoted(ask.method)}\n{headers}wrk.body = {_quoted(ask.body.decode())}\n"


def milliseconds(text: str) -> float:
    """wrk's `1.23ms`, `850.00us`, `1.10s`."""
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _quoted(text: str) -> str:
    """Text as Lua reads it back."""
    return '"' + "".join(c if c.isalnum() or c in " -_/:." else f"\\{ord(c):03d}" for c in text) + '"'


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS
