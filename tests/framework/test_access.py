"""Who is asking, and what they may: tokens, JWT, Keystone, security schemes, rules."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from apifold import Deployment, Request, Settings
from apifold.access.credentials import DEFAULT_SECURITY, compile_security
from apifold.access.jwt import Jwt
from apifold.access.keystone import Keystone
from apifold.access.tokens import Tokens
from apifold.errors import SettingsError, Unauthenticated, Unavailable


def deployed(**settings):
    return Deployment(Settings(**settings))


@pytest.fixture
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def identify(loop):
    async def caller_of(method, credential):
        caller = method.identify(credential)
        return await caller if asyncio.iscoroutine(caller) else caller

    return lambda method, credential: loop.run(caller_of(method, credential))


@pytest.fixture
def tokens(tmp_path):
    def make(text):
        path = tmp_path / "tokens.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return Tokens(deployed(tokens=str(path)))

    return make


def test_a_token_is_its_caller(tokens):
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"
    method = tokens(
        f"- {{token: abc, user: ada, project: lab, roles: [Admin], scopes: [read]}}\n- {{sha256: {digest}, user: bob}}\n"
    )
    ada = method.identify("abc")
    assert (ada.user, ada.project, ada.roles, ada.scopes) == ("ada", "lab", {"admin"}, {"read"})
    assert method.identify("test").user == "bob"
    assert method.identify("ada:abc").user == "ada"
    for wrong in ("", "abcd", "bob:abc", "ü"):
        with pytest.raises(Unauthenticated):
            method.identify(wrong)


def test_an_expired_token_is_nobodys(tokens):
    method = tokens(
        "- {token: old, user: ada, expires: 2020-01-01T00:00:00Z}\n- {token: new, user: ada, expires: 2999-01-01}\n"
    )
    assert method.identify("new").user == "ada"
    with pytest.raises(Unauthenticated):
        method.identify("old")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: b", "is a list"),
        ("- {user: ada}", "either a `token`"),
        ("- {token: x}", "whose token"),
        ("- {token: x, user: a}\n- {token: x, user: b}", "yaml:2"),
        ("- {token: x, user: a, rolls: []}", "rolls"),
        ("- {sha256: abc, user: a}", "64 hexadecimal"),
        ("- {token: x, user: a, expires: soon}", "no date"),
        ("- [", "not YAML"),
    ],
)
def test_a_tokens_file_with_mistakes_is_refused(tokens, text, says):
    with pytest.raises(SettingsError, match=says):
        tokens(text)


def test_a_changed_tokens_file_is_read_again(tokens, tmp_path):
    method = tokens("- {token: a, user: ada}\n")
    (tmp_path / "tokens.yaml").write_text("- {token: b, user: bob}\n")
    method._looked = 0
    assert method.identify("b").user == "bob"
    (tmp_path / "tokens.yaml").write_text("- [")
    method._looked = 0
    assert method.identify("b").user == "bob"


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def claims(**changes):
    return {
        "sub": "ada",
        "iss": "https://issuer",
        "aud": "us",
        "exp": time.time() + 60,
        "roles": ["Admin"],
        "project_id": "lab",
        "scope": "read write",
        **changes,
    }


@pytest.fixture
def jwt(tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(PUBLIC)
    return Jwt(deployed(jwt_key=str(path), jwt_issuer="https://issuer", jwt_audience="us"))


def test_a_signed_token_is_its_caller(identify, jwt):
    token = pyjwt.encode(claims(), PRIVATE, "RS256")
    for _ in range(2):
        ada = identify(jwt, token)
        assert (ada.user, ada.project, ada.roles, ada.scopes) == ("ada", "lab", {"admin"}, {"read", "write"})


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        pyjwt.encode(claims(exp=time.time() - 10), PRIVATE, "RS256"),
        pyjwt.encode(claims(aud="them"), PRIVATE, "RS256"),
        pyjwt.encode(claims(iss="them"), PRIVATE, "RS256"),
        pyjwt.encode(claims(nbf=time.time() + 100), PRIVATE, "RS256"),
        pyjwt.encode({key: value for key, value in claims().items() if key != "exp"}, PRIVATE, "RS256"),
        pyjwt.encode(claims(), "secret" * 10, "HS256"),
        pyjwt.encode(claims(), None, "none"),
        pyjwt.encode(claims(), rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
    ],
    ids=["empty", "garbage", "expired", "audience", "issuer", "not yet", "no expiry", "hs256", "none", "other key"],
)
def test_a_token_that_is_not_valid_here_is_nobodys(identify, jwt, token):
    with pytest.raises(Unauthenticated):
        identify(jwt, token)


def test_a_public_key_is_no_shared_secret(tmp_path):
    (tmp_path / "key.pem").write_bytes(PUBLIC)
    with pytest.raises(SettingsError, match="anybody sign"):
        Jwt(deployed(jwt_key=str(tmp_path / "key.pem"), jwt_audience="us", jwt_algorithms=("HS256", "RS256")))
    with pytest.raises(SettingsError, match="unsigned"):
        Jwt(deployed(jwt_key=str(tmp_path / "key.pem"), jwt_audience="us", jwt_algorithms=("none",)))
    with pytest.raises(SettingsError, match="jwt-audience"):
        Jwt(deployed(jwt_key=str(tmp_path / "key.pem")))


class Identity(BaseHTTPRequestHandler):
    """A small identity server: Keystone's two calls, and an OpenID provider's two documents."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        password = body["auth"]["identity"]["password"]["user"]["password"]
        self.server.logins += 1
        self.server.scopes.append(body["auth"]["scope"])
        if password != self.server.password:
            return self.answer(401, {})
        own = {"X-Subject-Token": f"own-{self.server.logins}"}
        return self.answer(201, {"token": {"expires_at": None}}, own)

    def do_GET(self):
        if self.path.endswith("openid-configuration"):
            return self.answer(200, {"jwks_uri": f"http://127.0.0.1:{self.server.server_port}/keys"})
        if self.path == "/keys":
            self.server.keys += 1
            public = json.loads(pyjwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return self.answer(200, {"keys": [{**public, "kid": "k1"}]})
        self.server.checks += 1
        if self.headers["X-Auth-Token"] != f"own-{self.server.logins}" or self.server.forget:
            self.server.forget = False
            return self.answer(401, {})
        if self.headers["X-Subject-Token"] != "good":
            return self.answer(404, {})
        time.sleep(0.05)
        expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        token = {
            "user": {"id": "u1", "name": "ada", "domain": {"id": "d1"}},
            "project": {"id": "p1", "name": "lab", "domain": {"id": "d1"}},
            "roles": [{"name": "Member"}],
            "expires_at": expires,
        }
        return self.answer(200, {"token": token})

    def answer(self, status, body, headers=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def identity():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Identity)
    server.daemon_threads = True
    server.logins = server.checks = server.keys = 0
    server.forget = False
    server.password = "secret"
    server.scopes = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def keystone(identity, loop, tmp_path):
    password = tmp_path / "password"
    password.write_text("secret\n")
    url = f"http://127.0.0.1:{identity.server_port}/v3"
    deployment = deployed(keystone_url=url, keystone_user="apifold", keystone_password=str(password))
    yield Keystone(deployment)
    loop.run(deployment.stop())


def test_keystone_tells_whose_token_it_is(identify, keystone, identity):
    ada = identify(keystone, "good")
    assert (ada.user, ada.project, ada.roles, dict(ada.names)["project_name"]) == ("u1", "p1", {"member"}, "lab")
    assert identify(keystone, "good") is ada
    assert identity.checks == 1
    assert identity.scopes == [{"project": {"name": "service", "domain": {"name": "Default"}}}]
    assert keystone.challenge == f'Keystone uri="http://127.0.0.1:{identity.server_port}/v3"'


def test_requests_with_one_token_ask_once(loop, keystone, identity):
    async def many():
        return await asyncio.gather(*(keystone.identify("good") for _ in range(20)))

    assert len(set(loop.run(many()))) == 1
    assert identity.checks == 1


def test_an_unknown_token_is_not_asked_for_again_and_again(identify, keystone, identity):
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            identify(keystone, "bad")
    assert identity.checks == 1


def test_the_own_token_is_renewed(identify, keystone, identity):
    identity.forget = True
    assert identify(keystone, "good").user == "u1"
    assert identity.logins == 2


def test_without_keystone_nobody_new_is_known(identify, keystone, identity):
    assert identify(keystone, "good").user == "u1"
    identity.shutdown()
    identity.server_close()
    assert identify(keystone, "good").user == "u1"
    with pytest.raises(Unavailable):
        identify(keystone, "other")


def test_a_service_that_keystone_does_not_know_knows_nobody(identify, keystone, identity):
    identity.password = "changed"
    with pytest.raises(Unavailable, match="not known to Keystone itself"):
        identify(keystone, "good")
    assert (identity.logins, identity.checks) == (1, 0)


def test_keys_are_found_by_openid_discovery(identify, identity):
    issuer = f"http://127.0.0.1:{identity.server_port}"
    method = Jwt(deployed(jwt_issuer=issuer, jwt_audience="us"))
    token = pyjwt.encode(claims(iss=issuer), PRIVATE, "RS256", headers={"kid": "k1"})
    assert identify(method, token).user == "ada"
    with pytest.raises(Unauthenticated):
        identify(method, pyjwt.encode(claims(iss=issuer, x=1), PRIVATE, "RS256", headers={"kid": "k2"}))
    assert identity.keys == 1


def credential(security, **request_):
    """The first credential that a request carries."""
    request = Request("GET", "/", **request_)
    return next(filter(None, (alternative.find(request) for alternative in security.alternatives)), None)


@pytest.mark.parametrize(
    ("security", "request_", "found"),
    [
        ([{"bearer": []}], {"headers": {"authorization": "bearer  abc"}}, "abc"),
        ([{"bearer": []}], {"headers": {"authorization": "Basic YTpi"}}, None),
        ([{"basic": []}], {"headers": {"authorization": "Basic YTpi"}}, "a:b"),
        ([{"header": []}], {"headers": {"x-key": "k"}}, "k"),
        ([{"query": []}], {"query": "key=k&x=1"}, "k"),
        ([{"cookie": []}], {"headers": {"cookie": "a=1; key=k"}}, "k"),
        ([{"oauth": ["read"]}], {"headers": {"authorization": "Bearer t"}}, "t"),
        ([{"header": [], "bearer": []}], {"headers": {"x-key": "k"}}, None),
        ([{"header": []}, {"bearer": []}], {"headers": {"authorization": "Bearer t"}}, "t"),
        ([{"bearer": []}], {}, None),
    ],
)
def test_a_credential_is_found_where_the_description_says(security, request_, found):
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic"},
        "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "query": {"type": "apiKey", "in": "query", "name": "key"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "key"},
        "oauth": {"type": "oauth2", "flows": {}},
    }
    assert credential(compile_security(security, schemes), **request_) == found


