"""Who answers an API: its own handlers, a WSGI or ASGI application in this process, another server. One suite over all."""

from __future__ import annotations

import json
import sys
import textwrap

import pytest

from apifold.application import check
from apifold.settings import ApiSettings, Settings, ValidationModes
from tests.other_service import Told

API = """
openapi: 3.1.0
info: {title: Hosts, version: "1"}
servers: [{url: /v1}]
x-apifold: {handlers: hosts_native, policy: hosts_rules.yaml}
paths:
  /hosts:
    get:
      operationId: list_hosts
      x-apifold: {policy: read, traits: {page: offset}}
      responses:
        "200": {description: all, content: {application/json: {schema: {$ref: "#/components/schemas/Hosts"}}}}
    post:
      operationId: make_host
      x-apifold: {policy: write}
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Host"}}}}
      responses:
        "201": {description: made, content: {application/json: {schema: {$ref: "#/components/schemas/Host"}}}}
  /hosts/{name}:
    get:
      operationId: get_host
      x-apifold: {policy: read}
      parameters: [{name: name, in: path, required: true, schema: {type: string, maxLength: 20}}]
      responses:
        "200": {description: one, content: {application/json: {schema: {$ref: "#/components/schemas/Host"}}}}
        "404": {description: none, content: {application/json: {}}}
components:
  schemas:
    Host:
      type: object
      required: [name, cpus]
      properties: {name: {type: string}, cpus: {type: integer}}
    Hosts: {type: object, required: [hosts], properties: {hosts: {type: array, items: {$ref: "#/components/schemas/Host"}}}}
"""
RULES = "read: '@'\nwrite: role:admin\n"
NATIVE = """
from apifold import NotFound
hosts = {"a": {"name": "a", "cpus": 2}}
def list_hosts(page):
    return {"hosts": list(hosts.values())}
def make_host(body):
    return body
def get_host(name):
    if name not in hosts:
        raise NotFound("There is no such host.")
    return hosts[name]
"""
DJANGO = """
import json
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(ROOT_URLCONF="hosts_django", ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False, MIDDLEWARE=[])
HOSTS = {"a": {"name": "a", "cpus": 2}, "odd": {"name": "odd", "cpus": "many"}}

@csrf_exempt
def hosts(request):
    if request.method == "POST":
        return JsonResponse(json.loads(request.body), status=201)
    return JsonResponse({"hosts": [HOSTS["a"]], "query": request.META["QUERY_STRING"], "who": who(request)})

def who(request):
    return request.META["apifold.caller"].user if "apifold.caller" in request.META else request.scope["apifold"]["caller"].user

def host(request, name):
    if name == "crash":
        raise RuntimeError("secret detail")
    return JsonResponse(HOSTS[name]) if name in HOSTS else JsonResponse({"error": "no such host"}, status=404)

urlpatterns = [path("v1/hosts", hosts), path("v1/hosts/<name>", host)]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
"""
PECAN = """
from pecan import abort, expose, make_app, request, response
from pecan.rest import RestController

HOSTS = {"a": {"name": "a", "cpus": 2}, "odd": {"name": "odd", "cpus": "many"}}

class Hosts(RestController):
    @expose("json")
    def get_all(self):
        return {"hosts": [HOSTS["a"]], "query": request.query_string, "who": request.environ["apifold.caller"].user}

    @expose("json")
    def get_one(self, name):
        if name == "crash":
            raise RuntimeError("secret detail")
        if name not in HOSTS:
            response.status = 404
            return {"error": "no such host"}
        return HOSTS[name]

    @expose("json")
    def post(self):
        response.status = 201
        return request.json

class Version:
    hosts = Hosts()

class Root:
    v1 = Version()

application = make_app(Root(), debug=False)
"""
FILES = {
    "hosts_yaml": API,
    "hosts_rules_yaml": RULES,
    "hosts_native_py": NATIVE,
    "hosts_django_py": DJANGO,
    "hosts_pecan_py": PECAN,
}
LEGACY = ["wsgi:hosts_django:wsgi", "asgi:hosts_django:asgi", "wsgi:hosts_pecan:application"]


