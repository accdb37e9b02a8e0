"""CAMP 1.1, asked as a client asks it: what is there, found by walking from the endpoints alone."""

from __future__ import annotations

import re
from functools import cache, cached_property
from urllib.parse import urldefrag

import pytest
from sqlalchemy import event

from tests.jobs import AtOnce
from tests.services.platform.conftest import CAMP, PLAN

ENDPOINTS = "/camp/platform_endpoints"

TYPES = """
camp_resource: uri URI R; name String RMC; type String R; description String MC; tags String[] MC; representation_skew String M
platform_endpoints: platform_endpoint_links Link[] R
platform_endpoint: platform_uri URI R; specification_version String R; backward_compatible_specification_versions String[]; implementation_version String; backward_compatible_implementation_versions String[]; auth_scheme String
platform: supported_formats_uri URI; extensions_uri URI R; type_definitions_uri URI R; platform_endpoints_uri URI R; specification_version String R; implementation_version String; assemblies_uri URI R; services_uri URI R; plans_uri URI
assemblies: assembly_links Link[] M; parameter_definitions_uri URI R
assembly: components Link[] RM; plan_uri URI; operations_uri URI; sensors_uri URI
component: assemblies Link[] RM; artifact URI; service URI; status String RM; external_management_resource URI; related_components Link[]; operations_uri URI; sensors_uri URI
services: service_links Link[] M
service: parameter_definitions_uri URI; characteristics CharacteristicSpecification[]
plans: plan_links Link[] M; parameter_definitions_uri URI R
plan: camp_version String R; origin String; artifacts ArtifactSpecification[] MC; services ServiceSpecification[] MC
formats: format_links Link[] R
format: mime_type String R; version String; documentation URI R
type_definitions: type_definition_links Link[] R
type_definition: documentation URI R; attribute_definition_links AttributeLink[] R; inherits_from Link[]
attribute_definition: documentation URI R; attribute_type String R
parameter_definitions: parameter_definition_links ParameterLink[] R
parameter_definition: parameter_type String R; parameter_extension_uri URI
extensions: extension_links Link[] R
extension: version String R; documentation URI
operations: target_resource URI R; operation_links Link[] R
operation: documentation URI R; target_resource URI R; parameter_definitions_uri URI
sensors: target_resource URI R; sensor_links Link[] R
sensor: documentation URI R; target_resource URI R; sensor_type String R; value * M; timestamp Timestamp M; operations_uri URI
"""
"""The standard's types: each attribute's name, type, and whether it is required, mutable, consumer-mutable."""

OF_THE_EXTENSION = {
    "assembly": {"uuid", "status", "reason", "application_uri", "created_at", "updated_at", "project_id", "user_id"},
    "plan": {"uuid"},
}
"""Attributes that this implementation adds, as its extension says."""

NOT_OURS = {"component": {"operations_uri", "sensors_uri"}}
"""Optional attributes that no resource here has."""

CHANGEABLE = {"plan", "assembly", "component", "service"}
DISCOVERY = {"platform_endpoints", "platform_endpoint"}


class Seen:
    """Everything that a client comes to when it follows every address in everything that it comes to."""

    def __init__(self, platform):
        self.platform = platform
        self.answers = {}
        self.links = []
        self.documents = set()
        left = [ENDPOINTS]
        while left:
            address = left.pop()
            answer = platform.get(address)
            assert answer.status == 200, (address, answer.text)
            self.answers[answer.json["uri"]] = answer
            for name, value in addresses(answer.json):
                if name == "documentation":
                    self.documents.add(value)
                elif value not in self.answers and value not in left:
                    left.append(value)
            self.links += [(answer.json["uri"], link) for link in links(answer.json)]

    @cached_property
    def resources(self):
        return {uri: answer.json for uri, answer in self.answers.items()}

    def of(self, *types):
        return [one for one in self.resources.values() if one["type"] in types]

    def definition(self, kind):
        return next(one for one in self.of("type_definition") if one["name"] == kind)

    @cache  # noqa: B019  # it is gone with the tests
    def attributes(self, kind):
        """Those of a type, and those that it inherits: the links to them, by name."""
        told = self.definition(kind)
        inherited = {}
        for link in told.get("inherits_from", ()):
            inherited |= self.attributes(self.resources[link["href"]]["name"])
        return inherited | {link["target_name"]: link for link in told["attribute_definition_links"]}


