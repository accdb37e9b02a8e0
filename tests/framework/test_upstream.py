"""Upstream: operations mapped on another HTTP API, over real connections."""

from __future__ import annotations

import asyncio

import pytest

from apifold import Deployment
from apifold.application import check
from apifold.errors import SettingsError
from apifold.http import Request, awaited
from apifold.outgoing import Addresses, AddressRefused
from apifold.settings import Settings, UpstreamSettings, load
from tests.other_service import Told

NETWORKS = """
model: network
path: /nets
operations: [list, create, read, replace, delete]
upstream: {to: cloud, path: /v2.0/networks, envelope: network, list: networks, page: {}}
fields:
  name: {type: string, required: true}
  external: {type: boolean, source: "router:external"}
  kind: {type: string, source: "provider:network_type", default: flat}
filter: [name, external]
"""
WIRE = {"id": "n1", "name": "demo", "router:external": False, "provider:network_type": "vlan", "mtu": 1500}


@pytest.fixture
def nets(write, serve, other):
    """Networks that another service has, served here."""

    def serve_it(**settings):
        upstream = UpstreamSettings(url=other.url, headers={"X-Auth-Token": "secret"}, **settings)
        return serve(write(networks_yaml=NETWORKS), upstreams={"cloud": upstream})

    return serve_it


def test_a_model_is_mapped_on_another_api(nets, other):
    client = nets()
    other.on("GET /v2.0/networks/n1", {"network": WIRE})
    other.on("GET /v2.0/networks", {"networks": [WIRE, {"id": "n2", "name": "other"}]})
    other.on("POST /v2.0/networks", {"network": WIRE}, status=201)
    other.on("PUT /v2.0/networks/n1", {"network": WIRE})
    other.on("DELETE /v2.0/networks/n1", None, status=204)
    shape = {"id": "n1", "name": "demo", "external": False, "kind": "vlan"}
    assert client.get("/nets/n1").json == shape
    listed = client.get("/nets", name=["demo", "x"], external="false")
    assert listed.json == {"items": [shape, {"id": "n2", "name": "other", "kind": "flat"}]}
    assert other.asked[-1].path == "/v2.0/networks?name=demo&name=x&router%3Aexternal=false&limit=100"
    made = client.post("/nets", json={"name": "demo", "external": True})
    assert (made.status, made.json) == (201, shape)
    assert other.asked[-1].json == {
        "network": {"name": "demo", "router:external": True, "provider:network_type": "flat"}
    }
    assert client.put("/nets/n1", json={"name": "demo"}).status == 200
    assert client.delete("/nets/n1").status == 204
    assert all(asked.headers["x-auth-token"] == "secret" for asked in other.asked)


def test_a_list_is_paged_by_the_other_s_markers(nets, other):
    client = nets()
    other.on("GET /v2.0/networks", {"networks": [WIRE]})
    first = client.get("/nets", limit=1)
    assert 'rel="next"' in first.headers["link"]
    assert "marker=n1" in first.headers["link"]
    client.get("/nets", limit=1, marker="n1")
    assert other.asked[-1].path == "/v2.0/networks?limit=1&marker=n1"


def test_credentials_of_the_client_stay_here(nets, other):
    client = nets()
    other.on("GET /v2.0/networks/n1", {"network": WIRE})
    client.get("/nets/n1", headers={"Authorization": "Bearer mine", "Cookie": "a=b"})
    assert not {"authorization", "cookie"} & other.asked[-1].headers.keys()


@pytest.mark.parametrize(
    ("status", "ours"),
    [(400, 400), (401, 502), (403, 403), (404, 404), (409, 409), (413, 413), (429, 429), (500, 502), (503, 503)],
)
def test_the_other_s_faults_are_translated(nets, other, status, ours):
    client = nets(retries=0)
    other.on("GET /v2.0/networks/n1", {"NeutronError": {"type": "T", "message": "Network n1 says no."}}, status=status)
    answer = client.get("/nets/n1")
    assert answer.status == ours
    assert answer.json["detail"] == "Network n1 says no."


