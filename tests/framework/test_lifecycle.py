"""How long an API is there: what its answers say, when it is refused, who still calls it, what it requires."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec
import pytest
from click.testing import CliRunner

from apifold import DescriptionErrors, Settings
from apifold.cli.main import apifold as command_line
from apifold.settings import ApiSettings, Brownout, StatusRule
from apifold.testing import client
from apifold.versions.lifecycle import Window
from apifold.versions.requirements import unmet

OLD = """
openapi: 3.1.0
info: {title: Old, version: "1"}
servers: [{url: /v1}]
x-apifold: {service: shop, id: v1, successor: shop-v2%s}
paths:
  /things:
    get:
      operationId: list_things
      x-apifold: {binding: {static: {value: []}}%s}
      responses: {"200": {description: ok}}
  /things/{name}:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}]
    get:
      operationId: get_thing
      x-apifold: {binding: {static: {value: 1}}%s}
      responses: {"200": {description: ok}}
"""

NEW = """
openapi: 3.1.0
info: {title: New, version: "2"}
servers: [{url: /v2}]
x-apifold: {service: shop, id: v2, status: EXPERIMENTAL}
paths:
  /items:
    get:
      operationId: list_items
      x-apifold: {binding: {static: {value: []}}}
      responses: {"200": {description: ok}}
  /items/{name}:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}]
    get:
      operationId: get_item
      x-apifold: {binding: {static: {value: 1}}}
      responses: {"200": {description: ok}}