def addresses(value, name=""):
    """Every address of this service in a representation, with the name of the attribute that it stands in."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from addresses(member, key)
    elif isinstance(value, list):
        for item in value:
            yield from addresses(item, name)
    elif isinstance(value, str) and value.startswith("http://testserver/"):
        yield name, value


def links(value):
    if isinstance(value, list):
        for item in value:
            yield from links(item)
    elif isinstance(value, dict):
        if "href" in value and "target_name" in value:
            yield value
        for member in value.values():
            yield from links(member)


def follow(platform, *names):
    """The resource at the end of a way from the endpoints; of links, the first is taken."""
    resource = platform.get(ENDPOINTS).json
    for name in ("platform_endpoint_links", "platform_uri", *names):
        there = resource[name]
        resource = platform.get(there[0]["href"] if isinstance(there, list) else there).json
    return resource


def link(resource, name):
    """Where one of the links of a resource leads, by the name of what is there."""
    return next(one["href"] for one in links(resource) if one["target_name"] == name)


def noted(platform, kind, **members):
    """Something that a user of the native API noted."""
    made = platform.post(f"/v1/{kind}", {"name": f"noted-{kind}", **members})
    assert made.status == 201, made.text
    return made.json


@pytest.fixture(scope="module")
def world(platforms):
    """A platform with something of every type in it, some of it made by the native API."""
    platform = platforms()
    assembly = platform.assembly()
    platform.plan()
    assert platform.post("/v1/plans", {"version": 1, "name": "native", "artifacts": [{"ports": [80]}]}).status == 201
    noted(platform, "services", service_type="org.example:queue", tags=["a"])
    noted(platform, "extensions", documentation="see the manual")
    noted(platform, "operations", target_resource=assembly["uri"])
    noted(platform, "sensors", target_resource=assembly["uri"], timestamp="yesterday")
    noted(platform, "sensors", name="load", target_resource=assembly["uri"], sensor_type="float", value=0.5)
    made = platform.post(follow(platform, "assemblies_uri")["uri"], {"plan_uri": assembly["plan_uri"]})
    assert made.json["representation_skew"] == "CREATING"
    return platform


@pytest.fixture(scope="module")
def seen(world):
    return Seen(world)


# --- walking


def test_the_endpoints_are_where_clients_begin(world):
    endpoints = world.by("").get(ENDPOINTS)
    (endpoint,) = [world.by("").get(one["href"]).json for one in endpoints.json["platform_endpoint_links"]]
    platform = world.get(endpoint["platform_uri"]).json
    assert (endpoints.status, endpoints.json["type"], endpoint["type"]) == (200, *sorted(DISCOVERY, reverse=True))
    assert platform["type"] == "platform"
    assert platform["specification_version"] == endpoint["specification_version"] == "CAMP 1.1"
    assert platform["implementation_version"] == endpoint["implementation_version"] == "Solum CAMP 1.1"
    assert endpoint["auth_scheme"] == "KEYSTONE-2.0"
    assert world.get(platform["platform_endpoints_uri"]).json == endpoints.json
    paths = ("/camp/platform_endpoints", "/camp/camp_v1_1_endpoint", "/camp/v1_1/platform")
    for path, resource in zip(paths, (endpoints.json, endpoint, platform), strict=True):
        assert world.get(path).json == world.get(f"{path}/").json == resource


def test_the_endpoint_says_how_callers_are_known(platforms):
    other = platforms(auth_scheme="X-AUTH")
    assert other.get(other.get(ENDPOINTS).json["platform_endpoint_links"][0]["href"]).json["auth_scheme"] == "X-AUTH"


def test_everything_that_is_walked_to_is_where_it_says(seen):
    assert {one["type"] for one in seen.resources.values()} == set(as_written()) - {"camp_resource"}
    for uri in seen.answers:
        assert seen.platform.get(uri).json["uri"] == uri


def test_links_name_what_they_lead_to(seen):
    assert len(seen.links) > 100
    for at, one in seen.links:
        assert one["target_name"] == seen.resources[one["href"]]["name"], at


def test_everything_is_as_its_type_says(seen):
    for uri, resource in seen.resources.items():
        attributes = seen.attributes(resource["type"])
        assert set(resource) <= set(attributes), uri
        required = {name for name, one in attributes.items() if one["required"]}
        assert required <= set(resource), uri
        for name, value in resource.items():
            kind = seen.resources[attributes[name]["href"]]["attribute_type"]
            assert is_of(kind, value), (uri, name, kind, value)
            assert value != [] or attributes[name]["required"], (uri, name, "an optional list that is empty")


def is_of(kind, value):
    if kind.endswith("[]"):
        return isinstance(value, list) and all(is_of(kind.removesuffix("[]"), one) for one in value)
    if kind.endswith("Link"):
        known = {"href", "target_name"} | {
            "AttributeLink": {"required", "mutable", "consumer_mutable"},
            "ParameterLink": {"required", "default_value"},
        }.get(kind, set())
        flags = [value[name] for name in ("required", "mutable", "consumer_mutable") if name in value]
        return {"href", "target_name"} <= set(value) <= known and all(isinstance(one, bool) for one in flags)
    if kind.endswith("Specification"):
        return isinstance(value, dict)
    if kind == "Timestamp":
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
    return isinstance(value, str | int | float) if kind.startswith("as ") else isinstance(value, str)


@cache
def as_written():
    """The standard's types, as they are written above."""
    found = {}
    for line in TYPES.strip().splitlines():
        kind, _, attributes = line.partition(": ")
        told = {}
        for one in attributes.split("; "):
            name, attribute_type, *flags = one.split(" ")
            told[name] = (attribute_type, "".join(flags))
        found[kind] = told
    return found


