"""A Description to an Api: every operation compiled, or every reason why not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from apifold import extension_points
from apifold.access.method import Method
from apifold.access.policy import Policy
from apifold.bindings import Bind, Modules, Workplace
from apifold.deployment import Deployment
from apifold.description import Description, Operation, loosened, with_operations
from apifold.errors import DescriptionError, DescriptionErrors, MissingExtra, SettingsError
from apifold.exchange import Call, Exchange, Result
from apifold.generation.gate import compile_gate
from apifold.generation.sources import declares_sources, mapped, source_errors
from apifold.generation.traits import after_looking, around, reading, with_traits
from apifold.pipeline.dialects import Dialect, TemplateDialect
from apifold.pipeline.ending import Ending
from apifold.pipeline.endpoint import Api, Endpoint, Shadow
from apifold.pipeline.handle import inside
from apifold.pipeline.reader import Reader, Undescribed, compile_reader
from apifold.pipeline.versions import Versions
from apifold.pipeline.writer import compile_writer
from apifold.routing import Table, split_choice
from apifold.schema.checker import Schemas
from apifold.schema.members import children_of, compile_shaper, parts_of
from apifold.schema.projection import Side, is_marked
from apifold.settings import ApiSettings, Mode, OperationSettings, Settings
from apifold.traits import Surroundings, Whole
from apifold.traits.change import Change
from apifold.versions.history import History
from apifold.versions.lifecycle import Lifecycle
from apifold.versions.negotiation import Negotiation
from apifold.versions.version import Version

PROJECT = "/{project_id}"
"""In front of a path, where an API lets it name the caller's project."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What compiling an API needs beside its description.

    Attributes:
        deployment: settings, and what opens where it is used.
        methods: gives the auth method of a name; the same one each time.
        threads: for what may block.
        shadow_threads: for what is only compared; it must not take the place of what is waited for.
    """

    deployment: Deployment
    methods: Callable[[str], Method]
    threads: Executor
    shadow_threads: Executor

    @property
    def settings(self) -> Settings:
        """Everything that the deployment decides."""
        return self.deployment.settings


@dataclass(frozen=True, slots=True)
class Grounds:
    """What one API stands on.

    Attributes:
        modules: the code that its operationIds may name.
        provides: what handlers may take by name.
        policy: the rules in force, or None where the API has no policy file.
        changes: what the deployment changes about it.
        implementation: who answers where the deployment does not say.
        named: implementations by names that settings may use for them.
        whole: the API that it adds to, where it is a part.
    """

    modules: Modules
    provides: Mapping[str, Any]
    policy: Policy | None
    changes: ApiSettings
    implementation: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    whole: Compiled | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """An API, ready to be served.

    Attributes:
        description: what is served to whom does not choose a version, with what its traits add.
        history: every state of the description.
        lifecycle: how long it is there.
    """

    api: Api
    description: Description
    history: History
    lifecycle: Lifecycle

    def at(self, version: Version) -> Description:
        """The description at a version, with what its traits add."""
        return with_traits(self.history.at(version))[0]


def compile_api(description: Description, grounds: Grounds, tools: Tools) -> Compiled:
    """The API that a description is.

    Where clients choose a version, or it is a part of an API where they may, it is compiled for each stretch of its
    history; a path that is the same in two of them is compiled once.

    Raises:
        DescriptionErrors: everything that keeps it from being served.
    """
    history = History(description)
    lifecycle = _lifecycle(description, grounds)
    whole = grounds.whole.history if grounds.whole else history
    served = history.stretch(whole.newest)
    numbers = history.stretches() if whole.limits else range(served, served + 1)
    made: dict[_State, Endpoint] = {}
    states: dict[int, Api] = {}
    shown, errors = history.served, []
    for number in reversed(numbers):
        compiler = _Compiler(history.projected(number), grounds, tools, lifecycle, _Made(made, history, number))
        states[number] = compiler.api()
        errors += compiler.errors
        shown = compiler.description if number == served else shown
    if errors:
        raise DescriptionErrors(errors)
    api = states[served]
    if whole.limits:
        edges = history.edges[numbers[0] : numbers[-1]]
        versions = Versions(edges, tuple(states[number] for number in numbers), _negotiation(description, history))
        api = replace(api, versions=versions)
    return Compiled(api, shown, history, lifecycle)


def _lifecycle(description: Description, grounds: Grounds) -> Lifecycle:
    """How long an API is there; a part is as long as the whole."""
    if grounds.whole:
        return grounds.whole.lifecycle
    try:
        return Lifecycle.of_api(description.extension, grounds.changes)
    except ValueError as error:
        raise DescriptionErrors([description.places.error("/x-apifold", str(error))]) from None


def _negotiation(description: Description, history: History) -> Negotiation | None:
    """How clients choose; None for a part, which follows the whole."""
    said = description.extension.microversions
    if said is None or history.limits is None:
        return None
    try:
        return Negotiation.of(said, history.limits)
    except ValueError as error:
        raise DescriptionErrors([description.places.error("/x-apifold/microversions", str(error))]) from None


_UNCHANGED = OperationSettings()

_State = tuple[str, str, frozenset[str]]
"""Path, method, and what tells one state of the path from another."""


@dataclass(frozen=True, slots=True)
class _Made:
    """Endpoints that were compiled before, for this stretch of a history or for another."""

    known: dict[_State, Endpoint]
    history: History
    stretch: int

    def key(self, operation: Operation) -> _State:
        return operation.path, operation.method, self.history.state(operation.path, self.stretch)


@dataclass(slots=True)
class _Bound:
    """An operation on its way to an endpoint: all but its traits."""

    operation: Operation
    reader: Reader
    call: Call
    shadow: Call | None


class _Compiler:
    def __init__(
        self, description: Description, grounds: Grounds, tools: Tools, lifecycle: Lifecycle, made: _Made
    ) -> None:
        self.grounds = grounds
        self.tools = tools
        self.lifecycle = lifecycle
        self.made = made
        self.settings = tools.settings
        self.description, self.traits, self.errors = with_traits(description)
        self.has_sources = declares_sources(self.description)
        if self.has_sources:
            self.errors += source_errors(self.description)
        asked = grounds.changes.implementation or grounds.implementation or self.settings.implementation
        self.implementation = grounds.named.get(asked, asked)
        self.undescribed = Undescribed.of(self.description.extension)
        document = self.description.document
        self.requests = {close: Schemas(document, "request", close=close) for close in (False, True)}
        self.responses = Schemas(document, "response", close=False)
        self.workplace = Workplace(
            self.description,
            grounds.modules,
            grounds.provides,
            self.responses,
            tools.deployment,
            tools.threads,
            inside,
        )
        self.bound: dict[tuple[str, str], _Bound] = {}

    def api(self) -> Api:
        description = self.description
        dialect = self._dialect()
        method = self._method()
        for operation in description.operations:
            if self.made.key(operation) not in self.made.known:
                with self._collecting():
                    self.bound[operation.path, operation.method] = self._bind(operation)
        for bound in self.bound.values():
            with self._collecting():
                self.made.known[self.made.key(bound.operation)] = self._endpoint(bound, method)
        table: Table[Endpoint] = Table()
        endpoints = []
        for operation in description.operations:
            endpoint = self.made.known.get(self.made.key(operation))
            if endpoint is not None:
                endpoints.append(endpoint)
                self._place(operation, endpoint, table)
        told = tuple(description.extension.request_id.items())
        parts = (description.name, description.title, description.base, dialect, table, tuple(endpoints))
        return Api(*parts, identified_by=told)

    def _place(self, operation: Operation, endpoint: Endpoint, table: Table[Endpoint]) -> None:
        """Put an endpoint wherever it may be asked for."""
        base, method, rest = self.description.template_base, operation.method, _takes_rest(operation)
        for path in self._spellings(operation.path, rest=rest):
            table.add(base + path, method, endpoint, rest=rest)
        if self.description.extension.project_in_path and operation.path.strip("/") and not endpoint.gate.public:
            for_project = replace(endpoint, gate=replace(endpoint.gate, names_project=True))
            for path in self._spellings(operation.path, rest=rest):
                table.add(base + PROJECT + path, method, for_project, rest=rest)

    def _spellings(self, path: str, *, rest: bool) -> Iterator[str]:
        """How a path, below the base path, may be asked for."""
        extension = self.description.extension
        below, name = split_choice(path)
        named = f"#{name}" if name else ""
        others = (alias + _after(below, of) for alias, of in extension.aliases.items() if _is_in(below, of))
        for one in (below, *others):
            yield one + named
            other = one.removesuffix("/") if one.endswith("/") else f"{one}/"
            if extension.trailing_slash == "ignore" and (self.description.template_base + other) and not rest:
                yield other + named

    def _collecting(self) -> _Collecting:
        return _Collecting(self.errors, lambda text: self.description.places.error("", text))

    def _dialect(self) -> Dialect:
        named = self.description.extension.errors
        try:
            if isinstance(named, dict):
                return TemplateDialect(**named)
            made: Dialect = extension_points.load("apifold.dialects", named)()
        except (SettingsError, ValueError, TypeError) as error:
            self.errors.append(
                self.description.places.error(
                    "/x-apifold/errors", f"the dialect: {error}", "name one that is installed"
                )
            )
            return TemplateDialect({})
        return made

    def _method(self) -> Method:
        name = self.description.extension.auth or self.settings.auth
        try:
            return self.tools.methods(name)
        except (SettingsError, MissingExtra) as error:
            place = self.description.places.error("/x-apifold/auth", f"auth {name!r}: {error}")
            raise DescriptionErrors([*self.errors, place]) from None

    def _bind(self, operation: Operation) -> _Bound:
        reader = self._reader(operation)
        call = self._implemented(operation, self.implementation, self.workplace)
        shadow = self.grounds.changes.shadow
        aside = replace(self.workplace, threads=self.tools.shadow_threads)
        return _Bound(operation, reader, call, self._implemented(operation, self._other, aside) if shadow else None)

    @property
    def _other(self) -> str:
        """The implementation that is only compared."""
        shadow = self.grounds.changes.shadow
        return self.grounds.named.get(shadow.to, shadow.to) if shadow else ""

    def _implemented(self, operation: Operation, implementation: str, place: Workplace) -> Call:
        """The operation's answer by one implementation of its API."""
        if implementation == "native":
            name, option = operation.extension.bound
        elif "://" in implementation:
            name, option = "remote", implementation
        else:
            name, _, option = implementation.partition(":")
            place = replace(place, modules=place.modules.allowing(option.partition(":")[0]))
        try:
            bind: Bind = extension_points.load("apifold.bindings", name or "handler")
        except SettingsError as error:
            raise place.refused(
                operation, f"the binding: {error}", "name one that is installed", "/x-apifold/binding"
            ) from None
        call = bind(operation, option, place)
        is_mapped = self.has_sources and implementation == "native"
        return mapped(call, operation, self.description) if is_mapped else call

    def _mode(self, operation: Operation, direction: Side) -> Mode | None:
        """The validation mode that is asked for: by the deployment of the operation, by the operation, by the
        deployment, by the document."""
        changes = self.grounds.changes
        of_operation = changes.operations.get(operation.id, _UNCHANGED)
        for asked in (of_operation, operation.extension, changes, self.description.extension):
            mode: Mode | None = getattr(asked.validation, direction)
            if mode:
                return mode
        return None

    def _reader(self, operation: Operation) -> Reader:
        unknown = self.undescribed.of_operation(operation.extension)
        mode = self._mode(operation, "request") or self.settings.validation_request
        schemas, most = self.requests[unknown.body == "reject"], self.settings.max_body_bytes
        reader = compile_reader(self.description, operation, schemas, unknown, mode, most)
        if mode != "log" or self.description.extension.lenient != "logged":
            return reader
        loose = self.loosely.operation(operation.method, operation.path)
        strip = Undescribed("strip", "strip")
        loosely = compile_reader(self.loosely, loose, self.loose_requests, strip, "reject", most)
        return replace(loosely, strict=reader)

    @cached_property
    def loosely(self) -> Description:
        """The description as it is read where what breaks it is only logged."""
        document = loosened(self.description.document)
        return with_operations(self.description, document, self.description.written)

    @cached_property
    def loose_requests(self) -> Schemas:
        return Schemas(self.loosely.document, "request", close=False)

    def _endpoint(self, bound: _Bound, method: Method) -> Endpoint:
        operation = bound.operation
        mode = self._mode(operation, "response") or self.settings.validation_response
        name = operation.id or operation.title
        reader, call = bound.reader, self._call(operation, bound.call, self.implementation)
        look = self._look(operation)
        if look and any(isinstance(trait, Change) for trait in self.traits.get(operation.title, ())):
            reader, body = reader.apart()
            call = after_looking(call, body, look)
        return Endpoint(
            api=self.description.name,
            name=name,
            label=f"{self.description.name}\n{name}",
            title=f"{operation.method} {self.description.template_base}{operation.path}",
            gate=compile_gate(self.description, operation, method, self.grounds.policy),
            reader=reader,
            call=call,
            writer=compile_writer(self.description, operation, self.responses, mode, self.made.history.whole),
            shadow=self._shadow(bound),
            streams=operation.extension.stream and (self.implementation == "native" or "://" in self.implementation),
            ending=self._ending(operation),
            policy=self.grounds.policy,
        )

    def _ending(self, operation: Operation) -> Ending | None:
        try:
            lifecycle = self.lifecycle.of_operation(operation.extension)
        except ValueError as error:
            raise self.workplace.refused(operation, str(error), "mend the dates", "/x-apifold") from None
        return Ending.of(lifecycle, operation.path, self.description.base)

    def _shadow(self, bound: _Bound) -> Shadow | None:
        settings = self.grounds.changes.shadow
        if settings is None or bound.shadow is None:
            return None
        call = self._call(bound.operation, bound.shadow, self._other)
        return Shadow(call, f"{self.implementation} {self._other}", settings)

    def _call(self, operation: Operation, call: Call, implementation: str) -> Call:
        """The call with the operation's traits around it; an application of another make has habits of its own."""
        traits = self.traits.get(operation.title)
        if not traits or implementation not in ("native", "mock"):
            return call
        try:
            return around(call, traits, self._surroundings(operation))
        except ValueError as error:
            raise self.workplace.refused(
                operation, str(error), "see the reference of traits", "/x-apifold/traits"
            ) from None

    def _look(self, operation: Operation) -> Callable[[Exchange], Awaitable[Result]] | None:
        """What tells how the thing on an operation's path is; None for who tells that itself, or where nobody does."""
        beside = self.bound.get((operation.path, "GET"))
        if beside is None or beside.operation is operation:
            return None
        return reading(beside.operation, beside.reader, beside.call)

    def _surroundings(self, operation: Operation) -> Surroundings:
        return Surroundings(
            description=self.description,
            operation=operation,
            read=self._look(operation),
            whole=self._whole(operation),
            database=self.tools.deployment.database,
            threads=self.tools.threads,
        )

    def _whole(self, operation: Operation) -> Whole | None:
        """How the thing on a path is written whole."""
        schema = self.description.written_whole(operation.path)
        if schema is None:
            return None
        strip = self.undescribed.body == "strip"
        named = self.description.schemas
        members = children_of(part for part, _ in parts_of(schema, named)).members
        read_only = {
            name for name, schemas in members.items() if any(is_marked(one, "readOnly", named) for one in schemas)
        }
        return Whole(
            self.requests[self.undescribed.body == "reject"].checker(schema),
            compile_shaper(schema, named, strip=strip),
            frozenset(members),
            frozenset(read_only),
        )


class _Collecting:
    """Errors about one operation do not keep those about the next from being found."""

    def __init__(self, errors: list[DescriptionError], place: Callable[[str], DescriptionError]) -> None:
        self.errors = errors
        self.place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, DescriptionErrors):
            self.errors.extend(error.errors)
        elif isinstance(error, MissingExtra):
            self.errors.append(self.place(str(error)))
        else:
            return False
        return True


def _is_in(path: str, beginning: str) -> bool:
    return f"{path}/".startswith(f"{beginning.rstrip('/')}/")


def _after(path: str, beginning: str) -> str:
    return path.removeprefix(beginning.rstrip("/"))


def _takes_rest(operation: Operation) -> bool:
    """Whether the path's last parameter takes what is left of a path."""
    return any(
        one.where == "path" and one.takes_slashes and operation.path.endswith(f"{{{one.name}}}")
        for one in operation.parameters
    )
