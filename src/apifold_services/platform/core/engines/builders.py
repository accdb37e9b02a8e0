"""Builders: how what lies in a folder becomes something that runs, by the conventions of its kind."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from apifold_services.platform.core.engines.engine import EngineFailed
from apifold_services.platform.core.plan_file import Artifact

WEB, RELEASE = "web", "release"
"""Kinds of processes: the one that answers, and what runs once before it."""

MOST_BYTES = 1_000_000
"""Of a file that says how something is built; of a larger one nothing is read."""

RELEASED = ".release.yaml"
"""What the `bin/release` of a language pack said."""

_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")
_VERSION = re.compile(r"(?:python-)?(\d+(?:\.\d+){0,2})")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a machine has for builds.

    Attributes:
        python: path of the interpreter that applications get, and its version. `node` is Node's version, or "".
    """

    python: str
    python_version: str
    node: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a folder is built and run.

    Attributes:
        builder: its name.
        commands: of the build, each for a shell.
        processes: commands by kind; there is a `web`.
        variables: its own environment, for the build and when it runs.
        released: file in which the build says what else there is.
    """

    builder: str
    commands: tuple[str, ...] = ()
    processes: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    released: str = ""


class Builder(Protocol):
    """Knows one kind of folder."""

    name: str

    def takes(self, folder: Path) -> bool:
        """Whether it is of this kind."""

    def recipe(self, folder: Path, tools: Tools) -> Recipe:
        """How it is built and run. EngineFailed: it can't be, here."""


def recipe_for(folder: Path, artifact: Artifact, pack: Path | None, tools: Tools) -> Recipe:
    """How a folder is built and run: what its plan says, its Procfile, and the conventions of its kind, in this order.

    Raises:
        EngineFailed: nobody knows, or it can't be done here.
    """
    builder: Builder = Pack(pack) if pack else next((one for one in BUILDERS if one.takes(folder)), Plain())
    found = builder.recipe(folder, tools)
    processes = {**found.processes, **_procfile(folder)}
    if artifact.run_cmd:
        processes[WEB] = artifact.run_cmd
    commands = (artifact.build_cmd,) if artifact.build_cmd else found.commands
    script = artifact.run_cmd.partition(" ")[0]
    if script.startswith("./"):
        quoted = shlex.quote(script)
        commands = (*commands, f"[ ! -f {quoted} ] || chmod +x {quoted}")
    recipe = replace(found, commands=commands, processes=processes)
    return recipe if recipe.released else completed(recipe, folder)


def completed(recipe: Recipe, folder: Path) -> Recipe:
    """A recipe with what only its build could tell. EngineFailed: nobody says how it is run."""
    processes, variables = dict(recipe.processes), dict(recipe.variables)
    if recipe.released:
        said = _released(text_of(folder / recipe.released))
        processes = {**_texts(said.get("default_process_types")), **processes}
        variables = {**_texts(said.get("config_vars")), **variables}
    if WEB not in processes:
        raise EngineFailed(
            f"nothing says how to run it ({recipe.builder}): "
            "write a Procfile with `web: COMMAND`, or `run_cmd` in the plan"
        )
    return replace(recipe, processes=processes, variables=variables, released="")


class Image:
    """A Dockerfile needs an engine for containers."""

    name = "dockerfile"

    def takes(self, folder: Path) -> bool:
        return (folder / "Dockerfile").is_file() and not (folder / "Procfile").is_file()

    def recipe(self, folder: Path, tools: Tools) -> Recipe:
        raise EngineFailed(
            "it has a Dockerfile, and this engine builds no images: "
            "write a Procfile, or deploy its image by `kubernetes`"
        )


class Python:
    """`requirements.txt` or `pyproject.toml`, into a virtual environment of its own."""

    name = "python"

    def takes(self, folder: Path) -> bool:
        return any((folder / name).is_file() for name in ("requirements.txt", "pyproject.toml", "setup.py"))

    def recipe(self, folder: Path, tools: Tools) -> Recipe:
        wanted = self._wanted(folder)
        if wanted and not f"{tools.python_version}.".startswith(f"{wanted}."):
            raise EngineFailed(f"it asks for Python {wanted}, and there is {tools.python_version} here")
        what = "-r requirements.txt" if (folder / "requirements.txt").is_file() else "."
        commands = (
            f"{shlex.quote(tools.python)} -m venv .venv",
            f".venv/bin/pip install --quiet --disable-pip-version-check {what}",
        )
        path = f"{folder}/.venv/bin:/usr/local/bin:/usr/bin:/bin"
        variables = {"PATH": path, "VIRTUAL_ENV": f"{folder}/.venv", "PYTHONUNBUFFERED": "1"}
        default = next((name for name in ("app.py", "main.py", "server.py") if (folder / name).is_file()), "")
        return Recipe(self.name, commands, {WEB: f"python3 {default}"} if default else {}, variables)

    @staticmethod
    def _wanted(folder: Path) -> str:
        for name in (".python-version", "runtime.txt"):
            if os.path.lexists(folder / name):
                text = text_of(folder / name).strip()
                found = _VERSION.fullmatch(text)
                if not found:
                    raise EngineFailed(f"{name} names no version of Python: {text[:40]!r}")
                return found[1]
        return ""


