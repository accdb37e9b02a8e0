"""Descriptions of every kind are served as they are written."""

from __future__ import annotations

import pytest
import yaml

from apifold import Settings
from apifold.testing import client


@pytest.mark.parametrize("version", ["3.0.4", "3.1.1", "3.2.0"])
def test_openapi_3_is_served(write, serve, version):
    folder = write(
        api_yaml=f"""
        openapi: {version}
        info: {{title: T, version: "1"}}
        servers: [{{url: "https://example.com/t/v1"}}]
        paths:
          /x:
            get:
              x-apifold: {{binding: {{static: {{value: {{ok: true}}}}}}}}
              responses: {{"200": {{description: ok}}}}
        """
    )
    api = serve(folder)
    assert api.get("/t/v1/x").json == {"ok": True}
    assert api.get("/t/v1/openapi.json").json["openapi"] == version
    assert yaml.safe_load(api.get("/t/v1/openapi.yaml").body)["openapi"] == version
    assert api.get("/t/v1/swagger.json").status == 404


def test_openapi_3_2_has_more_methods(write, serve):
    folder = write(
        api_yaml="""
        openapi: 3.2.0
        info: {title: T, version: "1"}
        paths:
          /x:
            query:
              x-apifold: {binding: {static: {value: queried}}}
              responses: {"200": {description: ok}}
            additionalOperations:
              COPY:
                x-apifold: {binding: {static: {value: copied}}}
                responses: {"200": {description: ok}}
        """
    )
    api = serve(folder)
    assert api.request("QUERY", "/x").json == "queried"
    assert api.request("COPY", "/x").json == "copied"
    assert api.get("/x").headers["allow"] == "COPY, QUERY"


def test_swagger_2_is_served(write, serve):
    folder = write(
        api_yaml="""
        swagger: "2.0"
        info: {title: T, version: "1"}
        basePath: /t
        consumes: [application/json]
        produces: [application/json]
        securityDefinitions: {key: {type: apiKey, in: header, name: X-Key}}
        paths:
          /things:
            parameters: [{$ref: "#/parameters/tags"}]
            get:
              operationId: handlers.list_things
              parameters:
                - {name: since, in: query, type: integer, minimum: 1, exclusiveMinimum: true}
              responses: {200: {$ref: "#/responses/Things"}}
            post:
              operationId: handlers.make_thing
              parameters:
                - {name: thing, in: body, required: true, schema: {$ref: "#/definitions/Thing"}}
              responses: {201: {description: made, schema: {$ref: "#/definitions/Thing"}}}
          /upload:
            post:
              operationId: handlers.upload
              consumes: [multipart/form-data]
              parameters:
                - {name: file, in: formData, type: file, required: true}
                - {name: note, in: formData, type: string}
              responses: {200: {description: ok, schema: {type: object}}}
        parameters:
          tags: {name: tags, in: query, type: array, items: {type: string}, collectionFormat: pipes}
        responses:
          Things: {description: all, schema: {type: array, items: {$ref: "#/definitions/Thing"}}}
        definitions:
          Thing:
            type: object
            required: [name]
            properties: {name: {type: string}, size: {type: integer, x-nullable: true}}
        """,
        handlers_py="""
        def list_things(tags=(), since=None):
            return [{"name": tag} for tag in tags]
        def make_thing(thing, tags=()):
            return thing, 201
        def upload(file, note=""):
            return {"name": file.filename, "size": len(file.content), "note": note}
        """,
    )
    api = serve(folder)
    assert api.get("/t/things?tags=a|b").json == [{"name": "a"}, {"name": "b"}]
    assert api.get("/t/things?since=1").json["errors"][0]["detail"] == "must be more than 1"
    assert api.post("/t/things", json={"name": "a", "size": None}).status == 201
    assert api.post("/t/things", json={"size": "x"}).status == 400
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nhi\r\n--x--\r\n'
    sent = api.post("/t/upload", body=form, headers={"content-type": "multipart/form-data; boundary=x"})
    assert sent.json == {"name": "a.txt", "size": 5, "note": "hi"}
    assert (
        api.post(
            "/t/upload",
            body=form.replace(b'name="file"', b'name="fle"'),
            headers={"content-type": "multipart/form-data; boundary=x"},
        ).status
        == 400
    )
    assert api.get("/t/swagger.json").json["swagger"] == "2.0"