"""

TOKENS = """
- {token: ada-secret-0123456789, user: ada, project: p1, roles: [admin]}
- {token: bob-secret-0123456789, user: bob, project: p2, roles: [member]}
"""

SUCCESSORS = (", successor: list_items", ", successor: get_item")


@pytest.fixture
def shop(write, serve):
    def make(document="", one="", two="", **settings):
        folder = write(old_yaml=OLD % (document, one, two), new_yaml=NEW)
        return serve(folder, **settings)

    return make


def iso(**delta):
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def links(answer):
    return dict(reversed(part.strip("<").split(">; rel=")) for part in answer.headers["link"].split(", <"))


def test_answers_of_an_api_that_ends_say_so(shop):
    api = shop(', deprecated: "2026-01-02", sunset: "2999-12-31T12:00:00Z"', *SUCCESSORS)
    answer = api.get("/v1/things")
    assert answer.status == 200
    assert answer.headers["deprecation"] == f"@{int(datetime(2026, 1, 2, tzinfo=UTC).timestamp())}"
    assert parsedate_to_datetime(answer.headers["sunset"]) == datetime(2999, 12, 31, 12, tzinfo=UTC)
    assert answer.headers["sunset"].endswith("GMT")
    found = links(answer)
    assert found['"successor-version"'] == "/v2/items"
    assert found['"deprecation"; type="text/html"'] == found['"sunset"; type="text/html"'] == "/v1/ui"
    assert "deprecation" not in api.get("/v2/items").headers
    assert api.post("/v1/things").status == 405


def test_the_successor_of_a_thing_is_the_same_thing_there(shop):
    api = shop(', deprecated: "2026-01-02"', *SUCCESSORS)
    assert links(api.get("/v1/things/tea"))['"successor-version"'] == "/v2/items/tea"
    for name in ("a%2Fb", "a%3E%2C%20b", "%0D%0Ax", "a.b", "%E6%97%A5"):
        assert links(api.get(f"/v1/things/{name}"))['"successor-version"'] == f"/v2/items/{name}"
    assert links(shop(", status: DEPRECATED").get("/v1/things"))['"successor-version"'] == "/v2"


def test_links_have_the_public_prefix(shop):
    api = shop(', deprecated: "2026-01-02", notice: "https://example.org/why"', *SUCCESSORS)
    from apifold.http import Request, awaited

    response = api.loop.run_until_complete(
        awaited(api.application.answer(Request("GET", "/v1/things", prefix="/proxy", headers={"host": "h"})))
    )
    assert '</proxy/v2/items>; rel="successor-version"' in response.header("link")
    assert '<https://example.org/why>; rel="deprecation"' in response.header("link")


def test_one_operation_may_end_before_its_api(shop):
    api = shop("", ', deprecated: "2026-01-02", sunset: "2026-01-03", successor: list_items', "")
    gone = api.get("/v1/things")
    assert (gone.status, gone.json["title"]) == (410, "Gone")
    assert gone.json["detail"] == "This is no longer served since 2026-01-03. Use shop-v2 instead."
    assert links(gone)['"successor-version"'] == "/v2/items"
    assert api.get("/v1/things/a").status == 200


@pytest.mark.parametrize("document", [", status: RETIRED", ', sunset: "2026-01-03"'])
def test_a_retired_api_is_gone_but_its_documents_are_not(shop, tmp_path, document):
    (tmp_path / "who").mkdir()
    (tmp_path / "who" / "tokens.yaml").write_text(TOKENS)
    api = shop(document, auth="tokens", tokens=str(tmp_path / "who" / "tokens.yaml"))
    answer = api.get("/v1/things")
    assert answer.status == 410, "before anybody is asked who he is"
    assert api.get("/v1/openapi.json").status == 200
    assert api.get("/v1/nothing").status == 404
    assert api.get("/", headers={"accept": "application/json"}).json["apis"][0]["status"] == "RETIRED"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (', status: CURRENT, deprecated: "2999-01-01"', "CURRENT"),
        (', status: CURRENT, deprecated: "2026-01-01"', "DEPRECATED"),
        (', status: EXPERIMENTAL, deprecated: "2026-01-01"', "EXPERIMENTAL"),
        (', status: SUPPORTED, sunset: "2999-01-01"', "SUPPORTED"),
    ],
)
def test_a_date_that_has_come_moves_the_status(shop, document, status):
    api = shop(document)
    assert api.get("/", headers={"accept": "application/json"}).json["apis"][0]["status"] == status
    assert f">{status}</span>" in api.get("/v1/ui").text


def test_a_deployment_moves_statuses_and_dates(shop):
    changes = ApiSettings(status="DEPRECATED", deprecated="2026-02-03", sunset="2999-01-01")
    api = shop(', status: CURRENT, sunset: "2026-01-01"', apis={"shop-v1": changes})
    assert api.get("/v1/things").headers["deprecation"] == "@1770076800"
    state = api.get("/-/apis").json["apis"]
    assert {one["name"]: one["status"] for one in state} == {"shop-v1": "DEPRECATED", "shop-v2": "EXPERIMENTAL"}
    assert state[1]["sunset"] == "2999-01-01T00:00:00+00:00"
    page = api.get("/", headers={"accept": "text/html"}).text
    assert "Deprecated since 2026-02-03. Served until 2999-01-01. Its successor is" in page


def test_a_brownout_refuses_for_a_while_and_says_when_to_come_again(shop):
    now = ', sunset: "2999-01-01", brownouts: [{begin: "' + iso(minutes=-4) + '", minutes: 10}]'
    away = shop(now).get("/v1/things")
    assert away.status == 503
    assert 350 < int(away.headers["retry-after"]) <= 361
    assert away.json["detail"].startswith("This will end on 2999-01-01, and is away for a while")
    later = ', brownouts: [{begin: "' + iso(minutes=4) + '", minutes: 10}]'
    assert shop(later).get("/v1/things").status == 200
    again = ', brownouts: [{begin: "' + iso(hours=-5, minutes=-1) + '", minutes: 10, every_hours: 1}]'
    assert shop(again).get("/v1/things").status == 503


@pytest.mark.parametrize(
    ("minutes", "left"), [(-1, None), (0, 10), (9, 1), (10, None), (59, None), (60, 10), (69, 1), (70, None), (125, 5)]
)
def test_a_window_comes_again(minutes, left):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found = Window(begin, timedelta(minutes=10), timedelta(hours=1)).left(begin + timedelta(minutes=minutes))
    assert found == (None if left is None else timedelta(minutes=left))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (', deprecated: "soon"', "is no date"),
        (", sunset: 2027", "write it in quotes"),
        (', brownouts: [{begin: "2026-01-01", minutes: 0}]', "a brown-out needs"),
        (', brownouts: [{begin: "2026-01-01", minutes: 90, every_hours: 1}]', "more than its own length"),
        (", status: OLD", "one of: EXPERIMENTAL"),
        (', deprecated: "2027-02-01", sunset: "2027-01-01"', "comes before `deprecated`"),
        (', sunset: "0001-01-01T00:00:00+05:00"', "is no date"),
        (', brownouts: [{begin: "2026-01-01", minutes: 1.0e300}]', "too long"),
    ],
)
def test_a_life_that_makes_no_sense_is_refused_at_load(shop, document, message):
    with pytest.raises(DescriptionErrors, match=message):
        shop(document).get("/")


def test_a_rule_for_an_end_is_refused():
    with pytest.raises(msgspec.ValidationError, match="RETIRED takes no"):
        msgspec.convert({"status": "RETIRED", "status_after": {"same": 1}}, ApiSettings)


def statuses(api):
    return {one["name"]: one["status"] for one in api.get("/-/apis").json["apis"]}


def test_statuses_move_when_every_operation_names_its_successor(shop):
    rule = StatusRule(succeeded="shop-v1")
    apis = {
        "shop-v1": ApiSettings(status="DEPRECATED", status_after=rule),
        "shop-v2": ApiSettings(status="CURRENT", status_after=rule),
    }
    before = shop(", status: CURRENT", SUCCESSORS[0], "", apis=apis)
    assert statuses(before) == {"shop-v1": "CURRENT", "shop-v2": "EXPERIMENTAL"}
    assert before.get("/-/apis").json["apis"][1]["without_successor"] == ["GET /v1/things/{name}"]
    wrong = shop(", status: CURRENT", SUCCESSORS[0], ", successor: nothing", apis=apis)
    assert statuses(wrong)["shop-v1"] == "CURRENT"
    after = shop(", status: CURRENT", *SUCCESSORS, apis=apis)
    assert statuses(after) == {"shop-v1": "DEPRECATED", "shop-v2": "CURRENT"}
    assert after.get("/-/apis").json["apis"][1]["without_successor"] == []


def test_operators_see_who_still_calls_what_ends(shop, tmp_path):
    (tmp_path / "who").mkdir()
    (tmp_path / "who" / "tokens.yaml").write_text(TOKENS)
    api = shop(', deprecated: "2026-01-01"', auth="tokens", tokens=str(tmp_path / "who" / "tokens.yaml"))
    ada, bob = ({"authorization": f"Bearer {name}-secret-0123456789"} for name in ("ada", "bob"))
    for _ in range(3):
        api.get("/v1/things/x", headers={**bob, "user-agent": "oldtool/1.0 (linux)"})
    api.get("/v1/things", headers=ada)
    api.get("/v2/items", headers=ada)
    assert api.get("/-/use").status == 401
    assert api.get("/-/use", headers=bob).status == 403
    rows = api.get("/-/use", headers=ada).json["use"]
    assert [(row["user"], row["project"], row["operation"], row["client"], row["count"]) for row in rows] == [
        ("ada", "p1", "list_things", "", 1),
        ("bob", "p2", "get_thing", "oldtool/1.0", 3),
    ]
    assert all(row["api"] == "shop-v1" and row["first"] <= row["last"] for row in rows)


def test_use_outlives_the_process(write, tmp_path):
    folder = write(old_yaml=OLD % (', deprecated: "2026-01-01"', "", ""), new_yaml=NEW)
    settings = Settings(state=str(tmp_path / "state"))
    for _ in range(2):
        with client(folder, settings=settings) as api:
            api.application.read_ahead()
            api.get("/v1/things")
    with client(folder, settings=settings) as api:
        api.application.read_ahead()
        assert [row["count"] for row in api.get("/-/use").json["use"]] == [2]


@pytest.mark.parametrize(("use", "count"), [("all", 2), ("off", 0), ("ending", 0)])
def test_use_is_counted_as_settings_say(shop, use, count):
    api = shop(use=use)
    api.get("/v1/things")
    assert len(api.get("/-/use").json["use"]) == min(count, 1)


REQUIRING = NEW.replace("status: EXPERIMENTAL", 'requires: {storage: ">=2"}')


def test_an_api_is_served_only_where_the_deployment_offers_what_it_requires(write, serve, caplog):
    folder = write(old_yaml=OLD % ("", "", ""), new_yaml=REQUIRING)
    without = serve(folder, facts={"storage": 1})
    assert without.get("/v2/items").status == 404
    assert without.get("/v1/things").status == 200
    assert [one["name"] for one in without.get("/-/apis").json["apis"]] == ["shop-v1"]
    reasons = without.get("/-/apis").json["left_out"][0]["reasons"]
    assert reasons == ["it requires storage >=2, and storage is 1"]
    assert "shop-v2 is not served: it requires storage >=2, and storage is 1" in caplog.text
    assert serve(folder).get("/-/apis").json["left_out"][0]["reasons"][0].endswith("nothing says what storage is")
    assert serve(folder, facts={"storage": "2.1"}).get("/v2/items").status == 200


@pytest.mark.parametrize(
    ("wanted", "fact", "met"),
    [
        (">=2", 2, True),
        (">=2", "2.0-beta.1", False),
        (">=2, <3", "2.9", True),
        (">=2, <3", "3", False),
        ("!=2", "2.0", False),
        ("==2", 2, True),
        (">1", "one", False),
        ("postgresql", "postgresql", True),
        ("postgresql", "sqlite", False),
        (True, True, True),
        (True, False, False),
        (2, "2", True),
        (">=2", None, False),
    ],
)
def test_requirements(wanted, fact, met):
    assert (unmet({"it": wanted}, {} if fact is None else {"it": fact}) == []) == met


@pytest.mark.parametrize("wanted", [">=", "=>2", ">=two", ">=2 <3"])
def test_a_requirement_that_cant_be_read_is_refused_at_load(write, serve, wanted):
    folder = write(new_yaml=NEW.replace("status: EXPERIMENTAL", f'requires: {{storage: "{wanted}"}}'))
    with pytest.raises(DescriptionErrors, match=r"version|comparison"):
        serve(folder).get("/")


def test_brownouts_are_settings_too(shop):
    changes = ApiSettings(brownouts=(Brownout(begin=iso(minutes=-1), minutes=5),))
    assert shop(apis={"shop-v1": changes}).get("/v1/things").status == 503


def test_check_says_nothing_of_what_is_left_out(write):
    folder = write(new_yaml=REQUIRING)
    assert CliRunner().invoke(command_line, ["check", str(folder)]).output == "no errors\n"
    assert json.loads(CliRunner().invoke(command_line, ["routes", str(folder), "--json"]).output) == []


OPENSTACK = """
from apifold import Service