@pytest.fixture(autouse=True)
def fresh_django():
    """Django is configured once in a process; each test's is another."""
    yield
    if "django.conf" in sys.modules:
        from django.conf import settings
        from django.utils.functional import empty

        settings._wrapped = empty
        for name in ("django.urls.base", "django.urls.resolvers"):
            sys.modules[name]._get_cached_resolver.cache_clear() if name.endswith("resolvers") else None


@pytest.fixture
def hosts(write, serve, tmp_path):
    """The API, implemented in one way or another."""

    def serve_it(implementation="native", **changes):
        folder = write(**FILES)
        (tmp_path / "tokens.yaml").write_text(
            textwrap.dedent("""
            - {token: admin-token, user: ada, project: p, roles: [admin]}
            - {token: reader-token, user: rob, project: p, roles: [reader]}
            """)
        )
        api = ApiSettings(implementation=implementation, **changes)
        client = serve(folder / "hosts.yaml", apis={"hosts": api}, auth="tokens", tokens=str(tmp_path / "tokens.yaml"))
        client.headers["authorization"] = "Bearer admin-token"
        return client

    return serve_it


@pytest.mark.parametrize("implementation", ["native", *LEGACY])
def test_the_description_holds_whoever_answers(hosts, implementation):
    client = hosts(implementation)
    assert client.get("/v1/hosts/a").json == {"name": "a", "cpus": 2}
    assert client.get("/v1/hosts").json["hosts"] == [{"name": "a", "cpus": 2}]
    made = client.post("/v1/hosts", json={"name": "b", "cpus": 4})
    assert (made.status, made.json) == (201, {"name": "b", "cpus": 4})
    assert client.get("/v1/hosts/nope").status == 404
    assert client.request("HEAD", "/v1/hosts/a").status == 200
    # What the description says holds before the implementation is asked.
    assert client.post("/v1/hosts", json={"name": "b"}).status == 400
    assert client.get(f"/v1/hosts/{'x' * 21}").status == 400
    assert client.get("/v1/other").status == 404
    assert client.delete("/v1/hosts/a").headers["allow"] == "GET, HEAD"
    assert client.get("/v1/hosts", headers={"Authorization": "Bearer no"}).status == 401
    assert (
        client.post("/v1/hosts", json={"name": "b", "cpus": 4}, headers={"Authorization": "Bearer reader-token"}).status
        == 403
    )


@pytest.mark.parametrize("implementation", LEGACY)
def test_an_implementation_gets_the_request_as_it_came(hosts, implementation):
    answer = hosts(implementation).get("/v1/hosts", limit=2, offset=1).json
    assert (answer["query"], answer["who"]) == ("limit=2&offset=1", "ada")


@pytest.mark.parametrize("implementation", LEGACY)
def test_an_implementation_that_fails_says_nothing_of_its_inside(hosts, implementation):
    answer = hosts(implementation).get("/v1/hosts/crash")
    assert answer.status == 500
    assert "secret detail" not in answer.text


@pytest.mark.parametrize("implementation", LEGACY)
def test_its_answers_are_held_against_the_description(hosts, implementation, caplog):
    client = hosts(implementation, validation=ValidationModes(response="reject"))
    assert client.get("/v1/hosts/odd").status == 500
    assert client.get("/v1/hosts/a").status == 200
    client = hosts(implementation)
    assert client.get("/v1/hosts/odd").json == {"name": "odd", "cpus": "many"}
    assert "cpus" in caplog.text


def test_another_server_answers(hosts, other):
    client = hosts(other.url)
    other.on(
        "GET /v1/hosts/a%2Fb", {"name": "a/b", "cpus": 1}, headers={"X-Own": "1", "Connection": "X-Hop", "X-Hop": "2"}
    )
    answer = client.get("/v1/hosts/a%2Fb", headers={"X-Request-Id": "forged", "X-Forwarded-For": "forged"})
    assert (answer.status, answer.json["name"], answer.headers["x-own"]) == (200, "a/b", "1")
    assert "x-hop" not in answer.headers
    asked = other.asked[-1]
    assert asked.headers["authorization"] == "Bearer admin-token"
    assert asked.headers["x-request-id"].startswith("test-")
    assert asked.headers["x-forwarded-for"] == "127.0.0.1"
    other.on("POST /v1/hosts", Told(201, {"name": "b", "cpus": 1}))
    assert client.post("/v1/hosts", json={"name": "b", "cpus": 1}).status == 201
    assert client.post("/v1/hosts", json={"name": "b"}).status == 400
    assert len(other.asked) == 2