@pytest.mark.parametrize("kind", as_written())
def test_types_are_the_standards(seen, kind):
    definition = seen.definition(kind)
    told = {}
    for one in definition["attribute_definition_links"]:
        attribute = seen.resources[one["href"]]
        assert ("consumer_mutable" in one) == one["mutable"]
        flags = {"R": one["required"], "M": one["mutable"], "C": one.get("consumer_mutable")}
        told[one["target_name"]] = (
            attribute["attribute_type"],
            "".join(flag for flag, is_so in flags.items() if is_so),
        )
    ours = {name for name in told if name in OF_THE_EXTENSION.get(kind, ())}
    assert ours == OF_THE_EXTENSION.get(kind, set())
    expected = {name: said for name, said in as_written()[kind].items() if name not in NOT_OURS.get(kind, ())}
    if kind == "sensor":
        expected["value"] = ("as sensor_type says", "M")
    assert {name: said for name, said in told.items() if name not in ours} == expected
    inherited = [one["target_name"] for one in definition.get("inherits_from", ())]
    assert inherited == ([] if kind == "camp_resource" else ["camp_resource"])


def test_what_is_documented_is_at_the_address_that_says_so(seen):
    assert seen.documents
    for address in seen.documents:
        url, pointer = urldefrag(address)
        found = seen.platform.by("").get(url).json
        for part in filter(None, pointer.split("/")):
            found = found[part]
        assert found


def test_an_attribute_is_the_same_in_every_type_that_has_it(seen):
    for kind in as_written():
        schema = schema_of(seen, kind)
        for one in seen.definition(kind)["attribute_definition_links"]:
            attribute = seen.resources[one["href"]]
            assert attribute["description"] == schema["properties"][attribute["name"]]["description"], kind


def schema_of(seen, kind):
    url, pointer = urldefrag(seen.definition(kind)["documentation"])
    found = seen.platform.get(url).json
    for part in filter(None, pointer.split("/")):
        found = found[part]
    return found


def test_json_is_the_format_that_must_be_offered(world):
    (one,) = follow(world, "supported_formats_uri")["format_links"]
    told = world.get(one["href"]).json
    assert {name: told[name] for name in ("name", "mime_type", "version", "documentation")} == {
        "name": "JSON",
        "mime_type": "application/json",
        "version": "RFC4627",
        "documentation": "https://www.ietf.org/rfc/rfc4627.txt",
    }


@pytest.mark.parametrize("collection", ["assemblies_uri", "plans_uri"])
def test_what_may_be_posted_is_described(world, collection):
    parameters = follow(world, collection, "parameter_definitions_uri")
    told = {one["target_name"]: world.get(one["href"]).json for one in parameters["parameter_definition_links"]}
    assert {name: one["parameter_type"] for name, one in told.items()} == {
        "pdp_uri": "URI",
        "plan_uri": "URI",
        "pdp_file": "String",
        "plan_file": "String",
    }
    assert all(one["type"] == "parameter_definition" for one in told.values())