def test_a_description_in_json_is_the_same(write, serve):
    folder = write(
        api_json="""{"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {"/x": {"get":
        {"x-apifold": {"binding": {"static": {"value": 1}}}, "responses": {"200": {"description": "ok"}}}}}}"""
    )
    assert serve(folder).get("/x").json == 1


def test_a_description_may_be_split_over_files(write, serve):
    folder = write(
        api_yaml="""
        openapi: 3.1.0
        info: {title: T, version: "1"}
        paths:
          /trees: {$ref: "paths/trees.yaml#/trees"}
        components:
          parameters:
            Depth: {$ref: "parts/parameters.yaml#/Depth"}
        """,
        paths__trees_yaml="""
        trees:
          parameters: [{$ref: "../parts/parameters.yaml#/Depth"}]
          post:
            x-apifold: {binding: {static: {value: planted}}}
            requestBody: {required: true, content: {application/json: {schema: {$ref: "../parts/schemas.yaml#/Tree"}}}}
            responses: {"200": {$ref: "../parts/schemas.yaml#/Planted"}}
        """,
        parts__parameters_yaml="Depth: {name: depth, in: query, schema: {$ref: 'schemas.yaml#/Depth'}}",
        parts__schemas_yaml="""
        Depth: {type: integer, maximum: 3}
        Tree: {type: object, required: [name], properties: {name: {type: string}, branches: {type: array, items: {$ref: "#/Tree"}}, root: {$ref: "../api.yaml#/info/x-root"}}}
        Planted: {description: ok, content: {application/json: {schema: {type: string}}}}
        """,
    )
    text = (folder / "api.yaml").read_text().replace('version: "1"}', 'version: "1", x-root: {type: boolean}}')
    (folder / "api.yaml").write_text(text)
    api = serve(folder)
    assert api.post("/trees", json={"name": "a", "branches": [{"name": "b", "branches": []}]}).json == "planted"
    refused = api.post("/trees?depth=4", json={"name": "a", "branches": [{"name": 1}]}).json["errors"]
    assert {(one["in"], one["pointer"]) for one in refused} == {("query", "/depth"), ("body", "/branches/0/name")}
    served = api.get("/openapi.json").json
    assert "Tree" in served["components"]["schemas"]
    assert ".yaml" not in str(served)


def test_an_overlay_beside_a_description_is_applied(write, serve):
    folder = write(
        api_yaml="""
        openapi: 3.1.0
        info: {title: T, version: "1"}
        paths:
          /x: {get: {x-apifold: {binding: mock}, responses: {"200": {description: ok}}}}
          /secret: {get: {x-apifold: {binding: mock}, responses: {"200": {description: ok}}}}
        """,
        **{
            "api.overlay_yaml": """
        overlay: 1.0.0
        info: {title: ours, version: "1"}
        actions:
          - {target: $.info, update: {title: Ours}}
          - {target: "$.paths['/secret']", remove: true}
        """
        },
    )
    api = serve(folder)
    assert api.get("/openapi.json").json["info"]["title"] == "Ours"
    assert api.get("/x").status == 200
    assert api.get("/secret").status == 404


def test_controllers_in_the_style_of_connexion_run_unchanged(write, serve):
    folder = write(
        api_yaml="""
        openapi: 3.0.0
        info: {title: T, version: "1"}
        paths:
          /pets/{pet_id}:
            parameters: [{name: pet_id, in: path, required: true, schema: {type: integer}}]
            get:
              operationId: pets.api.controllers.pet.get_pet
              parameters: [{name: verbose-level, in: query, schema: {type: integer, default: 1}}, {name: class, in: query, schema: {type: string}}]
              responses: {"200": {description: ok}, default: {description: error}}
            put:
              operationId: pets.api.controllers.pet.put_pet
              requestBody: {content: {application/json: {schema: {type: object}}}}
              responses: {"200": {description: ok}, "201": {description: made}}
            delete:
              operationId: pets.api.controllers.pet.delete_pet
              responses: {"204": {description: gone}}
        """,
        pets____init___py="",
        pets__api____init___py="",
        pets__api__controllers____init___py="",
        pets__api__controllers__pet_py="""
        def get_pet(pet_id, verbose_level, class_=None):
            return {"id": pet_id, "level": verbose_level, "class": class_}
        async def put_pet(pet_id, body):
            return {"id": pet_id, **body}, 201, {"X-Made": "yes"}
        def delete_pet(**kwargs):
            return None
        """,
    )
    api = serve(folder)
    assert api.get("/pets/3?class=cat").json == {"id": 3, "level": 1, "class": "cat"}
    made = api.put("/pets/3", json={"a": 1})
    assert (made.status, made.json, made.headers["x-made"]) == (201, {"id": 3, "a": 1}, "yes")
    assert api.delete("/pets/3").status == 204
    assert api.get("/pets/x").status == 400