def service(deployment):
    return Service(name="shopping", apis=("v1", "v2"), discovery="openstack", facts={"storage": deployment.options("shopping", Options).storage})

import msgspec

class Options(msgspec.Struct, forbid_unknown_fields=True):
    storage: int = 2
"""

MICRO = """
openapi: 3.1.0
info: {title: New, version: "2.5"}
servers: [{url: /v2}]
x-apifold: {service: shop, id: v2, requires: {storage: ">=2"}, microversions: {min: "2.1", headers: [X-Version]}, status: CURRENT}
paths:
  /items:
    get: {x-apifold: {binding: {static: {value: []}}}, responses: {"200": {description: ok}}}
"""


@pytest.fixture
def shopping(write, serve, monkeypatch):
    def make(**settings):
        home = write(
            shopping____init___py="",
            shopping__service_py=OPENSTACK,
            shopping__v1__openapi_yaml=OLD % (", status: SUPPORTED", "", ""),
            shopping__v2__openapi_yaml=MICRO,
        )
        monkeypatch.syspath_prepend(str(home))
        return serve("shopping.service:service", **settings)

    return make


def self_link(path):
    return [{"href": f"https://h/proxy{path}", "rel": "self"}]


def test_a_services_versions_are_discovered_in_its_dialect(shopping):
    from apifold.http import Request, awaited

    api = shopping()

    def document(path):
        request = Request("GET", path, prefix="/proxy", scheme="https", headers={"host": "h"})
        return json.loads(api.loop.run_until_complete(awaited(api.application.answer(request))).body)

    first = {"id": "v1", "links": self_link("/v1"), "status": "SUPPORTED", "release": "1"}
    second = {
        "id": "v2",
        "links": self_link("/v2"),
        "status": "CURRENT",
        "release": "2.5",
        "version": "2.5",
        "min_version": "2.1",
    }
    assert document("/") == {"versions": [first, second]}
    assert document("/v2") == document("/v2/") == {"version": second}
    assert document("/v1/") == {"version": first}


def test_what_is_left_out_or_retired_is_not_discovered(shopping):
    def ids(**settings):
        return [
            one["id"] for one in shopping(**settings).get("/", headers={"accept": "application/json"}).json["versions"]
        ]

    assert ids(services={"shopping": {"storage": 1}}) == ["v1"]
    assert ids(facts={"storage": 1}) == ["v1"]
    assert ids(apis={"shop-v1": ApiSettings(status="RETIRED")}) == ["v2"]


def test_beside_others_a_service_is_discovered_below_its_name(shopping, write, serve):
    shopping()
    api = serve("shopping.service:service", "library")
    for path in ("/shopping/", "/shopping"):
        assert [one["id"] for one in api.get(path).json["versions"]] == ["v1", "v2"]
    assert api.get("/library/").json.keys() == {"v1"}
    assert api.get("/", headers={"accept": "application/json"}).json.keys() == {"apis"}


def test_an_operation_is_not_there_longer_than_its_api(shop):
    api = shop(', sunset: "2026-01-03"', ', sunset: "2999-01-01"', "")
    assert api.get("/v1/things").status == 410


def test_one_answer_that_is_given_again_and_again_stays_as_it_is(write, serve):
    text = (OLD % (', deprecated: "2026-01-01"', "", "")).replace("static: {value: []}", "static: {file: logo.txt}")
    folder = write(old_yaml=text, new_yaml=NEW)
    (folder / "logo.txt").write_text("logo")
    api = serve(folder)
    for _ in range(3):
        assert api.get("/v1/things").headers["deprecation"] == "@1767225600"


def test_a_wrong_date_of_a_deployment_is_an_error_of_its_settings():
    with pytest.raises(msgspec.ValidationError, match="is no date"):
        msgspec.convert({"sunset": "soon"}, ApiSettings)


def test_who_did_not_get_in_is_not_counted(shop, tmp_path):
    (tmp_path / "who").mkdir()
    (tmp_path / "who" / "tokens.yaml").write_text(TOKENS)
    api = shop(', deprecated: "2026-01-01"', auth="tokens", tokens=str(tmp_path / "who" / "tokens.yaml"))
    for number in range(3):
        assert api.get("/v1/things", headers={"user-agent": f"made-up-{number}"}).status == 401
    admin = {"authorization": "Bearer ada-secret-0123456789"}
    assert api.get("/-/use", headers=admin).json["use"] == []


def test_a_waiting_status_waits_until_a_date_has_come(shop):
    rule = {"status": "DEPRECATED", "status_after": StatusRule(succeeded="shop-v1")}
    waiting = shop(", status: CURRENT", apis={"shop-v1": ApiSettings(**rule)})
    assert statuses(waiting)["shop-v1"] == "CURRENT"
    ended = shop(", status: CURRENT", apis={"shop-v1": ApiSettings(**rule, sunset="2026-01-01")})
    assert statuses(ended)["shop-v1"] == "RETIRED"
    assert ended.get("/v1/things").status == 410