def test_names_and_tags_are_described_apart(world):
    told = world.get(f"{CAMP}/parameter_definitions/ndt_params").json
    assert [one["target_name"] for one in told["parameter_definition_links"]] == ["name", "description", "tags"]
    assert all(world.get(one["href"]).status == 200 for one in told["parameter_definition_links"])


@pytest.mark.parametrize("id", ["none", "%00", "%2e%2e", "caf%C3%A9"])
def test_what_is_not_there_is_not_found(seen, id):
    for uri in seen.answers:
        above, _, last = uri.rpartition("/")
        if last not in ("platform_endpoints", "camp_v1_1_endpoint"):
            answer = seen.platform.get(f"{above}/{id}")
            assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json"), uri


def test_json_is_all_that_there_is(seen):
    for uri in seen.answers:
        answer = seen.platform.get(uri, headers={"accept": "application/json"})
        assert answer.headers["content-type"].startswith("application/json")
        assert seen.platform.get(uri, headers={"accept": "image/png"}).status == 406


def test_parts_of_everything_can_be_selected(seen):
    for uri, answer in seen.answers.items():
        whole = answer.json
        for names in (["uri"], ["name", "type"], [*whole], ["description", "representation_skew", "name"]):
            part = seen.platform.get(uri, select_attr=",".join(names))
            expected = {name: whole[name] for name in names if name in whole}
            assert (part.status, part.json) == (200, expected), uri
            assert part.headers["etag"] == answer.headers["etag"]
        for bad in ("", ",", "nothing", "name,name", "name,nothing", "Name"):
            refused = seen.platform.get(f"{uri}?select_attr={bad}")
            assert (refused.status, refused.headers["content-type"]) == (400, "application/problem+json"), uri
            assert "select_attr" in refused.text


def test_select_attr_is_read_as_clients_write_it(world):
    uri = follow(world)["uri"]
    expected = {name: follow(world)[name] for name in ("name", "type")}
    for query in ("name,type", "name%2Ctype", "name,%20type%20", "name&select_attr=type", "name,type,"):
        assert world.get(f"{uri}?select_attr={query}").json == expected
    assert "/select_attr" in world.get(f"{uri}?select_attr=uri,missing").text
    assert "missing" in world.get(f"{uri}?select_attr=uri,missing").text


def test_everything_has_an_etag(seen):
    for uri, answer in seen.answers.items():
        tag = answer.headers["etag"]
        assert re.fullmatch(r'"[^"]+"', tag), uri
        same = seen.platform.get(uri, headers={"if-none-match": tag})
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
        assert seen.platform.get(uri, headers={"if-none-match": '"other"'}).status == 200
        assert seen.platform.get(uri, headers={"if-match": '"other"'}).status == 412
        head = seen.platform.request("HEAD", uri)
        assert (head.status, head.headers["etag"]) == (200, tag)


def test_what_can_not_be_done_is_refused_with_what_can(seen):
    patching = {"content-type": "application/json-patch+json"}
    for uri, resource in seen.resources.items():
        allowed = {"GET", "HEAD"}
        allowed |= {"PUT", "PATCH"} if resource["type"] in CHANGEABLE else set()
        allowed |= {"DELETE"} if resource["type"] in ("plan", "assembly") else set()
        allowed |= {"POST"} if resource["type"] in ("plans", "assemblies", "operation") else set()
        told = seen.platform.request("OPTIONS", uri)
        assert set(told.headers["allow"].split(", ")) == allowed, uri
        for method in {"PUT", "PATCH", "POST", "DELETE"} - allowed:
            headers = patching if method == "PATCH" else {"content-type": "application/json"}
            answer = seen.platform.request(method, uri, body=b"[]" if method == "PATCH" else b"{}", headers=headers)
            assert answer.status == 405, (method, uri)
            assert set(answer.headers["allow"].split(", ")) == allowed
    assert {uri: seen.platform.get(uri).json for uri in seen.answers} == seen.resources


def test_services_of_the_platform_itself_are_not_changed(world):
    uri = link(follow(world, "services_uri"), "python")
    whole = world.get(uri).json
    for answer in (
        world.put(uri, {**whole, "name": "other"}),
        world.put(f"{uri}?select_attr=name", {"name": "other"}),
        world.patch(uri, [{"op": "replace", "path": "/name", "value": "other"}]),
    ):
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert world.get(uri).json == whole