def test_what_the_other_owes_is_its_mistake(nets, other):
    client = nets()
    other.on("GET /v2.0/networks/n1", {"network": {"id": "n1"}})
    assert (client.get("/nets/n1").status, client.get("/nets/n1").json["detail"]) == (
        502,
        "The other service's answer lacks what /name is made of.",
    )
    other.on("GET /v2.0/networks/n1", b"<html>")
    assert client.get("/nets/n1").status == 502
    other.on("GET /v2.0/networks/n1", None, status=302, headers={"Location": "http://169.254.169.254/"})
    assert client.get("/nets/n1").status == 502


def test_what_does_no_harm_is_asked_again(nets, other):
    client = nets()
    other.on("GET /v2.0/networks/n1", Told(drops=True), Told(503), Told(body={"network": WIRE}))
    assert client.get("/nets/n1").status == 200
    assert len(other.asked) == 3
    other.on("POST /v2.0/networks", Told(503))
    assert client.post("/nets", json={"name": "x"}).status == 503
    assert len(other.asked) == 4


def test_a_slow_or_absent_service_is_told(nets, other):
    client = nets(seconds=0.2, retries=0)
    other.on("GET /v2.0/networks/n1", Told(seconds=1.0))
    assert client.get("/nets/n1").status == 504
    other.close()
    answer = client.get("/nets/n1")
    assert answer.status == 502
    assert "secret" not in answer.text


@pytest.mark.parametrize("identifier", ["..%2F..%2Fadmin", "%2e%2e", "a%2Fb", "a%3Fx=1", "a%23b", ".."])
def test_an_id_leads_nowhere_else(nets, other, identifier):
    client = nets()
    assert client.get(f"/nets/{identifier}").status == 404
    assert all(
        asked.path.startswith("/v2.0/networks/") and "/" not in asked.path.split("/", 3)[3] for asked in other.asked
    )
    assert all(".." not in asked.path.split("/") for asked in other.asked)


API = """
openapi: 3.1.0
info: {title: T, version: "1"}
paths:
  /c/{cloud}/nets:
    post:
      operationId: make
      x-apifold:
        binding:
          upstream:
            to: cloud
            path: /nets
            envelope: net
            add: {cloud: "{cloud}", made: true}
            existing: {by: label, list: nets, add: {made: false}}
      parameters: [{name: cloud, in: path, required: true, schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Net"}}}}
      responses:
        "200": {description: there, content: {application/json: {schema: {$ref: "#/components/schemas/Net"}}}}
        "201": {description: made, content: {application/json: {schema: {$ref: "#/components/schemas/Net"}}}}
  /files/{name}:
    parameters: [{name: name, in: path, required: true, schema: {type: string, format: path}}]
    get:
      x-apifold: {binding: {upstream: {to: cloud, path: "/files/{name}", pass: true}}}
      responses: {"200": {description: as it is, content: {"*/*": {}}}}
    put:
      x-apifold: {stream: true, binding: {upstream: {to: cloud, path: "/files/{name}", pass: true}}}
      requestBody: {content: {"*/*": {}}}
      responses: {"204": {description: kept}}
  /raw:
    get:
      x-apifold: {binding: {upstream: {to: cloud, path: /raw, faults: pass}}}
      responses: {"200": {description: ok}}
components:
  schemas:
    Net:
      properties:
        name: {type: string, x-apifold: {source: label}}
        cloud: {type: string, readOnly: true}
        made: {type: boolean, readOnly: true}
"""


@pytest.fixture
def clouds(write, serve, other):
    return serve(write(api_yaml=API), upstreams={"cloud": UpstreamSettings(url=f"{other.url}/", retries=0)})


def test_what_is_there_by_its_name_is_not_made_again(clouds, other):
    other.on("GET /nets", {"nets": [{"label": "one"}]})
    other.on("POST /nets", lambda asked: Told(202, asked.json))
    found = clouds.post("/c/east/nets", json={"name": "one"})
    assert (found.status, found.json) == (200, {"name": "one", "cloud": "east", "made": False})
    made = clouds.post("/c/east/nets", json={"name": "two"})
    assert (made.status, made.json) == (201, {"name": "two", "cloud": "east", "made": True})
    assert [asked.method for asked in other.asked] == ["GET", "GET", "POST"]