def test_an_address_with_a_path_takes_the_place_of_the_base_path(hosts, other):
    other.on("GET /old/api/hosts/a", {"name": "a", "cpus": 1})
    assert hosts(f"{other.url}/old/api").get("/v1/hosts/a").status == 200


ODD = """
def late(environ, start_response):
    def pieces():
        start_response("200 OK", [("Content-Type", "application/json")])
        yield b'{"name": "late",'
        yield b' "cpus": 1}'
    return pieces()

def written(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    write(b'{"name": "w", ')
    return [b'"cpus": 1}']

def replaced(environ, start_response):
    start_response("200 OK", [])
    try:
        raise ValueError
    except ValueError:
        import sys
        start_response("404 Not Found", [("Content-Type", "application/json")], sys.exc_info())
    return [b"{}"]

def silent(environ, start_response):
    return []

closed = []

class Body(list):
    def close(self):
        closed.append(True)

def closing(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return Body([b'{"name": "c", "cpus": 1}'])

from wsgiref.validate import validator

@validator
def checked(environ, start_response):
    size = int(environ["CONTENT_LENGTH"])
    body = environ["wsgi.input"].read(size) if size else b'{"name": "v", "cpus": 1}'
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

async def asgi_plain(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"name": "p", ', "more_body": True})
    await send({"type": "http.response.body", "body": b'"cpus": 1}', "more_body": True})
    await send({"type": "http.response.body"})

life = []

async def asgi_alive(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            life.append(message["type"])
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"name": "l", "cpus": 1}'})

def halfway(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    yield b'{"name": '
    raise ConnectionResetError("the database is gone")

def told(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    import json
    told = {key: environ[key] for key in ("wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "CONTENT_LENGTH")}
    told["proxy"] = environ.get("HTTP_PROXY")
    return [json.dumps(told).encode()]

async def asgi_halfway(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    raise RuntimeError("half way")

async def asgi_dead(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})
"""


@pytest.mark.parametrize(
    ("implementation", "status", "name"),
    [
        ("wsgi:hosts_odd:late", 200, "late"),
        ("wsgi:hosts_odd:written", 200, "w"),
        ("wsgi:hosts_odd:replaced", 404, None),
        ("wsgi:hosts_odd:silent", 500, None),
        ("wsgi:hosts_odd:closing", 200, "c"),
        ("wsgi:hosts_odd:checked", 200, "v"),
        ("asgi:hosts_odd:asgi_plain", 200, "p"),
        ("asgi:hosts_odd:asgi_alive", 200, "l"),
        ("asgi:hosts_odd:asgi_dead", 500, None),
        ("asgi:hosts_odd:asgi_halfway", 500, None),
        ("wsgi:hosts_odd:halfway", 500, None),
    ],
)
def test_applications_of_every_habit_are_understood(hosts, write, implementation, status, name):
    write(hosts_odd_py=ODD)
    client = hosts(implementation)
    for _ in range(2):
        answer = client.get("/v1/hosts/a")
        assert answer.status == status
    if name:
        assert answer.json == {"name": name, "cpus": 1}
    if implementation.endswith("closing"):
        assert sys.modules["hosts_odd"].closed == [True, True]
    if implementation.endswith("written"):
        assert answer.headers["set-cookie"] == "a=1, b=2"
    if implementation.endswith("alive"):
        client.close()
        assert sys.modules["hosts_odd"].life == ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.parametrize(
    ("implementation", "message"),
    [
        ("nope", "no bindings entry named 'nope'"),
        ("wsgi:nope.module:app", "there is no module 'nope.module'"),
        ("wsgi:hosts_native", "names nothing in a module"),
        ("wsgi:hosts_native:app", "hosts_native has no 'app'"),
        ("http://", "is no address of a server"),
    ],
)
def test_an_implementation_that_is_not_there_is_told(write, implementation, message):
    folder = write(**FILES)
    errors = check((str(folder / "hosts.yaml"),), Settings(apis={"hosts": ApiSettings(implementation=implementation)}))
    assert any(message in str(error) for error in errors), errors


