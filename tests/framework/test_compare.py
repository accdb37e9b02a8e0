"""Two implementations of one API: shadows, their evidence, recordings, and `apifold compare`."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from apifold.cli.main import apifold
from apifold.compare import Difference, Evidence, Noise, differences, read_recording
from apifold.errors import SettingsError
from apifold.http import Response
from apifold.settings import ApiSettings, ShadowSettings, StatusRule

JSON = (("Content-Type", "application/json"),)
FORK = multiprocessing.get_context("fork")
TIMES = "2026-01-01T00:00:00Z", "2027-05-05 11:22:33.123+02:00"
IDS = "0b2f3a4c-1111-4222-8333-444455556666", "9" * 32


def answer(value, status=200, headers=JSON):
    return Response(status, json.dumps(value).encode(), headers)


@pytest.mark.parametrize(
    ("one", "other", "noise", "found"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1.0}, (), []),
        ({"a": 1}, {"a": 2}, (), [("body /a", "value")]),
        ({"a": 1}, {"a": "1"}, (), [("body /a", "type")]),
        ({"a": 1}, {"a": True}, (), [("body /a", "type")]),
        ({"a": 1, "x": 0}, {"b": 1, "x": 0}, (), [("body /a", "missing"), ("body /b", "added")]),
        ([1, 2, 3], [1], (), [("body /1", "missing")]),
        ([{"a/b": 1}], [{"a/b": 2}], (), [("body /0/a~1b", "value")]),
        ([{"t": 1}, {"t": 2}], [{"t": 3}, {"t": 4}], ("/*/t",), []),
        ({"t": 1}, {}, ("/t",), []),
        ({"t": TIMES[0]}, {"t": TIMES[1]}, ("times",), []),
        ({"t": TIMES[0]}, {"t": TIMES[1]}, ("ids",), [("body /t", "value")]),
        ({"href": f"/x/{IDS[0]}"}, {"href": f"/x/{IDS[1]}"}, ("ids",), []),
        ({"href": f"/x/{IDS[0]}"}, {"href": f"/y/{IDS[1]}"}, ("ids",), [("body /href", "value")]),
    ],
)
def test_bodies_are_compared_by_place(one, other, noise, found):
    told = differences(answer(one), answer(other), Noise(noise))
    assert [(difference.where, difference.kind) for difference in told] == found


def test_status_and_headers_that_matter_are_compared():
    first = Response(
        200, b"a", (("Content-Type", "text/plain; charset=utf-8"), ("Location", f"/x/{IDS[0]}"), ("X-Own", "1"))
    )
    second = Response(201, b"a", (("content-type", "text/plain"), ("Location", f"/x/{IDS[1]}")))
    assert differences(first, second, Noise(("ids",))) == [Difference("status", "value", 200, 201)]
    assert [one.where for one in differences(first, second, Noise(), ("Location", "X-Own"))] == [
        "status",
        "header Location",
        "header X-Own",
    ]
    assert differences(Response(200, b"<a>"), Response(200, b"<b>"), Noise())[0].kind == "media"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=3), of, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_what_is_the_same_has_no_differences_and_what_is_not_has(one, other):
    assert differences(answer(one), answer(one), Noise()) == []
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert bool(differences(answer(one), answer(other), Noise())) is not same


@cache
def evidence_in(directory):
    """What the process that asks has seen."""
    return Evidence(directory)


def note_in(directory, times, *found):
    for _ in range(times):
        evidence_in(directory).note("shop", "native other", "list", found)
    evidence_in(directory).write()


def test_evidence_is_summed_over_processes_and_a_difference_counts_for_all(tmp_path):
    def alike(pair="native other"):
        return Evidence(tmp_path).alike("shop", {pair})

    with ProcessPoolExecutor(1, FORK) as one, ProcessPoolExecutor(1, FORK) as two:
        one.submit(note_in, tmp_path, 3).result()
        two.submit(note_in, tmp_path, 4).result()
        assert alike() == 7
        one.submit(note_in, tmp_path, 1, Difference("body /items/3/price", "value", 1, 2)).result()
        assert alike() == 0
        two.submit(note_in, tmp_path, 1).result()
        two.submit(note_in, tmp_path, 1).result()
        assert 1 <= alike() <= 2
        assert alike("native another") == 0
        counts = Evidence(tmp_path).shown()["shop"]["operations"]["list"]
        assert (counts["compared"], counts["different"], counts["places"]) == (10, 1, {"body /items/*/price value": 1})
    running = f"{os.getpid()}-running.json"
    (tmp_path / running).write_text("{}")
    Evidence(tmp_path).fold()
    assert sorted(file.name for file in tmp_path.glob("*.json")) == [running, "past.json"]
    assert Evidence(tmp_path).shown()["shop"]["operations"]["list"]["compared"] == 10


API = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
x-apifold: {handlers: shop_native, status: EXPERIMENTAL}
paths:
  /items/{name}:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}]
    get: {operationId: read, responses: {"200": {description: ok}, default: {description: wrong}}}
    put:
      operationId: write
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: ok}}
  /bare:
    get: {operationId: bare, responses: {"200": {description: ok}}}
"""
NATIVE = """
from apifold import NotFound, Response
def read(name):
    if name == "lost":
        raise NotFound("There is no such item.")
    return {"name": name, "price": 1, "at": "2026-01-01T00:00:00Z"}
def write(name, body):
    return body
def bare():
    async def pieces():
        yield b"a"
    return Response(200, pieces())
"""
OTHER = """
import json, time
asked = []
def application(environ, start_response):
    name = environ["PATH_INFO"].rpartition("/")[2]
    asked.append(environ["REQUEST_METHOD"] + " " + name)
    if name == "crash":
        raise RuntimeError("boom")
    if name == "slow":
        time.sleep(0.5)
    status = "404 Not Found" if name == "lost" else "200 OK"
    price = 2 if name == "dear" else 1
    body = {"name": name, "price": price, "at": "2029-01-01T00:00:00Z"}
    if name == "lost":
        body = {"title": "Not found", "detail": "There is no such item.", "status": 404, "type": "about:blank"}
    start_response(status, [("Content-Type", "application/problem+json" if name == "lost" else "application/json")])
    return [json.dumps(body).encode()]
"""


