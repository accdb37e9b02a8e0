"""`apifold new`: begin an API, an endpoint, a model or a service."""

from __future__ import annotations

import re
from pathlib import Path

import click

_API = """openapi: 3.1.0
info:
  title: {title}
  version: "1.0"
servers: [{{url: /{name}}}]
x-apifold:
  handlers: {module}
  unknown: reject
paths:
  /greetings/{{name}}:
    get:
      operationId: get_greeting
      summary: Greet somebody
      parameters:
        - {{name: name, in: path, required: true, schema: {{type: string, maxLength: 80}}}}
      responses:
        "200":
          description: A greeting
          content:
            application/json:
              schema:
                type: object
                required: [greeting]
                properties:
                  greeting: {{type: string, example: Hello Ada}}
"""

_HANDLERS = '''"""Handlers of {title}: plain functions; their arguments are the parameters that {file} declares."""


def get_greeting(name):
    return {{"greeting": f"Hello {{name}}"}}
'''

_MODEL = """model: {name}
path: /{plural}
fields:
  name: {{type: string, minLength: 1, maxLength: 80, required: true}}
  note: {{type: string}}
filter: [name]
"""

_ENDPOINT = """  {path}:
    get:
      operationId: {operation}
      summary: Say what this does
{parameters}      responses:
        "200":
          description: The answer
          content:
            application/json:
              schema: {{type: object}}
"""

_FUNCTION = """

def {operation}({arguments}):
    return {{{pairs}}}
"""

_SERVICE = '''"""{title}: one core with its APIs."""

from apifold import Service


class Core:
    """What the service is about; it knows no HTTP."""


def service(deployment):
    return Service(name="{name}", apis=("v1",), provides={{"core": Core()}})
'''

_PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["apifold"]

[project.entry-points."apifold.services"]
{name} = "{name}.service:service"
"""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _checked(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("a name is lower-case letters, digits and `_`, beginning with a letter")
    return value


_directory = click.option(
    "--directory",
    "-d",
    default=".",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="where to write",
)
_name = click.argument("name", callback=_checked)


@click.group("new", short_help="begin an API, an endpoint, a model or a service")
def command() -> None:
    """Write the first lines of something new. Nothing that is there is written over."""


@command.command()
@_name
@_directory
def api(name: str, directory: Path) -> None:
    """A description NAME.yaml and its handlers, with one endpoint that works."""
    title = name.replace("_", " ").title()
    module = f"{name}_handlers"
    _write(directory / f"{name}.yaml", _API.format(title=title, name=name, module=module))
    _write(directory / f"{module}.py", _HANDLERS.format(title=title, file=f"{name}.yaml"))
    click.echo(f"now: apifold serve {directory}    and: curl http://127.0.0.1:8080/{name}/greetings/Ada")


@command.command()
@_name
@_directory
@click.option("--plural", help="name of the collection; NAME with an `s` otherwise")
def model(name: str, directory: Path, plural: str | None) -> None:
    """A model file NAME.model.yaml: a resource with storage, and nothing to program."""
    collection = plural or f"{name}s"
    _write(directory / f"{name}.model.yaml", _MODEL.format(name=name, plural=collection))
    click.echo(f"now: apifold serve {directory}    and: curl http://127.0.0.1:8080/{collection}")


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("path")
@click.argument("operation", callback=_checked)
def endpoint(file: Path, path: str, operation: str) -> None:
    """A GET of PATH in the description FILE, and its handler OPERATION, both at the end of their files."""
    text = file.read_text("utf-8")
    module = re.search(r"^\s*handlers:\s*([A-Za-z0-9_.]+)", text, re.MULTILINE)
    if not path.startswith("/") or "\npaths:" not in text:
        raise click.UsageError("PATH begins with `/`, and FILE is a YAML description with `paths:`")
    names = re.findall(r"\{([^{}]+)\}", path)
    rows = "".join(
        f"        - {{name: {name}, in: path, required: true, schema: {{type: string}}}}\n" for name in names
    )
    added = _ENDPOINT.format(path=path, operation=operation, parameters=f"      parameters:\n{rows}" if rows else "")
    head, _, tail = text.partition("\npaths:\n")
    file.write_text(f"{head}\npaths:\n{added}{tail}", "utf-8")
    click.echo(f"wrote GET {path} to {file}")
    handlers = file.parent / f"{module.group(1).replace('.', '/')}.py" if module else None
    if handlers and handlers.is_file():
        pairs = ", ".join(f'"{name}": {name}' for name in names)
        with handlers.open("a", encoding="utf-8") as out:
            out.write(_FUNCTION.format(operation=operation, arguments=", ".join(names), pairs=pairs))
        click.echo(f"wrote {operation} to {handlers}")
    else:
        click.echo(f"now write the function {operation}({', '.join(names)})")


@command.command()
@_name
@_directory
def service(name: str, directory: Path) -> None:
    """A package NAME that installs as a service: a core, one API over it, an entry point."""
    title = name.replace("_", " ").title()
    package = directory / name / "src" / name
    _write(directory / name / "pyproject.toml", _PROJECT.format(name=name))
    _write(package / "__init__.py", f'"""{title}."""\n')
    _write(package / "service.py", _SERVICE.format(title=title, name=name))
    _write(package / "v1" / "__init__.py", "")
    _write(package / "v1" / "openapi.yaml", _API.format(title=title, name="v1", module=f"{name}.v1.handlers"))
    _write(package / "v1" / "handlers.py", _HANDLERS.format(title=title, file="openapi.yaml"))
    click.echo(f"now: pip install -e {directory / name} && apifold serve {name}")


def _write(path: Path, text: str) -> None:
    if path.exists():
        raise click.UsageError(f"{path} is there already; nothing was written over it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    click.echo(f"wrote {path}")
