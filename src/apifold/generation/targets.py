"""What is served: directories, files and installed services, and which of their files are descriptions."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from apifold import extension_points
from apifold.deployment import Deployment
from apifold.description import ParsedFiles, is_model, is_overlay
from apifold.description.overlay import extends, is_beside
from apifold.errors import DescriptionError, DescriptionErrors, SettingsError
from apifold.service import Parts, Service
from apifold.settings import ApiSettings

SUFFIXES = (".yaml", ".yml", ".json")
SETTINGS_FILE = "apifold.yaml"
POLICY_FILE = "policy.yaml"
_NAMES = ("openapi", "swagger")


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to serve.

    Attributes:
        name: its name in the path, where several targets are served.
        directory: what none of its files may lie outside of.
        file: the only description, or None for every description in the directory.
        packages: what its operationIds may name beside modules of the directory.
        service: for a service.
        home: the directory of the service's module.
        parts: for a directory of files that add to one of the service's APIs.
        prefix: path in front of its APIs.
        handlers: the package below which each API's `handlers` module lies, for a service.
        base_path: the base path, where the caller decides it.
        extension: keys of the document's `x-apifold` that the caller decides.
        provides: what handlers may take by name.
    """

    name: str
    directory: Path
    file: Path | None = None
    packages: tuple[str, ...] = ()
    service: Service | None = None
    home: Path | None = None
    parts: Parts | None = None
    prefix: str = ""
    handlers: str = ""
    base_path: str | None = None
    extension: Mapping[str, Any] = field(default_factory=dict)
    provides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def policy(self) -> Path | None:
        """The file with its policy rules, where it has one."""
        if self.service and self.home:
            return self.home / self.service.policy if self.service.policy else None
        path = self.directory / POLICY_FILE
        return path if path.is_file() else None


@dataclass(frozen=True, slots=True)
class Found:
    """The descriptions of a target, each with the overlays beside it, and what is neither."""

    descriptions: Mapping[Path, tuple[Path, ...]]
    errors: tuple[DescriptionError, ...]


def targets_of(names: tuple[str, ...], deployment: Deployment) -> tuple[Target, ...]:
    """The targets that a command line names: one at `/`, several each below its own name.

    Args:
        names: of directories, files, installed services, and services by `MODULE:FUNCTION`.

    Raises:
        SettingsError: something is none of these.
    """
    several = len(names) > 1
    targets = tuple(target for name in names for target in _targets(name, deployment, several))
    return (*targets, *_additions(targets, deployment.settings.apis))


def _targets(name: str, deployment: Deployment, several: bool) -> Iterator[Target]:
    path = Path(name)
    if not path.exists():
        make = _maker(name)
        yield from service_targets(make(deployment), make, several)
        return
    path = Path(os.path.abspath(path))
    directory = path if path.is_dir() else path.parent
    called = path.name if path.is_dir() else path.name.split(".")[0]
    yield Target(called, directory, None if path.is_dir() else path, prefix=f"/{called}" if several else "")


def _additions(targets: tuple[Target, ...], apis: Mapping[str, ApiSettings]) -> Iterator[Target]:
    """The directories whose files a deployment adds to APIs of services."""
    services = [target for target in targets if target.service and not target.parts]
    for name, changes in apis.items():
        if not changes.additions:
            continue
        own = next((target for target in services if name.startswith(f"{target.name}-")), None)
        said = f"apis: {name}: additions"
        if own is None:
            raise SettingsError(f"{said}: no service that is served here has an API of that name")
        if not Path(changes.additions).is_dir():
            raise SettingsError(f"{said}: {changes.additions} is no directory")
        yield _adding(own, Parts(name, Path(changes.additions)))


def _maker(name: str) -> Callable[[Deployment], Service]:
    """The function that makes a service."""
    installed = extension_points.names("apifold.services")
    if name in installed:
        make: Callable[[Deployment], Service] = extension_points.load("apifold.services", name)
        return make
    module, colon, function = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), function, None) if colon else None
    except ModuleNotFoundError as error:
        if error.name and not f"{module}.".startswith(f"{error.name}."):
            raise SettingsError(f"{name!r} misses the module {error.name}; install that, too") from None
        made = None
    if not callable(made):
        raise SettingsError(
            f"{name!r} is neither a directory, nor a file, nor a service; "
            f"installed are: {', '.join(installed) or 'none'}"
        )
    return made  # type: ignore[no-any-return]  # whoever names it knows what it is


def service_targets(service: Service, make: Callable[..., Service], several: bool = False) -> Iterator[Target]:
    """The targets that a service is: its own descriptions, and each directory of parts.

    Args:
        make: the function that made it, beside which its files are.
        several: whether it is served below its own name.
    """
    package = make.__module__.rpartition(".")[0] or make.__module__
    home = Path(inspect.getfile(make)).parent
    own = Target(
        service.name,
        home,
        None,
        (package,),
        service,
        home,
        prefix=f"/{service.name}" if several else "",
        handlers=package,
        provides=service.provides,
    )
    yield own
    for parts in service.parts:
        yield _adding(own, parts)