def test_a_resource_is_found_by_its_type_too(seen):
    names = {"plan": "plans", "assembly": "assemblies", "component": "components", "service": "services"}
    for resource in seen.of(*names):
        other = resource["uri"].replace(f"/{names[resource['type']]}/", f"/{resource['type']}/")
        answer = seen.platform.get(other)
        assert (answer.status, answer.json) == (200, resource)


# --- who sees what


def test_only_discovery_needs_no_token(seen):
    for uri, resource in seen.resources.items():
        expected = 200 if resource["type"] in DISCOVERY else 401
        assert seen.platform.by("").get(uri).status == expected
        assert seen.platform.get(uri, headers={"x-auth-token": "wrong"}).status == 401
    collections = (follow(seen.platform, "plans_uri")["uri"], follow(seen.platform, "assemblies_uri")["uri"])
    for uri in collections:
        assert seen.platform.by("").post(uri, {}).status == 401


def test_a_project_sees_what_is_its_own(seen):
    eve, bob, admin = (seen.platform.by(name) for name in ("eve", "bob", "admin"))
    own = {"plan", "assembly", "component", "operations", "operation", "sensors", "sensor"}
    hidden = [one for one in seen.resources.values() if one["type"] in own or one["name"].startswith("noted-")]
    assert {one["type"] for one in hidden} == own | {"service", "extension"}
    for one in hidden:
        assert (bob.get(one["uri"]).json, admin.get(one["uri"]).json) == (one, one)
        for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
            assert eve.request(method, one["uri"], body=b"{}").status in (404, 405), (method, one["uri"])
        assert eve.get(one["uri"]).status == 404
    theirs = Seen(eve)
    assert not {one["uri"] for one in hidden} & set(theirs.answers)
    assert {"plan_links", "assembly_links"} & {name for one in theirs.resources.values() for name in one} == set()
    assert {one["uri"] for one in hidden} <= set(Seen(bob).answers) & set(Seen(admin).answers)


def test_the_other_project_can_not_use_a_plan(world):
    plan = world.plan()
    eve = world.by("eve")
    for collection in ("assemblies_uri", "plans_uri"):
        assert eve.post(follow(eve, collection)["uri"], {"plan_uri": plan["uri"]}).status == 404
    assert world.by("bob").post(follow(world, "assemblies_uri")["uri"], {"plan_uri": plan["uri"]}).status == 201


# --- assemblies, components, operations, sensors


def test_an_assembly_is_made_of_components_that_lead_back(platform):
    assembly = platform.assembly()
    assert (assembly["status"], assembly["representation_skew"]) == ("DEPLOYMENT_COMPLETE", "NONE")
    parts = [platform.get(one["href"]).json for one in assembly["components"]]
    web, python, sqlite = parts
    assert [one["name"] for one in parts] == ["web", "python", "sqlite"]
    for one in parts:
        assert ("artifact" in one) != ("service" in one)
        assert one["assemblies"] == [{"href": assembly["uri"], "target_name": assembly["name"]}]
        assert (one["status"], one["representation_skew"]) == ("RUNNING", "NONE")
    assert web["artifact"] == "https://example.org/web.git#v1"
    assert [platform.get(one["service"]).json["name"] for one in (python, sqlite)] == ["python", "sqlite"]
    assert {one["href"] for one in web["related_components"]} == {python["uri"], sqlite["uri"]}
    for one in (python, sqlite):
        assert one["related_components"] == [{"href": web["uri"], "target_name": "web"}]
    native = platform.get(f"/v1/assemblies/{assembly['uuid']}").json
    assert (native["status"], native["name"]) == (assembly["status"], assembly["name"])
    assert len(native["components"]) == 3


@pytest.mark.parametrize("href", ["git@example.org:a/b.git", "my web app", "café/✓", "http://[", "%zz", "a#b"])
def test_a_component_says_what_it_is_made_of_as_the_plan_does(shared, href):
    text = PLAN.replace('"https://example.org/web.git#v1"', f'"{href}"')
    assembly = shared.assembly(text=text)
    assert shared.get(assembly["components"][0]["href"]).json["artifact"] == href