def test_broken_credentials_are_a_401_and_odd_schemes_are_told():
    security = compile_security([{"b": []}], {"b": {"type": "http", "scheme": "basic"}})
    with pytest.raises(Unauthenticated):
        credential(security, headers={"authorization": "Basic %%%"})
    with pytest.raises(ValueError, match="mutualTLS"):
        compile_security([{"m": []}], {"m": {"type": "mutualTLS"}})
    assert compile_security([{}, {"b": []}], {"b": {"type": "http", "scheme": "basic"}}).optional
    assert compile_security([], {}).optional
    assert credential(DEFAULT_SECURITY, headers={"x-auth-token": "t"}) == "t"


API = """
openapi: 3.1.0
info: {title: T, version: "1"}
security: [{key: []}]
paths:
  /open: {get: {x-apifold: {binding: mock, public: true}, responses: {"200": {description: ok}}}}
  /free: {get: {security: [], x-apifold: {binding: mock}, responses: {"200": {description: ok}}}}
  /known: {get: {x-apifold: {binding: mock}, responses: {"200": {description: ok}}}}
  /scoped: {get: {security: [{oauth: [write]}], x-apifold: {binding: mock}, responses: {"200": {description: ok}}}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    oauth: {type: oauth2, flows: {}}
"""


def test_security_of_a_description_is_kept(write, serve, tmp_path):
    (tmp_path / "tokens").write_text(
        "- {token: r, user: ada, scopes: [read]}\n- {token: w, user: bob, scopes: [read, write]}\n"
    )
    (tmp_path / "tokens").chmod(0o600)
    api = serve(write(apis__api_yaml=API) / "apis", auth="tokens", tokens=str(tmp_path / "tokens"))
    assert api.get("/open").status == 200
    assert api.get("/free").status == 200
    refused = api.get("/known")
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert api.get("/known", headers={"x-key": "r"}).status == 200
    assert api.get("/known", headers={"authorization": "Bearer r"}).status == 401
    assert api.get("/scoped", headers={"authorization": "Bearer r"}).status == 403
    assert api.get("/scoped", headers={"authorization": "Bearer w"}).status == 200
    assert api.get("/-/live").status == 200
    assert api.get("/-/apis").status == 401
    assert api.get("/openapi.json").status == 200