@pytest.fixture
def shop(write, serve):
    def serve_it(**changes):
        folder = write(shop_yaml=API, shop_native_py=NATIVE, shop_other_py=OTHER)
        return serve(folder / "shop.yaml", apis={"shop": ApiSettings(**changes)})

    return serve_it


def settle(client):
    """Let what was put off be done."""

    async def wait():
        for _ in range(200):
            await asyncio.sleep(0.005)
            if client.application._shadowing._working is None:
                return

    client.loop.run_until_complete(wait())


def shadow(**more):
    return ShadowSettings(to="wsgi:shop_other:application", noise=("times",), **more)


def asked():
    import shop_other

    return shop_other.asked


def test_a_shadow_is_asked_after_the_answer_and_compared(shop):
    client = shop(shadow=shadow())
    for name in ("a", "b", "lost", "dear"):
        assert client.get(f"/items/{name}").status == (404 if name == "lost" else 200)
    assert client.get("/items/a?x=1").json["price"] == 1
    settle(client)
    record = client.get("/-/shadow").json["apis"]["shop"]
    assert record["pair"] == "native wsgi:shop_other:application"
    assert record["alike"] == 1
    assert record["operations"]["read"] == {
        "compared": 5,
        "different": 1,
        "failed": 0,
        "skipped": 0,
        "places": {"body /price value": 1},
    }


def test_the_real_answer_does_not_wait_for_its_shadow_nor_fail_with_it(shop):
    client = shop(shadow=shadow())
    began = client.loop.time()
    assert client.get("/items/slow").status == 200
    assert client.get("/items/crash").status == 200
    assert client.loop.time() - began < 0.4
    settle(client)
    counts = client.get("/-/shadow").json["apis"]["shop"]["operations"]["read"]
    assert (counts["compared"], counts["different"]) == (2, 1)
    assert counts["places"]["status value"] == 1


def test_what_changes_something_is_copied_only_where_that_is_allowed(shop):
    client = shop(shadow=shadow())
    client.put("/items/a", json={})
    settle(client)
    assert asked() == []
    client = shop(shadow=shadow(unsafe=("write",)))
    client.put("/items/a", json={})
    settle(client)
    assert asked() == ["PUT a"]


def test_who_is_refused_does_not_come_in_by_the_shadow(write, serve, tmp_path):
    folder = write(shop_yaml=API, shop_native_py=NATIVE, shop_other_py=OTHER)
    (tmp_path / "tokens.yaml").write_text("- {token: t, user: u, roles: [admin]}\n")
    api = ApiSettings(shadow=shadow(unsafe=("write",)))
    client = serve(folder / "shop.yaml", apis={"shop": api}, auth="tokens", tokens=str(tmp_path / "tokens.yaml"))
    assert client.put("/items/a", json={}).status == 401
    assert client.get("/items/a").status == 401
    token = {"Authorization": "Bearer t"}
    assert client.put("/items/a", body=b"{", headers={**token, "Content-Type": "application/json"}).status == 400
    settle(client)
    assert asked() == []
    assert client.get("/-/shadow", headers=token).json["apis"] == {}


def test_only_a_share_is_compared_and_never_what_comes_in_pieces(shop):
    client = shop(shadow=shadow(sample=0.0))
    client.get("/items/a")
    settle(client)
    assert client.get("/-/shadow").json["apis"] == {}
    client = shop(shadow=shadow())
    client.get("/bare")
    assert client.get("/-/shadow").json["apis"]["shop"]["operations"]["bare"]["skipped"] == 1


