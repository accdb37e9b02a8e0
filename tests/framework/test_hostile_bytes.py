"""Bytes that nobody should send: what is read is what another strict parser reads, or nothing."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import h11
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.framework.test_server import exchange, listening

TOKEN = "abcXYZ09-_."
names = some.text(TOKEN, min_size=1, max_size=8).map(lambda name: f"X-{name}".replace(".", "d"))
values = some.text("abc XYZ09-_.:;=\"'\t", max_size=20).map(str.strip)
paths = some.text("abc09-_.~!$&'()*+,;=:@%/", max_size=20).map(lambda path: f"/echo/{path}".replace("%", "%41"))
bodies = some.binary(max_size=300)


@some.composite
def requests(draw):
    """A request as it should be: its bytes, and its method, target and body."""
    method = draw(some.sampled_from(("GET", "POST", "PUT", "DELETE", "OPTIONS")))
    target = draw(paths) + draw(some.sampled_from(("", "?", "?a=1&b=%20")))
    lines = [f"{method} {target} HTTP/1.1", "Host: h"]
    lines += [f"{name}: {value}" for name, value in draw(some.dictionaries(names, values, max_size=4)).items()]
    body = draw(bodies)
    raw = body
    if draw(some.booleans()):
        lines.append("Transfer-Encoding: chunked")
        raw = chunked(draw, body)
    elif body or draw(some.booleans()):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + raw, (method, target, body)


def chunked(draw, body: bytes) -> bytes:
    cuts = sorted(draw(some.lists(some.integers(0, len(body)), max_size=5)))
    pieces = [body[start:end] for start, end in pairwise([0, *cuts, len(body)]) if start < end]
    extension = draw(some.sampled_from((b"", b";name", b";name=value", b';name="va lue"')))
    trailer = draw(some.sampled_from((b"", b"X-After: 1\r\n")))
    return b"".join(b"%x%b\r\n%b\r\n" % (len(one), extension, one) for one in pieces) + b"0\r\n" + trailer + b"\r\n"


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place for place in places if place < len(raw)), len(raw)]
    return [raw[start:end] for start, end in pairwise(bounds) if start < end]


def answered(*parts: bytes) -> bytes:
    async def run():
        async with listening() as (port, _):
            return await exchange(port, *parts, half_close=True)

    return asyncio.run(run())[0]


def answers(raw: bytes) -> list[tuple[int, bytes]]:
    """Status and body of every answer."""
    found = []
    while raw:
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(raw)
        status, body = 0, b""
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            assert event is not h11.NEED_DATA, raw
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        found.append((status, body))
        raw = reader.trailing_data[0]
    return found


def echoed(found: list[tuple[int, bytes]]) -> list[tuple[str, str, bytes]]:
    """Method, target and body of every request that was answered with 200."""
    told = [json.loads(body) for status, body in found if status == 200]
    return [
        (one["method"], one["path"] + (f"?{one['query']}" if one["query"] else ""), one["body"].encode("latin-1"))
        for one in told
    ]


def read_by_another(raw: bytes) -> list[tuple[str, str, bytes]]:
    """The requests that h11 reads, up to the first that it does not take."""
    found = []
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(raw)
    reader.receive_data(b"")
    try:
        while isinstance(head := reader.next_event(), h11.Request):
            body = b""
            while not isinstance(event := reader.next_event(), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    return found
                body += bytes(event.data)
            found.append((head.method.decode(), head.target.decode("latin-1"), body))
            reader.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            reader.send(h11.EndOfMessage())
            reader.start_next_cycle()
    except h11.ProtocolError:
        pass
    return found


@settings(max_examples=60)
@given(some.lists(requests(), min_size=1, max_size=6), some.lists(some.integers(1, 2000), max_size=8))
def test_requests_are_told_apart_however_they_are_merged_and_cut(sent, places):
    raw = b"".join(one for one, _ in sent)
    meant = [(method, target.removesuffix("?"), body) for _, (method, target, body) in sent]
    assert echoed(answers(answered(*cut(raw, places)))) == meant


SPOILERS = some.sampled_from(
    (b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"1", b"f", b"-", b"+", b"\x0b", b"\x80", b"\xff",
     b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"\r\n\r\n",
     b"GET /echo/smuggled HTTP/1.1\r\nHost: h\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.0", b"HTTP/2.0", b" chunked", b"Host: evil\r\n")
)  # fmt: skip


@settings(max_examples=200)
@given(
    some.lists(requests(), min_size=1, max_size=3),
    some.lists(
        some.tuples(some.integers(0, 1500), some.integers(0, 3), SPOILERS | some.just(b"")), min_size=1, max_size=4
    ),
)
def test_spoiled_requests_mean_what_they_mean_to_another_parser_or_nothing(sent, spoilings):
    raw = b"".join(one for one, _ in sent)
    for place, length, spoiler in spoilings:
        raw = raw[:place] + spoiler + raw[place + length :]
    found = answers(answered(raw))
    ours, others = echoed(found), read_by_another(raw)
    assert {status for status, _ in found} <= {200, 400, 408, 413, 414, 431}
    for one, other in zip(ours, others, strict=False):
        assert one[0] == other[0]
        assert one[2] == other[2], "the body ends elsewhere"
