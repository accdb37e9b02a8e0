"""The same application on three servers, ours, uvicorn and granian: one suite over what HTTP asks of each."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.servers import APIFOLD, Server, free_port

pytestmark = pytest.mark.process

API = """
openapi: 3.1.0
info: {title: T, version: "1"}
servers: [{url: /t}]
x-apifold: {handlers: handlers, inline: true, unknown: reject}
paths:
  /echo:
    get: {operationId: echo, responses: {"200": {description: ok}}}
    delete: {operationId: nothing, responses: {"204": {description: done}}}
    post:
      operationId: echo_body
      requestBody: {required: true, content: {application/octet-stream: {}}}
      responses: {"200": {description: ok}}
  /pieces:
    post:
      operationId: count_pieces
      x-apifold: {stream: true}
      requestBody: {required: true, content: {application/octet-stream: {}}}
      responses: {"200": {description: ok}}
  /items/{name}:
    get:
      operationId: item
      parameters: [{name: name, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: ok}}
  /stream/{count}:
    get:
      operationId: stream
      parameters: [{name: count, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: ok}}
  /async: {get: {operationId: wait, responses: {"200": {description: ok}}}}
  /threaded: {get: {operationId: block, x-apifold: {inline: false}, responses: {"200": {description: ok}}}}
"""
HANDLERS = """
import asyncio
import hashlib
import time

from apifold import Response


def echo(request):
    return {"query": request.query, "headers": request.headers}


def nothing():
    return None


def echo_body(body):
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


async def count_pieces(request):
    digest, length = hashlib.sha256(), 0
    async for piece in request.chunks():
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}


def item(name):
    return {"name": name}


def stream(count):
    async def pieces():
        for number in range(count):
            await asyncio.sleep(0)
            yield b"piece %d;" % number

    return Response(200, pieces(), (("Content-Type", "text/plain"),))


async def wait():
    async with asyncio.timeout(5):
        await asyncio.sleep(0.01)
    return {"waited": True}


def block():
    time.sleep(0.02)
    return {"blocked": True}
"""
HOSTED = """
import apifold

