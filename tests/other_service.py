"""Another service: a real HTTP server in a thread, which answers as a test tells it to and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Told:
    """How to answer: `drops` closes the connection instead, `pieces` come one by one."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drops: bool = False
    pieces: tuple[bytes, ...] = ()


class OtherService:
    """Answers `METHOD PATH` (without the query) with the answers it was given, the last of them for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, list[Told | Callable[[Asked], Told]]] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.rfile.read(length))
                service.asked.append(asked)
                self.write(service.told(asked))

            def write(self, told: Told) -> None:
                time.sleep(told.seconds)
                if told.drops:
                    self.close_connection = True
                    return
                body = (
                    b""
                    if told.body is None
                    else told.body
                    if isinstance(told.body, bytes)
                    else json.dumps(told.body).encode()
                )
                self.send_response(told.status)
                for name, value in {"Content-Type": "application/json", **told.headers}.items():
                    self.send_header(name, value)
                if told.pieces:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for piece in (*told.pieces, b""):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                        self.wfile.flush()
                        time.sleep(0.05)
                    return
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if self.command != "HEAD" else b"")

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 100

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def on(self, what: str, *answers: Any, **more: Any) -> None:
        """Answer `METHOD PATH` so: a body, a `Told`, or a function of what was asked; several one after the other."""
        given = answers or (None,)
        self.answers[what] = [
            one if isinstance(one, Told) or callable(one) else Told(body=one, **more) for one in given
        ]

    def told(self, asked: Asked) -> Told:
        answers = self.answers.get(f"{asked.method} {asked.path.partition('?')[0]}")
        if not answers:
            return Told(404, {"error": {"message": "nothing here"}})
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        return told(asked) if callable(told) else told

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def other():
    """Another service."""
    service = OtherService()
    yield service
    service.close()