def _adding(own: Target, parts: Parts) -> Target:
    """A directory of parts of one of a service's APIs."""
    directory = Path(os.path.abspath(parts.directory))
    packages = (*own.packages, *([parts.handlers] if parts.handlers else []))
    name = f"{own.name} {parts.api}"
    return replace(own, name=name, directory=directory, packages=packages, parts=parts, handlers=parts.handlers)


def discover(target: Target, parsed: ParsedFiles) -> Found:
    """The descriptions that a target has at this moment."""
    if target.file:
        return Found({target.file: _overlays_beside(target.file, parsed)}, ())
    if target.parts:
        listed = target.parts.files or (sorted(os.listdir(target.directory)) if target.directory.is_dir() else ())
        names = [name for name in listed if name.endswith(SUFFIXES) and not name.startswith(".")]
        found = [target.directory / name for name in names if name != SETTINGS_FILE]
        return Found({path: () for path in found if path.is_file()}, ())
    if target.service:
        folders = [target.directory / name for name in target.service.apis]
        files = [path for folder in folders for path in sorted(folder.glob("*")) if _is_named(path)]
        return Found({path: _overlays_of(path, target.service, parsed) for path in files}, ())
    return _in_directory(target.directory, parsed)


def _overlays_of(path: Path, service: Service, parsed: ParsedFiles) -> tuple[Path, ...]:
    """What changes a service's description: overlays beside it, and those that the service names; of one that is made
    of another, what changes that one, too."""
    try:
        data = parsed.read(path.read_bytes(), str(path)).data
        first = _overlays_of(extends(data, path), service, parsed) if is_beside(data) else ()
    except (DescriptionErrors, OSError):  # told where it is loaded
        first = ()
    return (*first, *_overlays_beside(path, parsed), *service.overlays.get(path.parent.name, ()))


def candidates(directory: Path) -> Iterator[Path]:
    """Files below a directory that may be descriptions; hidden ones and settings are not."""
    for folder, folders, names in os.walk(directory, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith(".") and name not in (SETTINGS_FILE, POLICY_FILE):
                yield Path(folder) / name


def _is_named(path: Path) -> bool:
    return path.suffix in SUFFIXES and path.name.split(".")[0] in _NAMES and ".overlay." not in path.name


def _in_directory(directory: Path, parsed: ParsedFiles) -> Found:
    descriptions: list[Path] = []
    overlays: dict[Path, list[Path]] = {}
    beside: dict[Path, Path] = {}
    errors: list[DescriptionError] = []
    others: list[tuple[Path, DescriptionError]] = []
    for path in candidates(directory):
        at_top = path.parent == directory
        try:
            data = parsed.read(path.read_bytes(), str(path)).data
        except FileNotFoundError:
            continue
        except OSError as error:
            errors.append(
                DescriptionError(str(path), 0, "", f"can't be read: {error.strerror}", "check its permissions")
            )
            continue
        except DescriptionErrors:
            if at_top or _is_named(path) or ".model." in path.name:
                descriptions.append(path)
            continue
        if is_beside(data):
            descriptions.append(path)
            beside[path] = extends(data, path)
        elif is_overlay(data):
            overlays.setdefault(extends(data, path), []).append(path)
        elif is_model(data) or (isinstance(data, dict) and ("openapi" in data or "swagger" in data)):
            descriptions.append(path)
        elif at_top or _is_named(path):
            others.append((path, _what_is_it(path, data)))
    texts = [parsed.read(path.read_bytes(), str(path)).text for path in descriptions if _is_readable(path, parsed)]
    errors += [error for path, error in others if not any(path.name in text for text in texts)]
    orphans = [path for base, paths in overlays.items() if base not in descriptions for path in paths]
    errors += [
        DescriptionError(
            str(path), 0, "", "no description is there that this overlay is for", "name it with `extends:`"
        )
        for path in orphans
    ]
    changing = {path: (*overlays.get(beside.get(path, path), ()), *overlays.get(path, ())) for path in descriptions}
    return Found({path: tuple(sorted(set(changes))) for path, changes in changing.items()}, tuple(errors))


def _is_readable(path: Path, parsed: ParsedFiles) -> bool:
    try:
        parsed.read(path.read_bytes(), str(path))
    except (OSError, DescriptionErrors):
        return False
    return True


def _what_is_it(path: Path, data: Any) -> DescriptionError:
    held = (
        "nothing"
        if data is None
        else "a list"
        if isinstance(data, list)
        else "neither `openapi` nor `swagger` nor `model`"
    )
    return DescriptionError(
        str(path),
        1,
        "",
        f"this is no API description: it holds {held}",
        "begin it with `openapi: 3.1.0`, or move the file elsewhere",
    )


def _overlays_beside(path: Path, parsed: ParsedFiles) -> tuple[Path, ...]:
    found = []
    for beside in sorted(path.parent.glob("*.overlay.*")):
        if beside.suffix in SUFFIXES:
            data = parsed.read(beside.read_bytes(), str(beside)).data
            if is_overlay(data) and extends(data, beside) == path:
                found.append(beside)
    return tuple(found)
