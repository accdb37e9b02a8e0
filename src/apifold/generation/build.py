"""Build a generation: discover, load, compile and prove every description; keep the last good of those that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec.structs import replace as replace_struct

from apifold.access.policy import Policy, load_policy
from apifold.bindings import Modules
from apifold.description import Description, KnownDescriptions, ParsedFiles, Placement, Sources
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.generation.changes import hold_against
from apifold.generation.clash import clash
from apifold.generation.compile import Compiled, Grounds, Tools, compile_api
from apifold.generation.generation import Aside, Generation, Loaded, digest_of, generation_id
from apifold.generation.join import attach, joined
from apifold.generation.kept import KeptFiles
from apifold.generation.prove import prove
from apifold.generation.targets import Target, discover
from apifold.pipeline.dialects import ProblemDialect
from apifold.pipeline.endpoint import Api, Site
from apifold.settings import ApiSettings
from apifold.versions.history import History
from apifold.versions.lifecycle import Lifecycle
from apifold.versions.requirements import unmet

log = logging.getLogger("apifold.server")

Guests = Callable[[Target, Compiled], Iterable[Api]]
"""What stands beside an API's own endpoints: its documents and pages."""


@dataclass(frozen=True, slots=True, eq=False)
class _File:
    """A description's file on its way into a generation.

    Attributes:
        target: what it was found in.
        overlays: beside it.
        running: what the generation in place has of it.
        whole: the API that it adds to, where it is a part.
        head: that API as it is described.
        raw: the files as they were once, by path; as they are now where it is empty.
    """

    target: Target
    path: Path
    overlays: tuple[Path, ...]
    running: Loaded | None = None
    whole: Loaded | None = None
    head: Description | None = None
    raw: Mapping[str, bytes] = field(default_factory=dict)

    def as_it_was(self, raw: Mapping[str, bytes]) -> _File:
        """The file with the content that was kept of it, and of the overlays that it had then."""
        there = tuple(one for one in self.overlays if str(one) in raw)
        return replace(self, overlays=there, running=None, raw=raw)


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
    policies: dict[tuple[Path, ...], Policy] = field(default_factory=dict)

    def read_ahead(self) -> None:
        """Read every description, so that processes that are forked from this one share what was read."""
        for file in self._files():
            with suppress(Exception):  # told when it is built
                self._described(file)

    def descriptions(self) -> Iterator[Description]:
        """Every description as it is read, before any of it is bound to code.

        Raises:
            DescriptionErrors: one can't be read.
        """
        return map(self._described, self._files())

    def build(self, before: Generation | None = None) -> Generation:
        """The generation that the files make now.

        Args:
            before: the one that runs; what it has of a file that fails now goes on.
        """
        self.parsed.turn()
        self.known.turn()
        self.policies.clear()
        loaded: dict[_File, Loaded] = {}
        aside: list[Aside] = []
        errors: dict[Path, tuple[DescriptionError, ...]] = {}
        for target in self.targets:
            found = discover(target, self.parsed)
            for error in found.errors:
                errors[Path(error.file)] = (*errors.get(Path(error.file), ()), error)
            missing = next((one for one in aside if target.parts and one.name == target.parts.api), None)
            for path, overlays in found.descriptions.items():
                if missing:
                    aside.append(replace(missing, path=path))
                    continue
                running = before.of(path, target.name) if before else None
                whole = _whole(target, loaded.values())
                head = whole.compiled.history.whole if whole else None
                file = _File(target, path, overlays, running, whole, head)
                one, wrong = self._one(file)
                if wrong:
                    errors[path] = (*errors.get(path, ()), *wrong)
                if isinstance(one, Aside):
                    aside.append(one)
                elif one is not None:
                    loaded[file] = one
        staying = self._without_clashes(loaded, errors, before)
        for one in staying:
            if not one.errors and (before is None or before.of(one.path, one.target) is not one):
                self.kept.keep(one.path, one.description.raw)
        self._forget_removed(before, staying, errors)
        return Generation(generation_id(staying, errors), self._site(staying), tuple(staying), errors, tuple(aside))

    def _files(self) -> Iterator[_File]:
        heads: dict[str, Description] = {}
        for target in self.targets:
            for path, overlays in discover(target, self.parsed).descriptions.items():
                file = _File(target, path, overlays, head=heads.get(target.parts.api) if target.parts else None)
                yield file
                if target.service and not target.parts:
                    with suppress(DescriptionErrors):  # told where it is built
                        head = self._described(file)
                        heads[head.name] = head

    def _one(self, file: _File) -> tuple[Loaded | Aside | None, tuple[DescriptionError, ...]]:
        try:
            return self._fresh(file), ()
        except DescriptionErrors as error:
            errors = error.errors
        except Exception as error:  # ours or a guest's mistake: one file must not keep the others from being served
            log.exception("%s can't be loaded", file.path)
            message = f"this can't be loaded: {type(error).__name__}: {error}"
            errors = (DescriptionError(str(file.path), 0, "", message, "the log says where that comes from"),)
        return self._last_good(file, errors), errors

    def _last_good(self, file: _File, errors: tuple[DescriptionError, ...]) -> Loaded | None:
        """What is served of a file that can't be served as it is: what runs, else what was kept, else nothing."""
        if file.running is not None:
            return replace(file.running, errors=errors)
        raw = self.kept.get(file.path)
        if not raw:
            return None
        try:
            kept = self._fresh(file.as_it_was(raw))
        except Exception:  # it was good for another version of this
            return None
        return replace(kept, errors=errors) if isinstance(kept, Loaded) else None

    def _fresh(self, file: _File) -> Loaded | Aside | None:
        """The API as its files are; the running one where they did not change; None where it is switched off."""
        settings, target, whole = self.tools.settings, file.target, file.whole
        description = self._described(file)
        changes = self._changes(target, description.name)
        if not changes.enabled:
            return None
        lacking = self._lacking(target, description)
        if lacking:
            return Aside(file.path, description.name, lacking)
        policy, policy_raw = self._policy(target, description)
        digest = digest_of({**description.raw, **policy_raw, **({"whole": whole.digest.encode()} if whole else {})})
        if file.running is not None and file.running.digest == digest and not file.running.errors:
            return file.running
        grounds = Grounds(
            modules=Modules((*target.packages, *settings.handlers), None if target.handlers else target.directory),
            provides=target.provides,
            policy=policy,
            changes=changes,
            implementation=_implementation(target, description.name),
            named=target.service.named if target.service else {},
            whole=whole.compiled if whole else None,
        )
        compiled = compile_api(description, grounds, self.tools)
        self._prove(compiled.description)
        before = None if file.raw else self._before(file, description, changes)
        if before is not None:
            hold_against(*before, compiled, changes.breaking_changes or settings.breaking_changes)
        api = compiled.api
        for guest in () if target.parts else self.beside(target, compiled):
            api = attach(api, guest)
        part_of = target.parts.api if target.parts else ""
        return Loaded(file.path, target.name, replace(compiled, api=api), digest, part_of)

    def _before(self, file: _File, description: Description, changes: ApiSettings) -> tuple[History, Lifecycle] | None:
        """What clients had before: what runs, or what an earlier process served last; None where it is the same."""
        if file.running is not None:
            return file.running.compiled.history, file.running.lifecycle
        raw = self.kept.get(file.path)
        if not raw or raw == dict(description.raw):
            return None
        try:
            kept = self._described(file.as_it_was(raw))
            lifecycle = file.whole.lifecycle if file.whole else Lifecycle.of_api(kept.extension, changes)
            return History(kept), lifecycle
        except Exception:  # it was good for another version of this
            return None

    def _lacking(self, target: Target, description: Description) -> tuple[str, ...]:
        """Why the deployment has no place for an API."""
        facts = {**(target.service.facts if target.service else {}), **self.tools.settings.facts}
        try:
            return tuple(unmet(description.extension.requires, facts))
        except ValueError as error:
            raise DescriptionErrors([description.places.error("/x-apifold/requires", str(error))]) from None

    def _described(self, file: _File) -> Description:
        target, head, remote = file.target, file.head, self.tools.settings.remote_references
        sources = Sources(target.directory, remote, self.parsed, dict(file.raw), file.overlays)
        placement = Placement(target.prefix, target.base_path)
        if target.parts:
            digest = digest_of(head.raw) + head.template_base if head else ""
            placement = replace(
                placement, part_of=target.parts.api, expand=target.parts.expand, whole=head, whole_digest=digest
            )
        description = self.known.load(file.path, sources, file.overlays, placement)
        moved = self._changes(target, description.name).base_path
        if moved is not None:
            description = self.known.load(file.path, sources, file.overlays, replace(placement, base_path=moved))
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
        own = target.parts.policy if target.parts else None
        files = [path for path in (default, own, override) if path is not None]
        known = tuple(files)
        if known not in self.policies:
            self.policies[known] = load_policy(*files)
        return self.policies[known], {str(path): path.read_bytes() for path in files if path.is_file()}

    def _without_clashes(
        self,
        found: Mapping[_File, Loaded],
        errors: dict[Path, tuple[DescriptionError, ...]],
        before: Generation | None,
    ) -> list[Loaded]:
        """Those that can stand beside each other.

        Of two that want one place, the one that had it stays; the other goes on as it was before, where that does not
        want the place.
        """
        losing: dict[_File, tuple[DescriptionError, ...]] = {}
        for file, one in found.items():
            for other in found.values():
                clashing = clash(one, other) if one is not other else None
                if clashing and not (self._was_there(one, before) and not self._was_there(other, before)):
                    error = one.description.places.error(*clashing)
                    losing[file] = (*losing.get(file, ()), error)
        staying = [one for file, one in found.items() if file not in losing]
        for file, wrong in losing.items():
            errors[file.path] = (*errors.get(file.path, ()), *wrong)
            instead = self._last_good(replace(file, whole=_whole(file.target, staying)), wrong)
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
        parts: dict[str, list[Api]] = {}
        for one in loaded:
            if one.part_of:
                parts.setdefault(one.api.base, []).append(one.api)
        for base, added in parts.items():
            apis[base] = joined(apis[base], added) if base in apis else joined(added[0], added[1:])
        for guest in self.around():
            host = apis.get(guest.base)
            apis[guest.base] = attach(host, guest) if host else guest
        return Site.of(list(apis.values()), ProblemDialect())

    def _forget_removed(self, before: Generation | None, loaded: list[Loaded], errors: dict[Path, Any]) -> None:
        there = {one.path for one in loaded} | errors.keys()
        for one in before.loaded if before else ():
            if one.path not in there:
                self.kept.forget(one.path)


def _whole(target: Target, loaded: Iterable[Loaded]) -> Loaded | None:
    """The API that a target's files add to; None where they add to none, or it can't be served."""
    return next((one for one in loaded if target.parts and one.api.name == target.parts.api), None)


def _implementation(target: Target, name: str) -> str:
    """Who answers an API where the deployment does not say: what the service says of it, or of the whole."""
    said = target.service.implementations if target.service else {}
    return said.get(name) or (said.get(target.parts.api, "") if target.parts else "")


def _as_asked(description: Description, target: Target) -> Description:
    """The description with what its target decides for it: where handlers lie, and whatever the caller set."""
    extension = description.extension
    if target.handlers and not extension.handlers:
        own = target.handlers if target.parts else f"{target.handlers}.{description.file.parent.name}.handlers"
        extension = replace_struct(extension, handlers=own)
    if target.extension:
        extension = replace_struct(extension, **target.extension)
    return replace(description, extension=extension)