def test_a_rule_sees_the_caller_and_the_path(write, serve, tmp_path):
    (tmp_path / "tokens").write_text(
        "- {token: a, user: ada, project: lab}\n- {token: b, user: bob, project: ops, roles: [admin]}\n"
    )
    (tmp_path / "tokens").chmod(0o600)
    folder = write(
        apis__api_yaml="""
        openapi: 3.1.0
        info: {title: T, version: "1"}
        paths:
          /{project_id}/x:
            get:
              x-apifold: {binding: mock, policy: "x:read"}
              parameters: [{name: project_id, in: path, required: true, schema: {type: string}}]
              responses: {"200": {description: ok}}
        """,
        apis__policy_yaml='"x:read": "role:admin or project_id:%(project_id)s"\n',
    )
    api = serve(folder / "apis", auth="tokens", tokens=str(tmp_path / "tokens"))
    assert api.get("/lab/x", headers={"x-auth-token": "a"}).status == 200
    assert api.get("/ops/x", headers={"x-auth-token": "a"}).status == 403
    assert api.get("/lab/x", headers={"x-auth-token": "b"}).status == 200
    override = tmp_path / "mine.yaml"
    override.write_text('"x:read": "!"\n')
    closed = serve(folder / "apis", auth="tokens", tokens=str(tmp_path / "tokens"), policy=str(override))
    assert closed.get("/lab/x", headers={"x-auth-token": "b"}).status == 403