app = apifold.App(__name__, settings=apifold.Settings(max_body_bytes=200_000))
app.add_api("api.yaml")
"""


def command(host: str, port: int, state: Path) -> list[str]:
    binary = str(Path(APIFOLD).with_name(host))
    if host == "uvicorn":
        return [binary, "hosted:app", "--port", str(port), "--log-level", "warning"]
    if host == "granian":
        line = [binary, "--interface", "asgi", "hosted:app", "--port", str(port), "--workers", "1"]
        return [*line, "--no-access-log", "--respawn-failed-workers"]
    line = [APIFOLD, "serve", "api.yaml", "--listen", f"127.0.0.1:{port}", "--workers", "1", "--no-access-log"]
    return [*line, "--max-body-bytes", "200000", "--state", str(state)]


@pytest.fixture(scope="module", params=["apifold", "uvicorn", "granian"])
def host(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "api.yaml").write_text(API)
    (folder / "handlers.py").write_text(HANDLERS)
    (folder / "hosted.py").write_text(HOSTED)
    port = free_port()
    log = folder / "log"
    with log.open("wb") as out:
        line = command(request.param, port, folder / "state")
        process = subprocess.Popen(line, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
    server = Server(process, port, log)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def talk(host: Server, *parts: bytes) -> bytes:
    """Send bytes, then read until the server closes."""
    with closing(socket.create_connection(("127.0.0.1", host.port), 10)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


def statuses(raw: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", raw)]


def get(path: str, *headers: str, close: bool = True, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: h", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_kept_connection_answers_one_request_after_the_other(host):
    raw = talk(host, get("/t/items/a", close=False), get("/t/items/b", close=False), get("/t/items/c"))
    assert statuses(raw) == [200, 200, 200]
    assert re.findall(rb'"name":"(.)"', raw) == [b"a", b"b", b"c"]


def test_pipelined_requests_are_answered_in_order(host):
    names = [f"n{number}" for number in range(50)]
    paths = [f"/t/items/{name}" if number % 3 else "/t/threaded" for number, name in enumerate(names)]
    raw = talk(host, b"".join(get(path, close=False) for path in paths) + get("/t/async"))
    assert statuses(raw) == [200] * 51
    answered = re.findall(rb'"(?:name":"(\w+)|blocked)"', raw)
    assert answered == [names[number].encode() if number % 3 else b"" for number in range(50)]


@pytest.mark.parametrize("path", ["/t/echo", "/t/async", "/t/threaded"])
def test_every_kind_of_handler_is_served_side_by_side(host, path):
    with ThreadPoolExecutor(8) as pool:
        assert {reply.status for reply in pool.map(lambda _: host.get(path), range(40))} == {200}


BODY = bytes(range(256)) * 300
CHUNKED = b"POST /t/echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def digest(body: bytes) -> dict:
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def sent_in_chunks(body: bytes, size: int, path: str = "/t/echo") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return (
        CHUNKED.replace(b"/t/echo", path.encode())
        + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        + b"0\r\n\r\n"
    )


@pytest.mark.parametrize("size", [1000, 7777, 70_000])
def test_a_body_comes_whole_in_chunks(host, size):
    raw = talk(host, sent_in_chunks(BODY, size))
    assert json.loads(raw.partition(b"\r\n\r\n")[2]) == digest(BODY)


@settings(max_examples=15)
@given(cuts=some.lists(some.integers(1, 400), max_size=8).map(sorted), size=some.integers(1, 90))
def test_a_request_means_the_same_however_it_is_cut(host, cuts, size):
    body = BODY[:150]
    whole = sent_in_chunks(body, size)
    bounds = [0, *(cut for cut in cuts if cut < len(whole)), len(whole)]
    parts = [whole[start:end] for start, end in pairwise(bounds) if start < end]
    assert json.loads(talk(host, *parts).partition(b"\r\n\r\n")[2]) == digest(body)


def test_a_client_that_asks_first_may_go_on(host):
    head = get(
        "/t/echo", "Content-Type: application/octet-stream", "Content-Length: 2", "Expect: 100-continue", method="POST"
    )
    with closing(socket.create_connection(("127.0.0.1", host.port), 10)) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"{}")
        found = b""
        while piece := connection.recv(1000):
            found += piece
    assert statuses(found) == [200]


def test_head_is_get_without_its_body(host):
    raw = talk(host, get("/t/items/a", method="HEAD"))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert (statuses(head), body) == ([200], b"")
    assert b"content-length: 12" in head.lower()


def test_no_content_has_none(host):
    raw = talk(host, get("/t/echo", method="DELETE", close=False), get("/t/items/a"))
    assert statuses(raw) == [204, 200]
    assert b"content-length" not in raw.partition(b"\r\n\r\n")[0].lower()


def test_a_stream_comes_in_chunks_and_keeps_the_connection(host):
    raw = talk(host, get("/t/stream/200", close=False), get("/t/items/last"))
    assert statuses(raw) == [200, 200]
    assert b"transfer-encoding: chunked" in raw.lower()
    assert re.findall(rb"piece (\d+);", raw) == [b"%d" % number for number in range(200)]
    assert b'"name":"last"' in raw


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_in_pieces_has_no_limit(host, size, chunked):
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    if chunked:
        raw = talk(host, sent_in_chunks(body, 50_000, "/t/pieces"))
    else:
        raw = talk(
            host, get("/t/pieces", f"Content-Length: {size}", close=False, method="POST"), body, get("/t/items/next")
        )
        assert statuses(raw) == [200, 200]
    assert hashlib.sha256(body).hexdigest().encode() in raw
    assert b'"length":%d' % size in raw


def test_a_body_past_the_limit_is_refused_before_it_is_read(host):
    head = get("/t/echo", "Content-Type: application/octet-stream", "Content-Length: 900000000", method="POST")
    assert statuses(talk(host, head)) == [413]
    raw = talk(host, sent_in_chunks(bytes(400_000), 100_000)[:350_000])
    assert statuses(raw) == [413]


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: nothing\r\n\r\nabc",
        b"GET /t/echo HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n",
        b"NOT HTTP AT ALL\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_not_passed_on(host, raw):
    found = talk(host, raw + get("/t/items/smuggled"))
    assert statuses(found)[:1] in ([400], []), found
    assert b"smuggled" not in found


def test_requests_have_ids_faults_and_refusals(host):
    reply = host.get("/t/echo?unknown=1")
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert reply.json["errors"][0]["pointer"] == "/unknown"
    assert host.get("/t/nothing").status == 404
    assert host.request("PUT", "/t/echo").headers["allow"] == "DELETE, GET, HEAD, POST"
    assert len({host.get("/t/echo").headers["x-request-id"] for _ in range(5)}) == 5
    assert host.get("/t/openapi.json").json["servers"] == [{"url": "/t"}]