def test_numbers_of_any_size_go_through(clouds, other):
    other.on("GET /nets", {"nets": []})
    other.on("POST /nets", lambda asked: Told(201, b'{"label": "x", "size": %d}' % 2**80))
    sent = b'{"name": "x", "size": %d}' % 2**80
    assert clouds.post("/c/east/nets", body=sent, headers={"Content-Type": "application/json"}).status == 201
    assert other.asked[-1].json["net"]["size"] == 2**80


def test_what_passes_through_is_not_touched(clouds, other):
    other.on("PUT /files/a/b%20c.bin", Told(204))
    assert (
        clouds.put(
            "/files/a/b%20c.bin", body=b"\x00\xff", headers={"Content-Type": "application/x", "Cookie": "a=b"}
        ).status
        == 204
    )
    asked = other.asked[-1]
    assert (asked.body, asked.headers["content-type"], asked.headers.get("cookie")) == (
        b"\x00\xff",
        "application/x",
        None,
    )
    other.on(
        "GET /files/big",
        Told(206, headers={"Content-Type": "x/y", "Content-Range": "bytes 0-5/9"}, pieces=(b"abc", b"def")),
    )
    got = clouds.get("/files/big", headers={"Range": "bytes=0-5"})
    assert (got.status, got.body, got.headers["content-range"]) == (206, b"abcdef", "bytes 0-5/9")
    assert other.asked[-1].headers["range"] == "bytes=0-5"
    assert clouds.get("/files/a/../b").status == 404


def test_a_large_body_passes_through_in_pieces(clouds, other):
    other.on("PUT /files/big", Told(204))

    async def pieces():
        for _ in range(50):
            yield bytes(100_000)

    async def put():
        headers = {"host": "h", "content-length": "5000000", "content-type": "application/octet-stream"}
        request = Request("PUT", "/files/big", "", headers)
        assert clouds.application.running.takes_pieces(request)
        request.pieces = pieces()
        return await awaited(clouds.application.answer(request))

    assert clouds.loop.run_until_complete(put()).status == 204
    asked = other.asked[-1]
    assert (len(asked.body), asked.headers["content-length"]) == (5_000_000, "5000000")


def test_faults_may_pass_as_they_are(clouds, other):
    other.on("GET /raw", {"odd": "shape"}, status=418)
    assert (clouds.get("/raw").status, clouds.get("/raw").json) == (418, {"odd": "shape"})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("{to: nobody, path: /}", "there is no upstream 'nobody'"),
        ("{to: cloud}", "missing required field `path`"),
        ("{to: cloud, path: '/{nope}'}", "`{nope}` is no parameter of GET /raw"),
        ("{to: cloud, path: /, odd: 1}", "unknown field `odd`"),
        ("{to: cloud, path: /, faults: hide}", "`faults` is `translate` or `pass`"),
    ],
)
def test_a_binding_that_can_t_work_is_told(write, option, message):
    api = API.replace("{to: cloud, path: /raw, faults: pass}", option)
    errors = check(
        (str(write(api_yaml=api)),), Settings(upstreams={"cloud": UpstreamSettings(url="http://127.0.0.1:1")})
    )
    assert [error for error in errors if message in str(error) and error.line], errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("upstream: {to: cloud}", "`upstream` needs `to` and `path`"),
        ("upstream: {to: cloud, path: /x, odd: 1}", "`odd` is not a key of `upstream`"),
        ("sort: [name]", "`sort` is for what is stored here"),
    ],
)
def test_a_model_file_that_can_t_work_is_told(write, change, message):
    key = change.partition(":")[0]
    lines = [line for line in NETWORKS.splitlines() if not line.startswith(f"{key}:")]
    errors = check(
        (str(write(networks_yaml="\n".join([*lines, change]))),),
        Settings(upstreams={"cloud": UpstreamSettings(url="http://x")}),
    )
    assert [error for error in errors if message in str(error) and error.line], errors


def token(expires: str = "2099-01-01T00:00:00Z", url: str = "http://nowhere"):
    endpoints = [
        {"interface": "public", "region": "R", "url": url},
        {"interface": "internal", "region": "R", "url": "http://no"},
    ]
    return {
        "token": {
            "expires_at": expires,
            "project": {"id": "p", "name": "demo"},
            "catalog": [{"type": "network", "endpoints": endpoints}],
        }
    }


