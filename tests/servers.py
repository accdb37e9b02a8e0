"""Real server processes for tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

APIFOLD = str(Path(sys.executable).with_name("apifold"))


def free_port() -> int:
    """A port that nobody has, below the range that the system gives to clients."""
    chance = Random()
    for _ in range(200):
        port = chance.randrange(20000, 32000)
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Server:
    """A server process and its address."""

    process: subprocess.Popen
    port: int
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body=None, headers=None, timeout: float = 10) -> Reply:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            sent = dict(headers or {})
            if isinstance(body, dict | list):
                body = json.dumps(body).encode()
                sent.setdefault("content-type", "application/json")
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def get(self, path: str, **more) -> Reply:
        return self.request("GET", path, **more)

    def wait(self, seconds: float = 20) -> None:
        """Until it answers."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                if self.get("/-/ready", timeout=1).status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.03)
        raise AssertionError(f"it does not answer:\n{self.log.read_text()}")

    def workers(self) -> list[int]:
        """The worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, seconds: float = 10) -> int:
        """Stop it gracefully; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode


def until(condition, seconds: float = 10, message: str = "it did not happen"):
    """Wait for something to hold; what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.03)
    raise AssertionError(message)


@pytest.fixture
def server(tmp_path_factory):
    """Starts `apifold COMMAND ...` on a free port, waits until it answers, and stops it at the end."""
    started = []

    def start(*arguments, command: str = "serve", wait: bool = True, environment=None, port: int = 0) -> Server:
        folder = tmp_path_factory.mktemp("server")
        port = port or free_port()
        log = folder / "log"
        line = [
            APIFOLD,
            command,
            *map(str, arguments),
            "--listen",
            f"127.0.0.1:{port}",
            *(() if "--state" in arguments else ("--state", str(folder / "state"))),
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                line, stdout=out, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, **(environment or {})}
            )
        started.append(Server(process, port, log))
        if wait:
            started[-1].wait()
        return started[-1]

    yield start
    for one in started:
        one.stop()