def test_too_many_at_once_are_left_out(shop):
    client = shop(shadow=shadow())

    async def flood():
        from apifold.http import Request, awaited

        requests = [Request("GET", "/items/a", "", {"host": "h"}) for _ in range(150)]
        await asyncio.gather(*(awaited(client.application.answer(request)) for request in requests))

    client.loop.run_until_complete(flood())
    settle(client)
    counts = client.get("/-/shadow").json["apis"]["shop"]["operations"]["read"]
    assert counts["compared"] + counts["skipped"] == 150
    assert counts["skipped"] > 0


def status(client):
    return client.get("/-/apis").json["apis"][0]["status"]


def test_a_status_may_wait_for_its_shadow(shop):
    client = shop(shadow=shadow(), status="CURRENT", status_after=StatusRule(same=3))
    for name in ("a", "a", "dear", "a", "a"):
        client.get(f"/items/{name}")
    settle(client)
    assert status(client) == "EXPERIMENTAL"
    client.get("/items/a")
    settle(client)
    assert status(client) == "CURRENT"
    client.get("/items/dear")
    settle(client)
    assert status(client) == "EXPERIMENTAL"


def test_requests_are_recorded_without_who_sent_them(shop, tmp_path):
    file = tmp_path / "requests.jsonl"
    client = shop(record=str(file))
    client.get("/items/a", x=1, headers={"Authorization": "Bearer secret", "Cookie": "a=b", "X-Own": "1"})
    client.put("/items/b", body=b'{"n": "\xc3\xa9"}', headers={"Content-Type": "application/json"})
    client.put("/items/b", body=b"\xff", headers={"Content-Type": "application/json"})
    settle(client)
    recorded = list(read_recording(file))
    assert [(one.method, one.path) for one in recorded] == [
        ("GET", "/items/a?x=1"),
        ("PUT", "/items/b"),
        ("PUT", "/items/b"),
    ]
    assert recorded[0].headers == {"accept": "*/*", "x-own": "1"}
    assert [one.content for one in recorded] == [b"", b'{"n": "\xc3\xa9"}', b"\xff"]
    assert "secret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_recording_that_can_t_be_read_is_told(tmp_path):
    file = tmp_path / "requests.jsonl"
    file.write_text('{"method": "GET", "path": "/"}\n{"odd"\n')
    with pytest.raises(SettingsError, match=r"requests.jsonl:2: this is no recorded request"):
        list(read_recording(file))
    with pytest.raises(SettingsError, match="No such file"):
        list(read_recording(tmp_path / "none"))


REQUESTS = [
    {"method": "GET", "path": "/items/a"},
    {"method": "GET", "path": "/items/dear"},
    {"method": "PUT", "path": "/items/a", "headers": {"content-type": "application/json"}, "body": "{}"},
]


@pytest.fixture
def recording(tmp_path):
    file = tmp_path / "requests.jsonl"
    file.write_text("\n".join(map(json.dumps, REQUESTS)))
    return file


def run(*arguments):
    return CliRunner().invoke(apifold, ["compare", *map(str, arguments)], catch_exceptions=False)


def test_two_implementations_of_a_directory_are_compared(write, recording):
    folder = write(shop_yaml=API, shop_native_py=NATIVE, shop_other_py=OTHER)
    both = (folder / "shop.yaml", "--requests", recording, "--second", "wsgi:shop_other:application")
    result = run(*both, "--noise", "times")
    assert result.exit_code == 1
    assert "GET /items/dear\n    body /price: value: 1 | 2\n2 compared, 1 answered differently" in result.output
    assert run(*both, "--noise", "times", "--noise", "/price").exit_code == 0
    found = [json.loads(line) for line in run(*both, "--json").output.splitlines()]
    assert [one["differences"][0]["where"] for one in found] == ["body /at", "body /price"]
    assert "3 compared" in run(*both, "--unsafe", "--noise", "times").output


def test_two_servers_are_compared(other, recording):
    other.on("GET /one/items/a", {"a": 1})
    other.on("GET /two/items/a", {"a": 1})
    other.on("GET /one/items/dear", {"a": 1})
    result = run(f"{other.url}/one", f"{other.url}/two", "--requests", recording, "--header", "X-Auth-Token: t")
    assert result.exit_code == 1
    assert "GET /items/dear\n    status: value: 200 | 404" in result.output
    assert all(asked.headers["x-auth-token"] == "t" for asked in other.asked)


def test_a_server_s_own_shadows_are_shown(other, shop):
    client = shop(shadow=shadow())
    client.get("/items/dear")
    settle(client)
    other.on("GET /-/shadow", client.get("/-/shadow").json)
    result = run(other.url)
    assert result.exit_code == 0
    assert "body /price value (1)" in result.output
    assert "the last 0 answers were alike" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("here",), "say which requests"),
        (("http://a", "here", "--requests", "x"), "No such file"),
        (("http://a",), "can't be reached"),
    ],
)
def test_a_comparison_that_can_t_be_made_says_why(arguments, message, capsys):
    from apifold.cli.main import main

    with pytest.raises(SystemExit) as end:
        main(["compare", "--outgoing", "*.nowhere.invalid", *arguments])
    assert end.value.code in (1, 2)
    assert message in capsys.readouterr().err