@pytest.fixture
def keystone(other, tmp_path):
    (tmp_path / "password").write_text("hush\n")
    return UpstreamSettings(
        keystone=f"{other.url}/identity/v2.0/", user="u", password=str(tmp_path / "password"), project="demo", retries=0
    )


@pytest.fixture
def catalogued(write, serve, keystone):
    files = write(networks_yaml=NETWORKS.replace("{to: cloud", "{service: network, to: cloud"))
    return serve(files, upstreams={"cloud": keystone})


def test_addresses_come_from_keystone_s_catalogue(catalogued, other):
    other.on(
        "POST /identity/v3/auth/tokens",
        Told(401, {"error": {"message": "no project of that id"}}),
        lambda asked: Told(201, token(url=f"{other.url}/network/"), {"X-Subject-Token": "t1"}),
    )
    other.on("GET /network/v2.0/networks/n1", {"network": WIRE})
    assert catalogued.get("/nets/n1").status == 200
    assert catalogued.get("/nets/n1").status == 200
    logins = [asked.json["auth"] for asked in other.asked if asked.method == "POST"]
    by_name = {"name": "demo", "domain": {"name": "Default"}}
    assert [login["scope"]["project"] for login in logins] == [{"id": "demo"}, by_name]
    user = {"name": "u", "domain": {"name": "Default"}, "password": "hush"}
    assert logins[-1]["identity"]["password"]["user"] == user
    assert [asked.headers["x-auth-token"] for asked in other.asked if asked.method == "GET"] == ["t1", "t1"]


def test_a_token_that_is_refused_is_renewed_once(catalogued, other):
    numbers = iter(range(1, 9))
    other.on(
        "POST /identity/v3/auth/tokens",
        lambda asked: Told(201, token(url=f"{other.url}/network"), {"X-Subject-Token": f"t{next(numbers)}"}),
    )
    other.on(
        "GET /network/v2.0/networks/n1",
        lambda asked: Told(body={"network": WIRE}) if asked.headers["x-auth-token"] == "t2" else Told(401),
    )
    assert catalogued.get("/nets/n1").status == 200
    other.on("GET /network/v2.0/networks/n1", Told(401))
    assert catalogued.get("/nets/n1").status == 502
    assert [asked.headers.get("x-auth-token") for asked in other.asked if asked.method == "GET"] == [
        "t1",
        "t2",
        "t2",
        "t3",
    ]


def test_a_catalogue_without_the_service_is_told(write, serve, other, catalogued):
    empty = token()
    empty["token"]["catalog"] = []
    other.on("POST /identity/v3/auth/tokens", Told(201, empty, {"X-Subject-Token": "t"}))
    assert "no 'network' service" in catalogued.get("/nets/n1").json["detail"]


def test_another_project_is_only_tried_where_the_first_is_refused(catalogued, other):
    other.on("POST /identity/v3/auth/tokens", Told(503, {"error": {"message": "later"}}))
    assert catalogued.get("/nets/n1").status == 503
    assert len(other.asked) == 1


def test_a_body_that_is_gone_is_not_sent_again_empty(write, serve, keystone, other):
    files = write(api_yaml=API.replace('{to: cloud, path: "/files', '{service: network, to: cloud, path: "/files'))
    client = serve(files, upstreams={"cloud": keystone})
    other.on(
        "POST /identity/v3/auth/tokens",
        lambda asked: Told(201, token(url=f"{other.url}/network"), {"X-Subject-Token": "t"}),
    )
    other.on("PUT /network/files/big", Told(401), Told(204))

    async def put(pieces):
        headers = {"host": "h", "content-type": "application/octet-stream", "content-length": "100"}
        request = Request("PUT", "/files/big", "", headers, b"" if pieces else b"x")
        if pieces:
            request.pieces = one_piece()
        return (await awaited(client.application.answer(request))).status

    async def one_piece():
        yield b"x" * 100

    def sent():
        return [len(asked.body) for asked in other.asked if asked.method == "PUT"]

    assert client.loop.run_until_complete(put(True)) == 503
    assert sent() == [100]
    other.on("PUT /network/files/big", Told(401), Told(204))
    assert client.loop.run_until_complete(put(False)) == 204
    assert sent() == [100, 1, 1]


