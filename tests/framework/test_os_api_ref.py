"""`apifold docs --format os-api-ref`: Sphinx takes it without a warning, whatever authors wrote."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from apifold.cli.main import apifold as command_line
from apifold.reference.os_api_ref import write_os_api_ref
from apifold.reference.pages import CatalogueEntry
from apifold.reference.restructured_text import rst

SPHINX = Path(__file__).parents[2] / ".clients" / "bin" / "sphinx-build"
needs_sphinx = pytest.mark.skipif(not SPHINX.exists(), reason="Sphinx is not installed: make .clients/.test")

ENTRY = CatalogueEntry("shop-v2", "Shop", "2.0", "CURRENT", "/shop", "", 1, "/shop/ui", "/shop/openapi.json")
FRAGMENTS = (
    *(
        "`code`",
        "``",
        "`",
        "*",
        "**bold**",
        "*em*",
        "_",
        "a_",
        "`a`_",
        "|x|",
        "::",
        ".. note::",
        "[1]_",
        "[x](http://a/b_)",
    ),
    *(
        "\\",
        "<b>",
        "{}",
        ":role:`x`",
        ">>> 1",
        "- ",
        "* a",
        "1. ",
        "a) ",
        "# Head",
        "---",
        "===",
        "    code",
        "+---+",
        "| a |",
    ),
    *(
        "\n",
        "\n\n",
        "\n\n- one\n- two\n\n",
        "\n\n> said\n\n",
        "```\nx\n```\n",
        "\n\n| a | b |\n|---|---|\n| `c` | d_ |\n\n",
    ),
    *(
        "text",
        "Ada's",
        '"quoted"',
        "é→",
        "http://example.com/x_y",
        "(",
        ")",
        ".",
        "'",
        "-",
        "--opt",
        "/x",
        "…",
        "\t",
        "%s",
    ),
)


def build(directory: Path) -> str:
    """What Sphinx complains of."""
    line = [SPHINX, "-q", "-W", "--keep-going", "-b", "html", directory, directory / "html"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode == 0) == (not done.stderr), done.stderr
    return done.stderr


@needs_sphinx
@pytest.mark.parametrize("service", ["benchmark", "multicloud", "rating"])
def test_sphinx_builds_the_reference_of_every_service(tmp_path, service):
    line = ["docs", service, "--format", "os-api-ref", "--output", str(tmp_path)]
    done = CliRunner().invoke(command_line, line)
    assert done.exit_code == 0, done.output
    assert build(tmp_path) == ""
    assert "operation-grp" in next((tmp_path / "html").glob(f"{service}*.html")).read_text()


@needs_sphinx
def test_sphinx_takes_whatever_authors_wrote(tmp_path):
    chance = random.Random(20)
    texts = ["".join(chance.choices(FRAGMENTS, k=chance.randint(1, 9))) for _ in range(400)]
    paths = {
        f"/things/{index}/{{id}}": {
            "get": {
                "summary": text,
                "description": text,
                "tags": [text[:9] or "x"],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "description": text},
                    {"name": text, "in": "query", "schema": {"type": text}},
                ],
                "requestBody": {
                    "description": text,
                    "content": {text: {"schema": {"properties": {text: {"description": text}}}, "example": [text]}},
                },
                "responses": {
                    "200": {"description": text, "content": {"text/plain": {"example": text}}, "headers": {text: {}}},
                    "404": {"description": text},
                    "default": {"description": text, "content": {"text/plain": {"examples": {text: {"value": text}}}}},
                },
            }
        }
        for index, text in enumerate(texts)
    }
    tags = [{"name": text[:9] or "x", "description": text} for text in texts]
    info = {"title": "x", "version": "1", "description": texts[0]}
    document = {"openapi": "3.1.0", "info": info, "tags": tags, "paths": paths}
    write_os_api_ref([(ENTRY, document)], tmp_path)
    assert build(tmp_path) == ""


@pytest.mark.parametrize(
    ("markdown", "wanted"),
    [
        ("", ""),
        (None, ""),
        ("a\nb", "a b"),
        ("Use `x`, `y`s", "Use ``x``, ``y``\\ s"),
        ("a_ and *b*", "a\\_ and *b*"),
        ("1\\. x", "\\ 1. x"),
        ("- a\n- b", "* a\n\n* b"),
        ("[here](https://example.com/a_b)", "`here <https://example.com/a\\_b>`__"),
        ("[here](javascript:alert)", "\\ [here](javascript:alert)"),
        ("```\nx_\n```", ".. code-block:: text\n\n   x_"),
    ],
)
def test_commonmark_is_restructured_text(markdown, wanted):
    assert rst(markdown) == wanted


def test_everything_of_an_operation_is_there(tmp_path):
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "2.0"},
        "paths": {
            "/orders/{id}": {
                "put": {
                    "summary": "Change an order",
                    "x-apifold": {"since": "2.1"},
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                        {"name": "dry", "in": "query", "schema": {"type": "boolean"}, "x-apifold": {"until": "2.3"}},
                        {"name": "If-Match", "in": "header", "schema": {"type": "string"}},
                    ],
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}
                    },
                    "responses": {
                        "200": {"description": "The order", "headers": {"ETag": {"schema": {"type": "string"}}}},
                        "404": {"description": "There is none"},
                        "4XX": {"description": "Wrong"},
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Order": {
                    "type": "object",
                    "required": ["items"],
                    "properties": {
                        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
                        "parent": {"$ref": "#/components/schemas/Order", "description": "what it was made of"},
                    },
                },
                "Item": {"allOf": [{"properties": {"name": {"type": ["string", "null"]}}}]},
            }
        },
    }
    files = {path.name: path.read_text() for path in write_os_api_ref([(ENTRY, document)], tmp_path)}
    assert sorted(files) == ["conf.py", "http-status.yaml", "index.rst", "shop-v2-parameters.yaml", "shop-v2.rst"]
    page = files["shop-v2.rst"]
    assert ".. rest_method:: PUT /shop/orders/{id}\n   min_version: 2.1\n" in page
    assert '- "items.name": items.name_body' in page
    assert "\n**4XX**\n\nWrong\n" in page
    assert '"name": "' in page  # an example is made where there is none
    said = yaml.safe_load(files["shop-v2-parameters.yaml"])
    assert [one["in"] for one in said.values()] == sorted(
        (one["in"] for one in said.values()), key=["header", "path", "query", "body"].index
    )
    assert said["dry_query"]["max_version"] == "2.3"
    assert (said["items_body"]["required"], said["items_body"]["type"]) == (True, "array")
    assert said["items.name_body"]["type"] == "string"
    assert said["parent_body"]["description"] == "what it was made of"
    assert yaml.safe_load(files["http-status.yaml"])[404] == {"default": "Not Found", "reason_1": "There is none"}
