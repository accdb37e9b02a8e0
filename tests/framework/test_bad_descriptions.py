"""What is wrong with a file is told when it is loaded: all of it, with file, line and what to do."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field

import pytest

from apifold.application import check
from apifold.description import ParsedFiles, Sources, load
from apifold.errors import DescriptionErrors
from apifold.settings import Settings

HEAD = """
    openapi: 3.1.0
    info: {title: T, version: "1"}
    paths:
"""

GET = """
        get:
          x-apifold: {binding: mock}
          responses: {"200": {description: ok}}
"""


@dataclass
class Case:
    """Files, and what is wrong with them: line of `api.yaml` (or `file:line`) and a word of the message."""

    files: dict[str, str | bytes]
    errors: list[tuple[str, str]] = field(default_factory=list)


def api(body: str, *errors: tuple[str, str], **files: str) -> Case:
    """A case whose `api.yaml` begins with three good lines."""
    text = 'openapi: 3.1.0\ninfo: {title: T, version: "1"}\nservers: [{url: /t}]\n' + textwrap.dedent(body).lstrip("\n")
    named = {
        name.replace("_yaml", ".yaml").replace("_py", ".py").replace("_json", ".json"): text
        for name, text in files.items()
    }
    return Case(
        {"api.yaml": text, **named},
        [(f"api.yaml:{place}" if place.isdigit() else place, says) for place, says in errors],
    )


def one(body: str, *errors: tuple[str, str], **files: str) -> Case:
    """A case with one operation, GET /x, whose keys are given; its first key stands on line 7."""
    return api(
        f"paths:\n  /x:\n    get:\n{textwrap.indent(textwrap.dedent(body).strip(), '      ')}\n", *errors, **files
    )


OK = 'responses: {"200": {description: ok}}'
MOCK = "x-apifold: {binding: mock}"
HANDLERS = {"handlers_py": "def get_x():\n    return {}\n"}

CASES = {
    "unclosed quote": Case({"api.yaml": "openapi: '3.1.0\ninfo: x\n"}, [("api.yaml:1", "not YAML")]),
    "bad indentation": Case({"api.yaml": "openapi: 3.1.0\n  info: x\n"}, [("api.yaml:2", "not YAML")]),
    "a tab": Case({"api.yaml": "openapi: 3.1.0\npaths:\n\t/x: 1\n"}, [("api.yaml:3", "not YAML")]),
    "duplicate keys": Case({"api.yaml": "openapi: 3.1.0\ninfo: 1\ninfo: 2\n"}, [("api.yaml:3", "'info' stands twice")]),
    "duplicate keys in JSON": Case(
        {"api.json": '{"openapi": "3.1.0",\n "info": 1,\n "info": 2}'}, [("api.json:3", "twice")]
    ),
    "broken JSON": Case({"api.json": '{"openapi": "3.1.0",\n "info": }'}, [("api.json:2", "not JSON")]),
    "NaN in JSON": Case({"api.json": '{"openapi": NaN}'}, [("api.json", "NaN")]),
    "an alias bomb": Case(
        {
            "api.yaml": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{n}: &{n} [{','.join(['*' + p] * 10)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True))
        },
        [("api.yaml", "aliases counted")],
    ),
    "an alias of itself": Case({"api.yaml": "a: &a [*a]\n"}, [("api.yaml:1", "contains itself")]),
    "an unknown tag": Case({"api.yaml": "a: !!python/object:os.system x\n"}, [("api.yaml:1", "tag")]),
    "not UTF-8": Case({"api.yaml": b"openapi: 3.1.0\ninfo: \xff\n"}, [("api.yaml", "UTF-8")]),
    "an empty file": Case({"api.yaml": ""}, [("api.yaml:1", "no API description")]),
    "a list": Case({"api.yaml": "- 1\n"}, [("api.yaml:1", "a list")]),
    "neither openapi nor swagger": Case({"api.yaml": "info: {}\n"}, [("api.yaml:1", "openapi")]),
    "an unknown version": Case({"api.yaml": "openapi: 4.0.0\ninfo: {}\n"}, [("api.yaml:1", "4.0.0 is not read")]),
    "a version that is a number": Case({"api.yaml": "swagger: 2.0\ninfo: {}\n"}, [("api.yaml:1", "number")]),
    "no title": Case({"api.yaml": 'openapi: 3.1.0\ninfo: {version: "1"}\npaths: {}\n'}, [("api.yaml:2", "`title`")]),
    "no paths": Case({"api.yaml": 'openapi: 3.0.0\ninfo: {title: T, version: "1"}\n'}, [("api.yaml:1", "`paths`")]),
    "a parameter without in": one(f"{MOCK}\n{OK}\nparameters:\n  - {{name: a, schema: {{}}}}", ("10", "`in`")),
    "a response without description": one(f'{MOCK}\nresponses: {{"200": {{}}}}', ("8", "`description`")),
    "an unknown status": one(f'{MOCK}\nresponses: {{"20x": {{description: x}}}}', ("8", "20x"), ("8", "`default`")),
    "an unknown key": one(f"{MOCK}\n{OK}\nsumary: x", ("9", "`sumary`")),
    "a dangling reference": one(
        f'{MOCK}\nresponses: {{"200": {{description: x, content: {{application/json: {{schema: {{$ref: "#/components/schemas/No"}}}}}}}}}}',
        ("8", "leads nowhere"),
    ),
    "a dangling file": one(f'{MOCK}\nresponses:\n  "200": {{$ref: "no.yaml#/x"}}', ("9", "no such file")),
    "a pointer that is not in the file": one(
        f'{MOCK}\nresponses:\n  "200": {{$ref: "parts.yaml#/no"}}',
        ("9", "leads nowhere"),
        parts_yaml="yes: {description: x}\n",
    ),
    "a reference out of the directory": one(
        f'{MOCK}\nresponses:\n  "200": {{$ref: "../../../../etc/passwd#/x"}}', ("9", "outside")
    ),
    "a remote reference": one(
        f'{MOCK}\nresponses:\n  "200": {{$ref: "https://example.com/x.yaml#/x"}}', ("9", "not followed")
    ),
    "a reference to itself": api(
        f"""
        paths:
          /x: {{get: {{{MOCK}, {OK}}}}}
        components:
          schemas:
            A: {{$ref: "#/components/schemas/B"}}
            B: {{$ref: "#/components/schemas/A"}}
        """,
        ("8", "back to itself"),
        ("9", "back to itself"),
    ),
    "no handler and no binding": one(OK, ("6", "neither an operationId nor a binding")),
    "no such module": one(f"operationId: handlers.get_x\n{OK}", ("7", "handlers")),
    "no such function": one(f"operationId: handlers.get_y\n{OK}", ("7", "has no 'get_y'"), **HANDLERS),
    "a function of the system": one(f"operationId: os.system\n{OK}", ("7", "outside")),
    "a function through a module": one(
        f"operationId: handlers2.os.system\n{OK}", ("7", "through a module"), handlers2_py="import os\n"
    ),
    "a function from elsewhere": one(
        f"operationId: handlers3.system\n{OK}", ("7", "comes from"), handlers3_py="from os import system\n"
    ),
    "a module that fails": one(
        f"operationId: handlers4.get_x\n{OK}",
        ("7", "ZeroDivisionError"),
        ("handlers4.py:2", "ZeroDivisionError"),
        handlers4_py="x = 1\n1 / 0\n",
    ),
    "no dot in the name": one(f"operationId: get_x\n{OK}", ("7", "names no function")),
    "an argument that nothing gives": one(
        f"operationId: handlers5.get_x\n{OK}",
        ("7", "'size', which nothing gives"),
        handlers5_py="def get_x(size):\n    pass\n",
    ),
    "a parameter that is not taken": one(
        f"operationId: handlers6.get_x\n{OK}\nparameters: [{{name: size, in: query, schema: {{}}}}]",
        ("7", "does not take query parameter 'size'"),
        handlers6_py="def get_x():\n    pass\n",
    ),
    "a body that is not taken": one(
        f"operationId: handlers7.get_x\n{OK}\nrequestBody: {{content: {{application/json: {{}}}}}}",
        ("7", "does not take the `body`"),
        handlers7_py="def get_x():\n    pass\n",
    ),
    "one operationId twice": api(
        """
        paths:
          /x: {get: {operationId: a, responses: {"200": {description: x}}}}
          /y: {get: {operationId: a, responses: {"200": {description: x}}}}
        """,
        ("6", "stands twice (first on line 5)"),
    ),
    "an undeclared path parameter": api(f"paths:\n  /x/{{id}}:\n    get:\n      {MOCK}\n      {OK}\n", ("6", "'id'")),
    "a path parameter that is not in the path": one(
        f"{MOCK}\n{OK}\nparameters: [{{name: id, in: path, required: true, schema: {{}}}}]", ("9", "not in /x")
    ),
    "a path parameter that is not required": api(
        f"paths:\n  /x/{{id}}:\n    get:\n      {MOCK}\n      {OK}\n      parameters: [{{name: id, in: path, schema: {{}}}}]\n",
        ("9", "`required`"),
    ),
    "an action beside a plain operation": api(
        f"paths:\n  /x#go:\n    post: {{{MOCK}, {OK}}}\n  /x:\n    post: {{{MOCK}, {OK}}}\n",
        ("6", "is hidden by POST /x"),
    ),
    "two templates that mean the same": api(
        f"paths:\n  /x/{{a}}:\n    get: {{{MOCK}, {OK}, parameters: [{{name: a, in: path, required: true, schema: {{}}}}]}}\n"
        f"  /x/{{b}}:\n    get: {{{MOCK}, {OK}, parameters: [{{name: b, in: path, required: true, schema: {{}}}}]}}\n",
        ("8", "means the same"),
    ),
    "a regular expression that does not compile": one(
        f"{MOCK}\n{OK}\nparameters: [{{name: a, in: query, schema: {{type: string, pattern: '(('}}}}]",
        ("9", "regular expression"),
    ),
    "an unknown type": one(
        f"{MOCK}\n{OK}\nparameters: [{{name: a, in: query, schema: {{type: strng}}}}]", ("9", "strng")
    ),
    "a bound that is text": one(
        f'{MOCK}\n{OK}\nparameters: [{{name: a, in: query, schema: {{type: integer, minimum: "five"}}}}]',
        ("9", "minimum"),
    ),
    "an example that breaks its schema": one(
        f"{MOCK}\n{OK}\nparameters:\n  - name: a\n    in: query\n    schema: {{type: integer}}\n    example: x",
        ("13", "must be an integer"),
    ),
    "a default that breaks its schema": one(
        f"{MOCK}\n{OK}\nparameters:\n  - name: a\n    in: query\n    schema: {{type: integer, default: x}}",
        ("12", "default"),
    ),
    "an unknown key of the document": api(
        f"x-apifold: {{servic: a}}\npaths:\n  /x: {{get: {{{MOCK}, {OK}}}}}\n", ("4", "did you mean `service`")
    ),
    "an unknown key of an operation": one(
        f"x-apifold: {{binding: mock, polici: a}}\n{OK}", ("7", "did you mean `policy`")
    ),
    "an unknown key of a property": api(
        f"paths:\n  /x: {{get: {{{MOCK}, {OK}}}}}\ncomponents:\n  schemas:\n    A:\n      properties:\n        a: {{x-apifold: {{read_only_reson: x}}}}\n",
        ("10", "read_only_reason"),
    ),
    "an unknown key of a parameter": one(
        f"{MOCK}\n{OK}\nparameters:\n  - {{name: a, in: query, schema: {{}}, x-apifold: {{sinc: 1}}}}", ("10", "sinc")
    ),
    "an unknown dialect": api(
        f"x-apifold: {{errors: klingon}}\npaths:\n  /x: {{get: {{{MOCK}, {OK}}}}}\n", ("4", "klingon")
    ),
    "an unknown trait": one(f"x-apifold: {{binding: mock, traits: [shiny]}}\n{OK}", ("7", "shiny")),
    "a trait that can't work": one(f"x-apifold: {{binding: mock, traits: [json-patch]}}\n{OK}", ("7", "PATCH")),
    "an unknown binding": one(f"x-apifold: {{binding: magic}}\n{OK}", ("7", "magic")),
    "an unknown status of an API": api(
        f"x-apifold: {{status: BEST}}\npaths:\n  /x: {{get: {{{MOCK}, {OK}}}}}\n", ("4", "CURRENT")
    ),
    "an unknown auth method": api(
        f"x-apifold: {{auth: nose}}\npaths:\n  /x: {{get: {{{MOCK}, {OK}}}}}\n", ("4", "nose")
    ),
    "an undefined security scheme": one(f"{MOCK}\n{OK}\nsecurity: [{{key: []}}]", ("9", "'key'")),
    "two files with one base path": api(
        f"paths:\n  /x: {{get: {{{MOCK}, {OK}}}}}\n",
        ("1", "other.yaml"),
        ("other.yaml:1", "api.yaml"),
        other_yaml=f'openapi: 3.1.0\ninfo: {{title: T, version: "1"}}\nservers: [{{url: /t}}]\npaths: {{/y: {{get: {{{MOCK}, {OK}}}}}}}\n',
    ),
    "a path that another API hides": api(
        f"paths:\n  /y/x: {{get: {{{MOCK}, {OK}}}}}\n",
        ("5", "hidden by"),
        other_yaml=f'openapi: 3.1.0\ninfo: {{title: T, version: "1"}}\nservers: [{{url: /t/y}}]\npaths: {{/z: {{get: {{{MOCK}, {OK}}}}}}}\n',
    ),
    "an operation without a rule": one(
        f"{MOCK}\n{OK}", ("6", "neither public nor bound"), policy_yaml='"x:read": "@"\n'
    ),
    "an unknown rule": one(
        f"x-apifold: {{binding: mock, policy: x:rite}}\n{OK}", ("7", "x:rite"), policy_yaml='"x:read": "@"\n'
    ),
    "a rule without a policy file": one(f"x-apifold: {{binding: mock, policy: x:read}}\n{OK}", ("7", "no policy file")),
    "a policy that can't be read": one(
        f"x-apifold: {{binding: mock, policy: x:read}}\n{OK}",
        ("policy.yaml:1", "missing"),
        policy_yaml='"x:read": "role:a and"\n',
    ),
    "an overlay for nothing": Case(
        {"a.overlay.yaml": "overlay: 1.0.0\ninfo: {title: x, version: '1'}\nactions: []\n"},
        [("a.overlay.yaml", "no description")],
    ),
    "an overlay that finds nothing": api(
        f"paths:\n  /x: {{get: {{{MOCK}, {OK}}}}}\n",
        ("api.overlay.yaml:4", "names nothing"),
        **{
            "api.overlay_yaml": "overlay: 1.0.0\ninfo: {title: x, version: '1'}\nactions:\n  - {target: $.nope, update: {a: 1}}\n"
        },
    ),
    "a model without fields": Case({"m.yaml": "model: host\npath: /hosts\n"}, [("m.yaml:1", "fields")]),
    "a model with a misspelt key": Case(
        {"m.yaml": "model: host\npath: /hosts\nfields: {a: {type: string}}\nfilters: [a]\n"},
        [("m.yaml:4", "did you mean `filter`")],
    ),
    "a model whose filter is no field": Case(
        {"m.yaml": "model: host\npath: /hosts\nfields: {a: {type: string}}\nfilter: [b]\n"}, [("m.yaml:4", "`b`")]
    ),
    "a model whose field is no schema": Case(
        {"m.yaml": "model: host\npath: /hosts\nfields:\n  a: {type: strng}\n"}, [("m.yaml:4", "strng")]
    ),
    "several mistakes": one(
        'operationId: handlers.nope\nsumary: x\nresponses: {"200": {}}\nparameters: [{name: id, in: path, required: true, schema: {}}]',
        ("8", "sumary"),
        ("9", "`description`"),
        ("10", "not in /x"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_everything_wrong_is_told_with_its_place(name, tmp_path):
    case = CASES[name]
    for file, content in case.files.items():
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = check((str(tmp_path),), Settings())
    told = [str(error) for error in found]
    for place, says in case.errors:
        file, _, line = place.partition(":")
        assert any(
            error.file.endswith(f"/{file}")
            and (not line or error.line == int(line))
            and says.lower() in str(error).lower()
            for error in found
        ), (place, says, told)
    assert len(found) == len(case.errors), told


def test_a_handler_that_may_be_named_by_setting(tmp_path):
    text = 'openapi: 3.1.0\ninfo: {title: T, version: "1"}\npaths:\n  /x: {get: {operationId: platform.node, responses: {"200": {description: ok}}}}\n'
    (tmp_path / "api.yaml").write_text(text)
    assert check((str(tmp_path),), Settings())
    allowed = Settings(handlers=("platform",))
    assert check((str(tmp_path),), allowed) == ()


def test_a_large_description_is_told_each_mistake_once(tmp_path):
    paths = {f"/x{number}": {"get": {"responses": {"200": {"description": "ok"}}}} for number in range(120)}
    paths["/x119"] = {"fetch": {}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "pathz": {},
        "paths": paths,
        "components": {"schemaz": {}, "schemas": {f"S{number}": {"type": "object"} for number in range(120)}},
    }
    file = tmp_path / "api.json"
    file.write_text(json.dumps(document))
    with pytest.raises(DescriptionErrors) as raised:
        load(file, Sources(tmp_path, False, ParsedFiles()))
    pointers = [error.pointer for error in raised.value.errors]
    assert sorted(pointers) == ["/components/schemaz", "/paths/~1x119/fetch", "/pathz"]