def test_order_of_files_does_not_matter_and_the_longest_base_wins(write, serve):
    text = """
    openapi: 3.1.0
    info: {{title: "{0}", version: "1"}}
    servers: [{{url: {0}}}]
    paths: {{{1}: {{get: {{x-apifold: {{binding: {{static: {{value: "{0}"}}}}}}, responses: {{"200": {{description: ok}}}}}}}}}}
    """
    folder = write(c_yaml=text.format("/", "/x"), a_yaml=text.format("/v1", "/x"), b_yaml=text.format("/v1/deep", "/x"))
    api = serve(folder)
    assert api.get("/x").json == "/"
    assert api.get("/v1/x").json == "/v1"
    assert api.get("/v1/deep/x").json == "/v1/deep"
    assert api.get("/v1/nope").status == 404
    assert api.get("/v1/deep/openapi.json").json["info"]["title"] == "/v1/deep"
    assert {one["name"] for one in api.get("/").json["apis"]} == {"a", "b", "c"}


def test_several_targets_are_served_below_their_names(write, serve, tmp_path):
    text = 'openapi: 3.1.0\ninfo: {title: T, version: "1"}\nservers: [{url: /v1}]\npaths: {/x: {get: {x-apifold: {binding: mock}, responses: {"200": {description: ok}}}}}\n'
    folder = write(one__a_yaml=text, two__b_yaml=text)
    api = serve(folder / "one", folder / "two")
    assert api.get("/one/v1/x").status == 200
    assert api.get("/two/v1/x").status == 200
    assert api.get("/two/v1/openapi.json").json["servers"] == [{"url": "/two/v1"}]


def test_a_deployment_changes_an_api_without_touching_its_file(write):
    folder = write(
        api_yaml="""
        openapi: 3.1.0
        info: {title: T, version: "1"}
        servers: [{url: /v1}]
        paths:
          /x:
            get:
              operationId: nowhere.at_all
              parameters: [{name: n, in: query, schema: {type: integer}}]
              responses: {"200": {description: ok}}
        """,
        apifold_yaml="""
        apis:
          api: {base_path: /moved, status: DEPRECATED, implementation: mock, validation: {request: "off"}}
        """,
    )
    from apifold import settings as read

    chosen = read.load(folder, {"state": ""}, {})
    with client(folder, settings=chosen) as api:
        assert api.get("/moved/x?n=x").status == 200
        assert api.get("/v1/x").status == 404
        assert api.get("/").json["apis"][0]["status"] == "DEPRECATED"
        assert api.get("/moved/openapi.json").json["servers"] == [{"url": "/moved"}]
    off = Settings(state="", apis=read.load(None, {"apis": {"api": {"enabled": False}}}, {}).apis)
    with client(folder, settings=off) as api:
        assert api.get("/").json["apis"] == []


def test_a_discriminator_chooses_what_is_checked(write, serve):
    folder = write(
        api_yaml="""
        openapi: 3.0.3
        info: {title: T, version: "1"}
        paths:
          /pets:
            post:
              x-apifold: {binding: mock, unknown: reject}
              requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
              responses: {"200": {description: ok}}
        components:
          schemas:
            Pet:
              oneOf: [{$ref: "#/components/schemas/Cat"}, {$ref: "#/components/schemas/Dog"}]
              discriminator: {propertyName: kind, mapping: {cat: "#/components/schemas/Cat"}}
            Cat: {type: object, required: [kind, lives], properties: {kind: {type: string}, lives: {type: integer, nullable: true}}}
            Dog: {type: object, required: [kind], properties: {kind: {type: string}, bark: {type: integer, minimum: 0, exclusiveMinimum: true}}}
        """
    )
    api = serve(folder)
    assert api.post("/pets", json={"kind": "cat", "lives": None}).status == 200
    assert api.post("/pets", json={"kind": "Dog", "bark": 1}).status == 200

    def told(body):
        return [(one["pointer"], one["detail"]) for one in api.post("/pets", json=body).json["errors"]]

    assert told({"kind": "cat"}) == [("/lives", "is missing")]
    assert told({"kind": "Dog", "bark": 0}) == [("/bark", "must be more than 0")]
    assert told({"kind": "cow"}) == [("/kind", 'must be one of "Dog", "cat"')]
    assert ("/lives", "is missing") not in told({})