class Node:
    """`package.json`: its dependencies, its `build` script where it has one; it runs by `npm start`."""

    name = "node"

    def takes(self, folder: Path) -> bool:
        return (folder / "package.json").is_file()

    def recipe(self, folder: Path, tools: Tools) -> Recipe:
        if not tools.node:
            raise EngineFailed("it needs Node.js, which is not installed here")
        try:
            package = json.loads(text_of(folder / "package.json"))
            scripts = dict(package.get("scripts") or {})
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise EngineFailed("its package.json can't be read") from None
        locked = (folder / "package-lock.json").is_file()
        commands = [f"npm {'ci' if locked else 'install'} --no-audit --no-fund --loglevel=error"]
        if "build" in scripts:
            commands.append("npm run build")
        processes = {WEB: "npm start --silent"} if "start" in scripts else {}
        if not processes and (folder / "server.js").is_file():
            processes = {WEB: "node server.js"}
        return Recipe(self.name, tuple(commands), processes, {"NODE_ENV": "production"})


class Static:
    """`index.html`: its files, as they are."""

    name = "static"

    def takes(self, folder: Path) -> bool:
        return (folder / "index.html").is_file()

    def recipe(self, folder: Path, tools: Tools) -> Recipe:
        serve = f'exec {shlex.quote(tools.python)} -I -m http.server --bind 127.0.0.1 "$PORT"'
        return Recipe(self.name, (), {WEB: serve})


class Plain:
    """No convention that is known: what the plan or a Procfile says."""

    name = "plain"

    def takes(self, folder: Path) -> bool:
        return True

    def recipe(self, folder: Path, tools: Tools) -> Recipe:
        return Recipe(self.name)


class Pack:
    """A language pack in the form of Heroku's buildpacks: `bin/detect`, `bin/compile`, `bin/release`."""

    name = "language pack"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def takes(self, folder: Path) -> bool:
        return True

    def recipe(self, folder: Path, tools: Tools) -> Recipe:
        detect, compile, release = (
            shlex.quote(str(self.folder / "bin" / name)) for name in ("detect", "compile", "release")
        )
        commands = (
            f'{detect} "$PWD"',
            "mkdir -p .cache .env.d",
            f'{compile} "$PWD" "$PWD/.cache" "$PWD/.env.d"',
            f'rm -f {RELEASED}; [ ! -f {release} ] || {release} "$PWD" > {RELEASED}',
        )
        return Recipe(self.name, commands, released=RELEASED)


BUILDERS: tuple[Builder, ...] = (Image(), Python(), Node(), Static())
"""In the order in which they are asked."""


def text_of(file: Path) -> str:
    """What a file says that a stranger left there; "" where it is none, or too large. A link is none."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(descriptor, "rb") as opened:
        known = os.fstat(descriptor)
        if not stat.S_ISREG(known.st_mode) or known.st_size > MOST_BYTES:
            return ""
        return opened.read(MOST_BYTES).decode("utf-8", "replace")


def _procfile(folder: Path) -> dict[str, str]:
    found = {}
    for line in text_of(folder / "Procfile").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            match = _LINE.fullmatch(line.strip())
            if not match:
                raise EngineFailed(f"the Procfile has a line that is no `KIND: COMMAND`: {line[:80]!r}")
            found[match[1]] = match[2]
    return found


def _released(text: str) -> dict[str, Any]:
    try:
        said = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise EngineFailed("the language pack's bin/release does not say what it releases")
    return said


def _texts(said: Any) -> dict[str, str]:
    """What is a name and a text, in a mapping that a stranger wrote."""
    pairs = said.items() if isinstance(said, dict) else ()
    return {name: text for name, text in pairs if isinstance(text, str) and re.fullmatch(r"\w[\w-]*", str(name))}