def test_an_id_that_looks_like_a_version_is_an_id(write, serve, other):
    client = serve(
        write(networks_yaml=NETWORKS.replace("path: /v2.0/networks", "path: /")),
        upstreams={"cloud": UpstreamSettings(url=f"{other.url}/v1")},
    )
    other.on("GET /v1//v1", {"network": WIRE})
    assert client.get("/nets/v1").status == 200


def test_answers_that_nobody_reads_let_their_connections_go(clouds, other):
    other.on("GET /files/big", Told(body=bytes(5_000_000)))

    async def ask():
        for _ in range(3):
            response = await awaited(clouds.application.answer(Request("GET", "/files/big", "", {"host": "h"})))
            await response.body.aclose()
        outgoing = clouds.application.deployment.outgoing()
        return len(outgoing._session.connector._acquired)

    assert clouds.loop.run_until_complete(ask()) == 0


@pytest.mark.parametrize(
    ("allowed", "url", "fine"),
    [
        (("127.0.0.0/8",), "http://127.0.0.1:5000/v3", True),
        (("127.0.0.0/8",), "http://169.254.169.254/latest", False),
        (("127.0.0.0/8",), "http://[::1]/", False),
        (("::1",), "http://[::1]/", True),
        (("127.0.0.0/8",), "http://[::ffff:127.0.0.1]/", True),
        (("10.0.0.0/8",), "http://[::ffff:192.168.0.1]/", False),
        (("127.0.0.0/8",), "ftp://127.0.0.1/", False),
        (("127.0.0.0/8",), "http://user@127.0.0.1/", False),
        (("127.0.0.0/8",), "file:///etc/passwd", False),
        (("127.0.0.0/8",), "http://[bad/", False),
        (("127.0.0.0/8",), "http://localhost/", True),
        (("10.0.0.0/8",), "http://localhost/", False),
        (("10.0.0.0/8",), "http://127.1/", False),
        (("10.0.0.0/8",), "http://2130706433/", False),
        (("10.0.0.0/8",), "http://0x7f.1/", False),
        (("10.0.0.0/8",), "http://0177.0.0.1/", False),
        (("10.0.0.0/8",), "http://①②⑦.0.0.1/", False),
        (("localhost",), "http://localhost/", True),
        (("*.localdomain",), "http://localhost/", False),
    ],
)
def test_addresses_beyond_what_is_allowed_are_not_called(allowed, url, fine):
    async def judge():
        addresses = Addresses(allowed)
        addresses.check(url)
        host = url.partition("://")[2].strip("/").partition(":")[0]
        if host == "localhost":
            assert await addresses.resolve(host, 80)

    if fine:
        asyncio.run(judge())
    else:
        with pytest.raises(AddressRefused):
            asyncio.run(judge())


def test_settings_of_other_services_are_read_strictly(tmp_path, write, serve):
    with pytest.raises(SettingsError, match="neither a host nor a network"):
        Addresses(("10.0.0.0/99",))
    (tmp_path / "apifold.yaml").write_text("upstreams: {cloud: {url: 'http://x', odd: 1}}")
    with pytest.raises(SettingsError, match="odd"):
        load(tmp_path, {}, {})
    both = load(
        tmp_path / "none",
        {},
        {"APIFOLD_UPSTREAMS": '{"cloud": {"url": "http://x"}}', "APIFOLD_OUTGOING": "a.b,10.0.0.0/8"},
    )
    assert (both.upstreams["cloud"].url, both.outgoing) == ("http://x", ("a.b", "10.0.0.0/8"))


def test_what_settings_name_may_be_called():
    deployment = Deployment(Settings(upstreams={"cloud": UpstreamSettings(url="http://10.1.2.3/v1")}, outgoing=()))
    deployment.allow("https://plugin.example.org:9000/api")
    addresses = deployment.outgoing().addresses
    for url in ("http://10.1.2.3/", "https://plugin.example.org/"):
        addresses.check(url)
    with pytest.raises(AddressRefused):
        addresses.check("http://127.0.0.1/")
