"""Build a generation: discover, load, compile and prove every description; keep the last good of those that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec.structs import replace as replace_struct

from apifold.access.policy import Policy, load_policy
from apifold.bindings import Modules
from apifold.description import Description, KnownDescriptions, ParsedFiles, Placement, Sources
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.generation.changes import breaking_changes, breaking_errors
from apifold.generation.clash import clash
from apifold.generation.compile import Compiled, Grounds, Tools, attach, compile_api
from apifold.generation.generation import Aside, Generation, Loaded, digest_of, generation_id
from apifold.generation.kept import KeptFiles
from apifold.generation.prove import prove
from apifold.generation.targets import Target, discover
from apifold.pipeline.dialects import ProblemDialect
from apifold.pipeline.endpoint import Api, Site
from apifold.settings import ApiSettings
from apifold.versions.history import History
from apifold.versions.requirements import unmet

Places = dict[tuple[Path, str], tuple[Target, tuple[Path, ...]]]
"""What is loaded for which target, with its overlays, by path and target's name."""

log = logging.getLogger("apifold.server")

Guests = Callable[[Target, Compiled], Iterable[Api]]
"""What stands beside an API's own endpoints: its documents and pages."""


@dataclass(slots=True)
class Builder:
    """Builds generations of the same targets, one after the other.

    Attributes:
        targets: what is served.
        tools: what compiling needs.
        kept: last good files.
        beside: gives the endpoints to attach to an API.
        around: gives the APIs that stand beside all others: catalogue, health.
    """

    targets: tuple[Target, ...]
    tools: Tools
    kept: KeptFiles
    beside: Guests = lambda target, compiled: ()
    around: Callable[[], Iterable[Api]] = tuple
    parsed: ParsedFiles = field(default_factory=ParsedFiles)
    known: KnownDescriptions = field(default_factory=KnownDescriptions)

    def read_ahead(self) -> None:
        """Read every description, so that processes that are forked from this one share what was read."""
        for target in self.targets:
            for path, overlays in discover(target, self.parsed).descriptions.items():
                with suppress(Exception):  # told when it is built
                    self._described(target, path, overlays, {})

    def descriptions(self) -> Iterator[Description]:
        """Every description as it is read, before any of it is bound to code.

        Raises:
            DescriptionErrors: one can't be read.
        """
        for target in self.targets:
            for path, overlays in discover(target, self.parsed).descriptions.items():
                yield self._described(target, path, overlays, {})

    def build(self, before: Generation | None = None) -> Generation:
        """The generation that the files make now.

        Args:
            before: the one that runs; what it has of a file that fails now goes on.
        """
        self.parsed.turn()
        self.known.turn()
        loaded: list[Loaded] = []
        aside: list[Aside] = []
        errors: dict[Path, tuple[DescriptionError, ...]] = {}
        places: Places = {}
        for target in self.targets:
            found = discover(target, self.parsed)
            for error in found.errors:
                errors[Path(error.file)] = (*errors.get(Path(error.file), ()), error)
            for path, overlays in found.descriptions.items():
                one, wrong = self._one(target, path, overlays, before)
                if wrong:
                    errors[path] = (*errors.get(path, ()), *wrong)
                if isinstance(one, Aside):
                    aside.append(one)
                elif one is not None:
                    loaded.append(one)
                    places[path, target.name] = (target, overlays)
        loaded = self._without_clashes(loaded, places, errors, before)
        for one in loaded:
            if not one.errors and (before is None or before.of(one.path, one.target) is not one):
                self.kept.keep(one.path, one.description.raw)
        self._forget_removed(before, loaded, errors)
        return Generation(generation_id(loaded, errors), self._site(loaded), tuple(loaded), errors, tuple(aside))

    def _one(
        self, target: Target, path: Path, overlays: tuple[Path, ...], before: Generation | None
    ) -> tuple[Loaded | Aside | None, tuple[DescriptionError, ...]]:
        running = before.of(path, target.name) if before else None
        try:
            return self._fresh(target, path, overlays, {}, running), ()
        except DescriptionErrors as error:
            errors = error.errors
        except Exception as error:  # ours or a guest's mistake: one file must not keep the others from being served
            log.exception("%s can't be loaded", path)
            message = f"this can't be loaded: {type(error).__name__}: {error}"
            errors = (DescriptionError(str(path), 0, "", message, "the log says where that comes from"),)
        return self._last_good(target, path, overlays, errors, running), errors

    def _last_good(
        self,
        target: Target,
        path: Path,
        overlays: tuple[Path, ...],
        errors: tuple[DescriptionError, ...],
        running: Loaded | None,
    ) -> Loaded | None:
        """What is served of a file that can't be served as it is: what runs, else what was kept, else nothing."""
        if running is not None:
            return replace(running, errors=errors)
        instead = self.kept.get(path)
        if not instead:
            return None
        there = tuple(one for one in overlays if str(one) in instead)
        try:
            kept = self._fresh(target, path, there, instead, None)
        except Exception:  # it was good for another version of this
            return None
        return replace(kept, errors=errors) if isinstance(kept, Loaded) else None

    def _fresh(
        self, target: Target, path: Path, overlays: tuple[Path, ...], instead: dict[str, bytes], running: Loaded | None
    ) -> Loaded | Aside | None:
        """The API as its files are; the running one where they did not change; None where it is switched off."""
        settings = self.tools.settings
        description = self._described(target, path, overlays, instead)
        changes = self._changes(target, description.name)
        if not changes.enabled:
            return None
        lacking = self._lacking(target, description)
        if lacking:
            return Aside(path, description.name, lacking)
        policy, policy_raw = self._policy(target, description)
        digest = digest_of({**description.raw, **policy_raw})
        if running is not None and running.digest == digest and not running.errors:
            return running
        grounds = Grounds(
            modules=Modules((*target.packages, *settings.handlers), None if target.handlers else target.directory),
            provides=target.provides,
            policy=policy,
            changes=changes,
            implementation=_implementation(target, description.name),
            named=target.service.named if target.service else {},
            is_part=target.parts is not None,
        )
        compiled = compile_api(description, grounds, self.tools)
        self._prove(compiled.description)
        if not instead:
            self._hold_against(self._before(target, path, overlays, running, description), compiled, changes)
        api = compiled.api
        for guest in () if target.parts else self.beside(target, compiled):
            api = attach(api, guest)
        compiled = replace(compiled, api=api)
        return Loaded(path, target.name, compiled, digest, target.parts.api if target.parts else "")

    def _before(
        self,
        target: Target,
        path: Path,
        overlays: tuple[Path, ...],
        running: Loaded | None,
        description: Description,
    ) -> tuple[Description, History] | None:
        """What clients had before: what runs, or what an earlier process served last; None where it is the same."""
        if running is not None:
            return running.description, running.compiled.history
        raw = self.kept.get(path)
        if not raw or raw == dict(description.raw):
            return None
        there = tuple(one for one in overlays if str(one) in raw)
        try:
            kept = self._described(target, path, there, raw)
            return kept, History(kept)
        except Exception:  # it was good for another version of this
            return None

    def _hold_against(
        self, before: tuple[Description, History] | None, compiled: Compiled, changes: ApiSettings
    ) -> None:
        """See whether changed files break clients of an API that is CURRENT.

        Raises:
            DescriptionErrors: they do, and are to be refused.
        """
        mode = changes.breaking_changes or self.tools.settings.breaking_changes
        if mode == "off" or before is None or (changes.status or before[0].extension.status) != "CURRENT":
            return
        found = breaking_changes(before[1], compiled.history)
        if found and mode == "refuse":
            raise DescriptionErrors(breaking_errors(compiled.description, found))
        for change in found:
            log.warning("%s breaks its clients: %s", compiled.api.name, change)

    def _lacking(self, target: Target, description: Description) -> tuple[str, ...]:
        """Why the deployment has no place for an API."""
        facts = {**(target.service.facts if target.service else {}), **self.tools.settings.facts}
        try:
            return tuple(unmet(description.extension.requires, facts))
        except ValueError as error:
            raise DescriptionErrors([description.places.error("/x-apifold/requires", str(error))]) from None

    def _described(
        self, target: Target, path: Path, overlays: tuple[Path, ...], instead: dict[str, bytes]
    ) -> Description:
        sources = Sources(target.directory, self.tools.settings.remote_references, self.parsed, instead)
        placement = Placement(target.prefix, target.base_path)
        if target.parts:
            placement = replace(placement, part_of=target.parts.api, expand=target.parts.expand)
        description = self.known.load(path, sources, overlays, placement)
        moved = self._changes(target, description.name).base_path
        if moved is not None:
            description = self.known.load(path, sources, overlays, replace(placement, base_path=moved))
        return _as_asked(description, target)

    def _changes(self, target: Target, name: str) -> ApiSettings:
        """What the deployment changes about an API; about a part, what it changes about the whole."""
        apis = self.tools.settings.apis
        whole = apis.get(target.parts.api) if target.parts else None
        return apis.get(name) or whole or ApiSettings()

    def _prove(self, description: Description) -> None:
        settings = self.tools.settings
        if settings.examples == "refuse" and settings.implementation != "mock":
            errors = prove(description)
            if errors:
                raise DescriptionErrors(errors)

    def _policy(self, target: Target, description: Description) -> tuple[Policy | None, dict[str, bytes]]:
        named = description.extension.policy
        default = description.file.parent / named if named else target.policy
        override = Path(self.tools.settings.policy) if self.tools.settings.policy else None
        if default is None:
            return None, {}
        policy = load_policy(default, override)
        files = [path for path in (default, override) if path is not None]
        return policy, {str(path): path.read_bytes() for path in files if path.is_file()}

    def _without_clashes(
        self,
        loaded: list[Loaded],
        places: Places,
        errors: dict[Path, tuple[DescriptionError, ...]],
        before: Generation | None,
    ) -> list[Loaded]:
        """Those that can stand beside each other.

        Of two that want one place, the one that had it stays; the other goes on as it was before, where that does not
        want the place.
        """
        losing: dict[int, tuple[DescriptionError, ...]] = {}
        for one in loaded:
            for other in loaded:
                clashing = clash(one, other) if one is not other else None
                if clashing and not (self._was_there(one, before) and not self._was_there(other, before)):
                    error = one.description.places.error(*clashing)
                    losing[id(one)] = (*losing.get(id(one), ()), error)
        staying = [one for one in loaded if id(one) not in losing]
        for one in loaded:
            found = losing.get(id(one))
            if not found:
                continue
            errors[one.path] = (*errors.get(one.path, ()), *found)
            target, overlays = places[one.path, one.target]
            running = before.of(one.path, one.target) if before else None
            instead = self._last_good(target, one.path, overlays, found, running)
            if instead is not None and not any(clash(instead, other) or clash(other, instead) for other in staying):
                staying.append(instead)
        return staying

    def _was_there(self, one: Loaded, before: Generation | None) -> bool:
        """Whether it was served as it is: by the generation before, or, at a start, by an earlier process."""
        if before is None:
            return self.kept.get(one.path) == dict(one.description.raw)
        running = before.of(one.path, one.target)
        return running is not None and running.digest == one.digest

    def _site(self, loaded: Iterable[Loaded]) -> Site:
        apis = {one.api.base: one.api for one in loaded if not one.part_of}
        for guest in (*(one.api for one in loaded if one.part_of), *self.around()):
            host = apis.get(guest.base)
            apis[guest.base] = attach(host, guest) if host else guest
        return Site.of(list(apis.values()), ProblemDialect())

    def _forget_removed(self, before: Generation | None, loaded: list[Loaded], errors: dict[Path, Any]) -> None:
        there = {one.path for one in loaded} | errors.keys()
        for one in before.loaded if before else ():
            if one.path not in there:
                self.kept.forget(one.path)


def _implementation(target: Target, name: str) -> str:
    """Who answers an API where the deployment does not say: what the service says of it, or of the whole."""
    said = target.service.implementations if target.service else {}
    return said.get(name) or (said.get(target.parts.api, "") if target.parts else "")


def _as_asked(description: Description, target: Target) -> Description:
    """The description with what its target decides for it: where handlers lie, and whatever the caller set."""
    extension = description.extension
    if target.handlers and not extension.handlers:
        extension = replace_struct(extension, handlers=f"{target.handlers}.{description.file.parent.name}.handlers")
    if target.extension:
        extension = replace_struct(extension, **target.extension)
    return replace(description, extension=extension)
