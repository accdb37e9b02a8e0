"""HTTP on a socket, in this process: pipelining, limits, time-outs, and nothing hostile that works."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from apifold import Response, Settings
from apifold.errors import Malformed
from apifold.http import Request
from apifold.server.edge import edge
from apifold.server.hub import Hub
from apifold.server.protocol import HttpProtocol


async def answer(request: Request) -> Response:
    """A tiny application: echo, sleep, stream, fail."""
    name = request.path.split("/")[1]
    if name == "pieces":
        sizes = []
        try:
            async for piece in request.chunks():
                sizes.append(len(piece))
                await asyncio.sleep(0.01 if request.query == "slowly" else 0)
        except Malformed as fault:
            return Response(400, fault.detail.encode())
        return Response(200, json.dumps([len(sizes), sum(sizes)]).encode())
    if name == "pieces-late":
        await asyncio.sleep(0.5)
        with suppress(Malformed):
            return Response(200, str(sum([len(piece) async for piece in request.chunks()])).encode())
        return Response(400, b"broke off")
    if name == "pieces-unread":
        await asyncio.sleep(0.1)
        return Response(200, b"unread")
    if name == "bodiless":
        return Response(204, pieces(2))
    if name == "pieces-refused":
        return Response(401, b"no")
    if name == "sleep":
        await asyncio.sleep(0.05)
    if name == "timeout":
        await asyncio.get_running_loop().create_task(asyncio.wait_for(asyncio.sleep(0), 1))
    if name == "fail":
        raise RuntimeError("outside of the application")
    if name == "stream":
        return Response(200, pieces(3))
    if name == "cut":
        return Response(200, pieces(2, fail=True))
    if name == "lists":
        return Response(200, b"x", [["X-A", "1"], ["X-B", "2"]])
    if name == "mixed":
        return Response(200, b"x", (["X-A", "1"], ("X-B", "2")))
    if name == "split":
        return Response(200, b"x", (("X-Bad", "a\r\nX-Evil: 1"), ("X-Good", "b")))
    body = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "body": request.body.decode("latin-1"),
        "headers": request.headers,
    }
    return Response(200, json.dumps(body).encode(), (("Content-Type", "application/json"),))


async def pieces(count, *, fail=False):
    for number in range(count):
        await asyncio.sleep(0.001)
        yield b"piece %d\n" % number
    if fail:
        raise RuntimeError("half way")


@asynccontextmanager
async def listening(around=None, **changes):
    """A server in this loop, and its port."""
    chosen = Settings(
        **{"header_timeout": 0.3, "body_timeout": 0.3, "idle_timeout": 0.5, "max_body_bytes": 100_000, **changes}
    )
    loop = asyncio.get_running_loop()
    pieces = lambda request: request.path.startswith("/pieces")  # noqa: E731
    hub = Hub(edge(answer, chosen) if around else answer, chosen, loop, pieces)
    server = await loop.create_server(lambda: HttpProtocol(hub), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], hub
    finally:
        server.close()
        await hub.drain(0.2)
        await server.wait_closed()


async def exchange(port, *parts, pause=0.0, half_close=False):
    """Send bytes, part by part, and read until the server closes or is quiet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if half_close:
            with suppress(OSError):  # the server may have closed already
                writer.write_eof()
        while True:
            try:
                read = await asyncio.wait_for(reader.read(65536), 1.5)
            except TimeoutError:
                return found, False
            if not read:
                return found, True
            found += read
    except ConnectionError:
        return found, True
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def talk(*parts, pause=0.0, half_close=False, around=None, **changes):
    async def run():
        async with listening(around, **changes) as (port, _):
            return await exchange(port, *parts, pause=pause, half_close=half_close)

    return asyncio.run(run())


def statuses(raw):
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", raw)]


GET = b"GET /echo?a=1 HTTP/1.1\r\nHost: h\r\nA: 1\r\na: 2\r\nCookie: x=1\r\nCookie: y=2\r\n%b\r\n"
LAST = b"Connection: close\r\n"


def test_a_request_arrives_as_it_was_sent():
    raw, closed = talk(GET % LAST)
    head, _, body = raw.partition(b"\r\n\r\n")
    echoed = json.loads(body)
    assert (echoed["method"], echoed["path"], echoed["query"]) == ("GET", "/echo", "a=1")
    assert (echoed["headers"]["a"], echoed["headers"]["cookie"]) == ("1, 2", "x=1; y=2")
    assert b"Content-Length: %d" % len(body) in head
    assert b"Date: " in head
    assert closed