def test_a_service_that_two_artifacts_share_is_one_component(platform):
    text = PLAN + "  - name: worker\n    artifact_type: org.python:application\n    content: {{href: w}}\n"
    text += '    requirements: [{{requirement_type: "org.sql:database", fulfillment: "id:db"}}]\n'
    assembly = platform.assembly(text=text)
    assert [one["target_name"] for one in assembly["components"]] == ["web", "worker", "python", "sqlite"]
    sqlite = platform.get(link(assembly, "sqlite")).json
    assert [one["target_name"] for one in sqlite["related_components"]] == ["web", "worker"]


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ("unittest_cmd", "UNIT_TESTING_FAILED", "the tests failed"),
        ("build_cmd", "ERROR", "the build failed"),
        ("run_cmd", "ERROR_CODE_DEPLOYMENT", "it did not answer"),
    ],
)
def test_a_failure_is_told_to_the_one_who_deployed(shared, command, status, reason):
    assembly = shared.assembly(text=PLAN.replace("x-artifact: 1", f'{command}: "false"'))
    assert (assembly["status"], assembly["representation_skew"]) == (status, "NONE")
    assert assembly["reason"].startswith(reason)
    web = shared.get(link(assembly, "web")).json
    assert web["status"] == "ERROR"
    sensors = shared.get(assembly["sensors_uri"]).json
    assert shared.get(link(sensors, "state")).json["value"] == status
    assert "log" in [one["target_name"] for one in sensors["sensor_links"]]


def test_deleting_an_assembly_leaves_its_plan(platform):
    assembly = platform.assembly()
    parts = [one["href"] for one in assembly["components"]]
    assert platform.delete(assembly["plan_uri"]).status == 409
    assert platform.delete(assembly["uri"]).status == 204
    going = platform.get(assembly["uri"]).json
    assert (going["status"], going["representation_skew"]) == ("DELETING", "DESTROYING")
    assert {platform.get(one).json["representation_skew"] for one in parts} == {"DESTROYING"}
    assert platform.delete(assembly["uri"]).status == 204
    assert platform.patch(going["uri"], [{"op": "replace", "path": "/name", "value": "x"}]).status == 409
    assert platform.post(link(platform.get(going["operations_uri"]).json, "start"), {}).status == 409
    platform.settle()
    for uri in (assembly["uri"], assembly["operations_uri"], assembly["sensors_uri"], *parts):
        assert platform.get(uri).status == 404
    assert platform.delete(assembly["uri"]).status == 404
    assert platform.get(f"/v1/assemblies/{assembly['uuid']}").status == 404
    assert assembly["uri"] not in str(follow(platform, "assemblies_uri"))
    plan = platform.get(assembly["plan_uri"])
    assert plan.status == 200
    assert platform.delete(plan.json["uri"]).status == 204
    assert platform.delete(plan.json["uri"]).status == 404
    assert plan.json["uri"] not in str(follow(platform, "plans_uri"))


def test_a_deletion_by_the_native_api_is_seen(platform):
    assembly = platform.assembly()
    assert platform.delete(f"/v1/assemblies/{assembly['uuid']}").status == 204
    platform.settle()
    assert platform.get(assembly["uri"]).status == 404
    plan = platform.get(assembly["plan_uri"]).json
    assert platform.delete(f"/v1/plans/{plan['uuid']}").status == 202
    assert platform.get(plan["uri"]).status == 404


def operated(platform, assembly, name, body=None):
    """An assembly after something was done to it."""
    uri = link(platform.get(assembly["operations_uri"]).json, name)
    answer = platform.request("POST", uri, body)
    assert (answer.status, answer.json["uri"]) == (202, assembly["uri"]), answer.text
    platform.core.carry_out(AtOnce(), assembly["uuid"])
    return platform.get(assembly["uri"]).json