def test_the_whole_query_may_be_one_parameter(write, serve):
    folder = write(
        api_yaml="""
        openapi: 3.2.0
        info: {title: T, version: "1"}
        paths:
          /x:
            get:
              operationId: asked.find
              parameters:
                - name: filter
                  in: querystring
                  required: true
                  content: {application/x-www-form-urlencoded: {schema: {type: object, required: [a], properties: {a: {type: integer}, b: {type: array, items: {type: string}}}}}}
              responses: {"200": {description: ok}}
        """,
        asked_py="def find(filter):\n    return filter\n",
    )
    api = serve(folder)
    assert api.get("/x?a=1&b=x&b=y").json == {"a": 1, "b": ["x", "y"]}
    assert api.get("/x?a=x").json["errors"] == [{"in": "query", "pointer": "/a", "detail": "must be an integer"}]
    assert api.get("/x").status == 400


MOCKED = """
openapi: 3.1.0
info: {title: T, version: "1"}
paths:
  /example: {get: {responses: {"200": {description: ok, content: {application/json: {schema: {type: integer}, example: 42}}}}}}
  /wrong: {get: {responses: {"200": {description: ok, content: {application/json: {schema: {type: integer}, example: text}}}}}}
  /made:
    get:
      operationId: not.written_yet
      responses:
        "202": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
  /text: {get: {responses: {"200": {description: ok, content: {text/plain: {schema: {type: string, example: hello}}}}}}}
  /gone: {delete: {responses: {"204": {description: ok}}}}
  /moved: {get: {responses: {"302": {description: elsewhere}}}}
components:
  schemas:
    Thing:
      type: object
      required: [id, next]
      properties:
        id: {type: string, format: uuid}
        secret: {type: string, writeOnly: true}
        next: {anyOf: [{$ref: "#/components/schemas/Thing"}, {type: "null"}]}
        when: {type: string, format: date-time}
"""


def test_a_mock_answers_before_there_is_code(write, serve):
    folder = write(api_yaml=MOCKED)
    api = serve(folder, implementation="mock", validation_response="reject")
    assert api.get("/example").json == 42
    assert isinstance(api.get("/wrong").json, int)
    made = api.get("/made")
    assert (made.status, "secret" in made.json, made.json["when"]) == (202, False, "2026-01-01T12:00:00Z")
    assert made.json == serve(folder, implementation="mock").get("/made").json
    assert (api.get("/text").text, api.get("/text").headers["content-type"]) == ("hello", "text/plain")
    assert (api.delete("/gone").status, api.delete("/gone").body) == (204, b"")
    assert api.get("/moved").status == 302


def test_a_static_answer_is_a_value_or_a_file(write, serve):
    folder = write(
        api_yaml="""
        openapi: 3.1.0
        info: {title: T, version: "1"}
        paths:
          /value: {get: {x-apifold: {binding: {static: {value: [1], headers: {X-A: b}}}}, responses: {"200": {description: ok}}}}
          /file: {get: {x-apifold: {binding: {static: {file: page.html}}}, responses: {"200": {description: ok}}}}
        """,
        **{"page.html": "<p>hi</p>"},
    )
    api = serve(folder)
    assert (api.get("/value").json, api.get("/value").headers["x-a"]) == ([1], "b")
    assert (api.get("/file").text, api.get("/file").headers["content-type"]) == ("<p>hi</p>", "text/html")
    (folder / "api.yaml").write_text((folder / "api.yaml").read_text().replace("page.html", "../../etc/passwd"))
    from apifold.errors import DescriptionErrors

    with pytest.raises(DescriptionErrors, match="no file"):
        serve(folder).get("/file")