def test_a_wsgi_environment_tells_the_truth_and_nothing_else(hosts, write):
    write(hosts_odd_py=ODD)
    client = hosts("wsgi:hosts_odd:told")
    told = client.get("/v1/hosts/a", headers={"Proxy": "http://evil", "Host": "h:99999"}).json
    assert told == {
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_LENGTH": "0",
        "proxy": None,
    }

    async def secure():
        from apifold.http import Request, awaited

        headers = {"host": "h:8443", "authorization": "Bearer admin-token"}
        response = await awaited(client.application.answer(Request("GET", "/v1/hosts/a", "", headers, scheme="https")))
        return json.loads(response.body)

    told = client.loop.run_until_complete(secure())
    assert (told["wsgi.url_scheme"], told["SERVER_NAME"], told["SERVER_PORT"]) == ("https", "h", "8443")


@pytest.mark.parametrize("path", ["/v1/hosts/..", "/v1/hosts/%2e%2e", "/v1/hosts/a%2f..%2f..%2fadmin"])
def test_another_server_is_not_asked_for_what_is_not_described(hosts, other, path):
    assert hosts(other.url).get(path).status == 404
    assert other.asked == []


def test_another_server_s_answers_are_held_against_the_description(hosts, other):
    other.on("GET /v1/hosts/a", {"name": "a", "cpus": "many"})
    assert hosts(other.url, validation=ValidationModes(response="reject")).get("/v1/hosts/a").status == 500
    other.on("GET /v1/hosts/a", b"[" + b"1," * 900_000 + b"1]")
    assert len(hosts(other.url).get("/v1/hosts/a").body) == 1_800_003


def test_a_description_may_not_bring_an_application_from_elsewhere(write):
    api = API.replace(
        "operationId: list_hosts\n      x-apifold: {",
        "operationId: list_hosts\n      x-apifold: {binding: {wsgi: 'os.path:join'}, ",
    )
    errors = check((str(write(**{**FILES, "hosts_yaml": api}) / "hosts.yaml"),), Settings())
    assert any("no module 'os.path' that may be named" in str(error) for error in errors), errors


def test_a_handler_asks_inside(write, serve):
    api = """
    openapi: 3.1.0
    info: {title: T, version: "1"}
    servers: [{url: /a}]
    paths:
      /outer:
        get: {operationId: inside_handlers.outer, responses: {"200": {description: ok}}}
      /inner:
        get: {operationId: inside_handlers.inner, responses: {"200": {description: ok}}}
    """
    handlers = """
    from apifold import NotFound, Request

    async def outer(inside, request):
        found = await inside(Request("GET", "/a/inner", "", request.headers))
        lost = await inside(Request("GET", "/a/nothing", "", request.headers))
        return {"found": found.body.decode(), "lost": lost.status}

    def inner():
        return "here"
    """
    client = serve(write(api_yaml=textwrap.dedent(api), inside_handlers_py=handlers))
    assert client.get("/a/outer").json == {"found": '"here"', "lost": 404}


def test_what_is_read_before_a_change_may_ask_inside_too(write, serve):
    api = """
    openapi: 3.1.0
    info: {title: Inside, version: "1"}
    servers: [{url: /b}]
    paths:
      /thing:
        get:
          operationId: reading_handlers.read
          x-apifold: {traits: [etag]}
          responses: {"200": {description: ok, content: {application/json: {schema: {type: object}}}}}
        patch:
          operationId: reading_handlers.change
          x-apifold: {traits: [etag, merge-patch]}
          responses: {"200": {description: ok, content: {application/json: {schema: {type: object}}}}}
      /part:
        get: {operationId: reading_handlers.part, responses: {"200": {description: ok}}}
    """
    handlers = """
    from apifold import Request

    async def read(inside, request):
        return {"part": (await inside(Request("GET", "/b/part", "", request.headers))).body.decode()}

    def part():
        return {"n": 1}

    def change(body):
        return body
    """
    client = serve(write(api_yaml=textwrap.dedent(api), reading_handlers_py=handlers))
    tag = client.get("/b/thing").headers["etag"]
    sent = {"if-match": tag, "content-type": "application/merge-patch+json"}
    changed = client.patch("/b/thing", json={"more": True}, headers=sent)
    assert (changed.status, changed.json) == (200, {"part": '{"n":1}', "more": True})