def test_an_assembly_is_operated_by_its_operations(platform):
    assembly = platform.assembly()
    told = platform.get(assembly["operations_uri"]).json
    assert told["target_resource"] == assembly["uri"]
    assert [one["target_name"] for one in told["operation_links"]] == ["start", "stop", "restart", "scale"]
    web = link(assembly, "web")
    for name, body, status, of_web in (
        ("stop", None, "STOPPED", "STOPPED"),
        ("stop", {}, "STOPPED", "STOPPED"),
        ("scale", {"instances": 3}, "STOPPED", "STOPPED"),
        ("start", None, "DEPLOYMENT_COMPLETE", "RUNNING"),
        ("scale", {"instances": 1}, "DEPLOYMENT_COMPLETE", "RUNNING"),
        ("scale", {"instances": 100}, "DEPLOYMENT_COMPLETE", "RUNNING"),
        ("restart", {}, "DEPLOYMENT_COMPLETE", "RUNNING"),
    ):
        after = operated(platform, assembly, name, body)
        assert (after["status"], platform.get(web).json["status"]) == (status, of_web), name
    assert platform.get(f"/v1/assemblies/{assembly['uuid']}").json["instances"] == 100


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        *(("scale", body, 400) for body in (None, {}, {"instances": 0}, {"instances": 101}, {"instances": -1})),
        *(("scale", {"instances": bad}, 400) for bad in ("2", True, None, 1.5, [1])),
        *((name, {"other": 1}, 400) for name in ("start", "scale")),
        *((name, [], 400) for name in ("stop", "restart")),
    ],
)
def test_what_an_operation_does_not_take_is_refused(shared, running, name, body, status):
    uri = link(shared.get(running["operations_uri"]).json, name)
    before = shared.get(running["uri"])
    answer = shared.request("POST", uri, body)
    assert answer.status == status
    assert shared.get(running["uri"]).json == before.json


@pytest.fixture(scope="module")
def running(shared):
    return shared.assembly()


@pytest.mark.parametrize("name", ["start", "stop", "restart", "scale"])
def test_what_is_not_deployed_can_not_be_operated(shared, name):
    made = shared.post(follow(shared, "assemblies_uri")["uri"], {"plan_uri": shared.plan()["uri"]}).json
    uri = link(shared.get(made["operations_uri"]).json, name)
    assert shared.post(uri, {"instances": 2} if name == "scale" else {}).status == 409
    shared.settle()
    assert shared.get(made["uri"]).json["status"] == "DEPLOYMENT_COMPLETE"


def test_what_is_only_noted_is_done_elsewhere(world, seen):
    (operation,) = [one for one in seen.of("operation") if one["name"] == "noted-operations"]
    answer = world.post(operation["uri"], {})
    assert (answer.status, "noted-operations" in answer.text) == (400, True)


def test_operations_say_what_they_take(shared, running):
    scale = shared.get(link(shared.get(running["operations_uri"]).json, "scale")).json
    (one,) = shared.get(scale["parameter_definitions_uri"]).json["parameter_definition_links"]
    assert (one["target_name"], shared.get(one["href"]).json["parameter_type"]) == ("instances", "Integer")


def test_sensors_tell_what_changes(shared, running):
    told = shared.get(running["sensors_uri"]).json
    assert told["target_resource"] == running["uri"]
    sensors = {one["target_name"]: shared.get(one["href"]).json for one in told["sensor_links"]}
    values = {name: (one["sensor_type"], one["value"]) for name, one in sensors.items()}
    assert values == {
        "state": ("str", "DEPLOYMENT_COMPLETE"),
        "instances": ("int", 1),
        "restarts": ("int", 0),
        "memory": ("int", 0),
        "uptime": ("float", 0.0),
        "log": ("str", ""),
    }
    assert all(one["target_resource"] == running["uri"] for one in sensors.values())


def test_what_users_note_is_shown_as_far_as_it_can_be(seen):
    sensors = {one["name"]: one for one in seen.of("sensor")}
    assert (sensors["load"]["sensor_type"], sensors["load"]["value"]) == ("float", 0.5)
    assert sensors["noted-sensors"]["sensor_type"] == "str"
    assert not {"value", "timestamp"} & set(sensors["noted-sensors"])


def test_lists_are_read_at_once_however_long_they_are(platforms):
    platform = platforms()
    counted = []
    event.listen(platform.core.database.engine, "before_cursor_execute", lambda *told: counted.append(told[2]))
    asked = {}
    for length in (2, 8):
        while len(follow(platform, "assemblies_uri").get("assembly_links", ())) < length:
            platform.assembly()
        for name in ("assemblies_uri", "plans_uri", "services_uri", "extensions_uri"):
            uri = follow(platform, name)["uri"]
            counted.clear()
            assert platform.get(uri).status == 200
            asked.setdefault(name, []).append(len(counted))
    assert all(first == second > 0 for first, second in asked.values()), asked


def test_the_extension_is_declared(world):
    found = world.get(link(follow(world, "extensions_uri"), "org.apifold.platform")).json
    assert (found["type"], found["version"]) == ("extension", "1.0")