def test_requests_in_one_piece_are_answered_in_order():
    one = b"GET /sleep/%d HTTP/1.1\r\nHost: h\r\n\r\n"
    fast = b"GET /fast/%d HTTP/1.1\r\nHost: h\r\n\r\n"
    raw, _ = talk(one % 1 + fast % 2 + one % 3 + fast % 4 + GET % LAST)
    bodies = [json.loads(part.split(b"HTTP/1.1")[0]) for part in raw.split(b"\r\n\r\n")[1:]]
    assert [body["path"] for body in bodies] == ["/sleep/1", "/fast/2", "/sleep/3", "/fast/4", "/echo"]


POST = b"POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.lists(some.integers(1, len(POST) - 1), max_size=12).map(sorted))
def test_a_request_means_the_same_however_it_is_cut(cuts):
    parts = [POST[start:end] for start, end in zip([0, *cuts], [*cuts, len(POST)], strict=True)]
    raw, _ = talk(*(part for part in parts if part))
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["body"] == "hello world"


def test_byte_by_byte():
    raw, _ = talk(*(POST[index : index + 1] for index in range(len(POST))), header_timeout=5, body_timeout=5)
    assert statuses(raw) == [200]


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n continued\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA: b\x00c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
        b"GET nothing HTTP/1.1\r\nHost: h\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
    ],
)
def test_what_could_be_read_two_ways_is_refused(raw):
    found, closed = talk(raw + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
    assert statuses(found)[:1] in ([400], [413]), found
    assert b"smuggled" not in found
    assert closed


def test_limits_have_their_statuses():
    assert statuses(talk(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n")[0]) == [413]
    assert statuses(
        talk(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"c350\r\n"
            + b"x" * 50000
            + b"\r\n"
            + b"c351\r\n"
            + b"x" * 50001
            + b"\r\n"
        )[0]
    ) == [413]
    assert statuses(talk(b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 40000 + b"\r\n\r\n")[0]) == [431]
    assert statuses(talk(b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 100000)[0]) == [431]
    assert statuses(talk(b"GET /" + b"x" * 40000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")[0]) == [414]


def test_the_slow_are_not_waited_for():
    assert statuses(talk(b"GET / HT")[0]) == [408]
    raw, closed = talk(*(bytes([byte]) for byte in b"GET / HTTP"), pause=0.1)
    assert (200 in statuses(raw), closed) == (False, True)
    assert statuses(talk(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")[0]) == [408]
    raw, closed = talk(GET % b"")
    assert (statuses(raw), closed) == ([200], True), "an idle connection is closed"


def test_a_request_that_begins_behind_another_has_its_time_too():
    for path in (b"/sleep", b"/fast"):
        raw, closed = talk(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\nGET /next HT" % path, idle_timeout=60)
        assert (statuses(raw), closed) == ([200, 408], True)


def test_a_client_that_asks_first_is_told_to_go_on():
    ask = b"POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    raw, _ = talk(ask, b"hello", pause=0.05)
    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert statuses(talk(ask.replace(b": 5", b": 500000"))[0]) == [413]


def test_head_has_the_length_and_no_body():
    raw, _ = talk(b"HEAD /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b""
    assert b"Content-Length: " in head


def test_an_old_client_is_answered_and_let_go():
    raw, closed = talk(b"GET /stream HTTP/1.0\r\n\r\n")
    assert raw.endswith(b"piece 0\npiece 1\npiece 2\n")
    assert b"chunked" not in raw
    assert closed


def test_a_stream_comes_in_chunks():
    raw, _ = talk(b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n" + GET % LAST)
    assert raw.count(b"8\r\npiece ") == 3
    assert statuses(raw) == [200, 200]


def test_a_stream_that_fails_is_cut_off():
    raw, closed = talk(b"GET /cut HTTP/1.1\r\nHost: h\r\n\r\n")
    assert closed
    assert not raw.endswith(b"0\r\n\r\n")


def test_a_header_can_not_be_split():
    raw, _ = talk(b"GET /split HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"X-Evil" not in raw
    assert b"X-Good: b" in raw


@pytest.mark.parametrize("name", ["lists", "mixed"])
def test_headers_may_come_as_any_pairs(name):
    raw, _ = talk(b"GET /%b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % name.encode())
    assert statuses(raw) == [200]
    assert b"X-A: 1\r\nX-B: 2\r\n" in raw


def test_a_failure_outside_of_the_application_is_a_500():
    raw, closed = talk(b"GET /fail HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (statuses(raw), closed) == ([500], True)
    assert b"outside" not in raw


def test_what_needs_a_task_has_one():
    assert statuses(talk(b"GET /timeout HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")[0]) == [200]


def test_a_client_that_sends_no_more_still_gets_its_answer():
    raw, _ = talk(b"GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n", half_close=True)
    assert statuses(raw) == [200]


def test_absolute_targets_and_upgrades_are_answered_plainly():
    raw, _ = talk(b"GET http://other/echo?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["path"] == "/echo"
    raw, closed = talk(b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert (statuses(raw), closed) == ([200], True)


def test_one_connection_too_many_is_told():
    async def run():
        async with listening(max_connections=2) as (port, _):
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await asyncio.sleep(0.05)
            raw, closed = await exchange(port, GET % b"")
            for _, writer in held:
                writer.close()
            return statuses(raw), closed

    assert asyncio.run(run()) == ([503], True)


def test_a_drain_lets_what_runs_finish():
    async def run():
        async with listening() as (port, hub):
            running = asyncio.create_task(exchange(port, b"GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n"))
            idle = asyncio.create_task(exchange(port, GET % b""))
            await asyncio.sleep(0.03)
            await hub.drain(0.4)
            return await running, await idle

    (raw, closed), (_, idle_closed) = asyncio.run(run())
    assert (statuses(raw), closed, idle_closed) == ([200], True, True)
    assert b"Connection: close" in raw


# What stands between socket and application


def edged(head, **changes):
    raw, _ = talk(head, around=True, **changes)
    head, _, body = raw.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return int(head.split()[1]), {name.lower(): value for name, value in headers.items()}, body


def get(*headers, method="GET", path="/echo"):
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{lines}\r\n".encode()


def test_each_request_has_an_id():
    ids = {edged(get())[1]["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert edged(get("X-Request-Id: mine"))[1]["x-request-id"] != "mine"
    trusted = {"trusted_proxies": ("127.0.0.1",)}
    assert edged(get("X-Request-Id: mine"), **trusted)[1]["x-request-id"] == "mine"
    assert edged(get("X-Request-Id: not {good}"), **trusted)[1]["x-request-id"] != "not {good}"


def test_proxies_are_believed_only_when_they_are_trusted():
    from apifold.server.forwarded import Forwarded

    def seen(trusted, client="10.0.0.1", **headers):
        request = Request(
            "GET",
            "/",
            headers={"host": "inner", **{name.replace("_", "-"): value for name, value in headers.items()}},
            client=client,
        )
        Forwarded(trusted).around(lambda _: Response())(request)
        return request.client, request.scheme, request.host, request.prefix

    told = {
        "x_forwarded_for": "1.1.1.1, 2.2.2.2, 10.0.0.2",
        "x_forwarded_proto": "https",
        "x_forwarded_host": "outer",
        "x_forwarded_prefix": "/api",
    }
    assert seen(("192.168.0.0/16",), **told) == ("10.0.0.1", "http", "inner", "")
    assert seen(("10.0.0.0/8",), **told) == ("2.2.2.2", "https", "outer", "/api")
    assert seen(("10.0.0.0/8",), forwarded='for=1.1.1.1;proto=http, for="3.3.3.3";proto=https;host=outer') == (
        "3.3.3.3",
        "https",
        "outer",
        "",
    )
    assert seen(("10.0.0.0/8",), x_forwarded_prefix="//evil", x_forwarded_host="a b", x_forwarded_proto="gopher") == (
        "10.0.0.1",
        "http",
        "inner",
        "",
    )


def test_pages_of_other_origins_may_call_where_they_are_named():
    settings_ = {"cors_origins": ("https://app.example.org",)}
    status, headers, body = edged(
        get(
            "Origin: https://app.example.org",
            "Access-Control-Request-Method: PUT",
            "Access-Control-Request-Headers: X-A",
            method="OPTIONS",
        ),
        **settings_,
    )
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == "https://app.example.org"
    assert (headers["access-control-allow-methods"], headers["access-control-allow-headers"]) == ("PUT", "X-A")
    assert (
        edged(get("Origin: https://app.example.org"), **settings_)[1]["access-control-allow-origin"]
        == "https://app.example.org"
    )
    assert "access-control-allow-origin" not in edged(get("Origin: https://evil.example"), **settings_)[1]
    assert edged(get("Origin: https://any"), cors_origins=("*",))[1]["access-control-allow-origin"] == "*"
    with_credentials = edged(get("Origin: https://any"), cors_origins=("*",), cors_credentials=True)[1]
    assert with_credentials["access-control-allow-origin"] == "https://any"


def test_who_asks_too_often_is_told_when_to_come_back():
    async def run():
        async with listening(True, rate_limit="3/h") as (port, _):
            plain = [statuses((await exchange(port, get()))[0])[0] for _ in range(5)]
            other = await exchange(port, get("Authorization: Bearer x"))
            last = await exchange(port, get())
            return plain, statuses(other[0])[0], last[0]

    plain, other, last = asyncio.run(run())
    assert plain == [200, 200, 200, 429, 429]
    assert other == 200
    assert b"Retry-After: " in last


def test_larger_answers_are_compressed_for_those_who_take_it():
    import gzip

    big = get("Accept-Encoding: gzip", "X-Big: " + "x" * 2000)
    status, headers, body = edged(big, compression=True)
    assert (status, headers["content-encoding"], headers["vary"]) == (200, "gzip", "Accept-Encoding")
    assert json.loads(gzip.decompress(body))["path"] == "/echo"
    assert "content-encoding" not in edged(get("Accept-Encoding: gzip"), compression=True)[1]
    assert (
        "content-encoding" not in edged(get("Accept-Encoding: gzip;q=0", "X-Big: " + "x" * 2000), compression=True)[1]
    )
    assert "content-encoding" not in edged(big)[1]


def post(path, size, *more):
    return f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n{''.join(more)}\r\n".encode()


LARGE = 2_000_000


def test_a_large_body_is_handed_on_as_it_comes_and_the_connection_is_kept():
    raw, closed = talk(post("/pieces", LARGE), bytes(LARGE), post("/pieces", 10), b"0123456789", GET % LAST)
    assert (statuses(raw), closed) == ([200, 200, 200], True)
    assert b", 2000000]" in raw
    assert b"[1, 10]" in raw


def test_a_client_waits_for_who_takes_its_body_slowly():
    raw, _ = talk(post("/pieces?slowly", LARGE, "Connection: close\r\n"), bytes(LARGE))
    assert b", 2000000]" in raw


def test_a_body_that_does_not_go_on_or_breaks_off_is_told():
    raw, closed = talk(post("/pieces", LARGE), b"some")
    assert (statuses(raw), closed) == ([400], True)
    assert b"broke off" in raw
    assert talk(post("/pieces", LARGE)) == (b"", True) or statuses(raw) == [400]


def test_who_is_refused_need_not_send_his_body():
    raw, closed = talk(post("/pieces-refused", LARGE, "Expect: 100-continue\r\n"))
    assert (statuses(raw), closed) == ([401], True)
    raw, _ = talk(post("/pieces", LARGE, "Expect: 100-continue\r\n", "Connection: close\r\n"), bytes(LARGE), pause=0.05)
    assert statuses(raw) == [100, 200]


def test_a_body_in_pieces_waits_for_the_answers_before_it():
    raw, _ = talk(
        b"GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n" + post("/pieces", 70_000, "Connection: close\r\n") + bytes(70_000)
    )
    assert statuses(raw) == [200, 200]


def test_a_trailer_is_no_header_of_anybody():
    chunked = b"POST /pieces HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    evil = b"0\r\nAuthorization: Bearer evil\r\nX-Evil: 1\r\n\r\n"
    for first in (chunked, chunked.replace(b"/pieces", b"/echo")):
        raw, _ = talk(first + b"3\r\nabc\r\n" + evil, GET % LAST, pause=0.05)
        assert statuses(raw) == [200, 200]
        assert b"evil" not in raw


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_what_has_no_body_has_none_however_it_is_made(method):
    raw, _ = talk(method + b" /bodiless HTTP/1.1\r\nHost: h\r\n\r\n" + GET % LAST)
    assert statuses(raw) == [204, 200]
    assert b"piece" not in raw
    assert b"Transfer-Encoding" not in raw


def test_an_upload_that_stalls_while_nobody_reads_is_told_later():
    raw, closed = talk(post("/pieces-late", LARGE), b"some")
    assert (statuses(raw), closed) == ([400], True)
    raw, closed = talk(post("/pieces-late", LARGE), b"some", half_close=True)
    assert (statuses(raw), closed) == ([400], True)


def test_an_upload_that_nobody_reads_does_not_stop_the_connection():
    just_full = 256 * 1024 + 6  # the last piece is the one that is too many
    raw, _ = talk(post("/pieces-unread", just_full), bytes(just_full), GET % LAST, pause=0.05)
    assert statuses(raw) == [200, 200]


def test_who_still_sends_gets_to_read_the_answer():
    raw, closed = talk(post("/pieces-unread", LARGE), bytes(LARGE))
    assert (statuses(raw), closed) == ([200], True)


def test_nothing_is_done_behind_an_answer_that_closes():
    early = post("/pieces-refused", LARGE)
    raw, closed = talk(early + GET % LAST)
    assert (statuses(raw), closed) == ([401], True)
