"""Endpoint: an operation compiled for one API, with everything a request needs worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apifold.access.policy import Policy
from apifold.exchange import Call
from apifold.pipeline.dialects import Dialect
from apifold.pipeline.ending import Ending
from apifold.pipeline.gate import Gate
from apifold.pipeline.reader import Reader
from apifold.pipeline.versions import Versions
from apifold.pipeline.writer import Writer
from apifold.routing import Table
from apifold.settings import ShadowSettings


@dataclass(frozen=True, slots=True)
class Shadow:
    """Another implementation of an operation, asked after the real one has answered.

    Attributes:
        call: its answer.
        pair: what is compared with what; evidence about one pair says nothing about another.
        settings: which requests, and what may differ.
    """

    call: Call
    pair: str
    settings: ShadowSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One compiled operation. Immutable; shared by all requests.

    Attributes:
        api: name of its API.
        name: operationId, or method and path where there is none.
        title: method and path template.
        label: API and name, as metrics count it.
        gate: who may call it.
        reader: request to arguments.
        call: the binding's, with its traits around it.
        writer: result to response.
        shadow: another implementation that its answers are compared with.
        streams: whether it takes a body in pieces.
        ending: says that it will end, or has; None where it does not.
        policy: the rules that its handler may ask; None where the API has no policy file.
    """

    api: str
    name: str
    title: str
    label: str
    gate: Gate
    reader: Reader
    call: Call
    writer: Writer
    shadow: Shadow | None = None
    streams: bool = False
    ending: Ending | None = None
    policy: Policy | None = None

    @property
    def method(self) -> str:
        """Its method."""
        return self.title.partition(" ")[0]

    @property
    def path(self) -> str:
        """Its path template, from the root."""
        return self.title.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Api:
    """One API as it is served; at one of its versions, where clients may choose one.

    Attributes:
        versions: what it is at each version; None where there is no choice.
        guests: what stands beside its own endpoints, whatever the version: documents and pages.
        identified_by: headers in which its answers tell the request's id, with their forms.
    """

    name: str
    title: str
    base: str
    dialect: Dialect
    table: Table[Endpoint]
    endpoints: tuple[Endpoint, ...]
    versions: Versions[Api] | None = None
    guests: Table[Endpoint] = field(default_factory=Table)
    named: dict[str, Endpoint] = field(default_factory=dict)
    identified_by: tuple[tuple[str, str], ...] = ()

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint of an operationId, or of a method and path; None where there is none."""
        if not self.named:
            self.named.update((key, one) for one in self.endpoints for key in (one.title, one.name))
        return self.named.get(name)

    @property
    def at_all_versions(self) -> tuple[Api, ...]:
        """The API as it is at each of its versions; itself where there is no choice."""
        return self.versions.states if self.versions else (self,)


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that one process serves, by base path.

    Attributes:
        apis: all of them.
        by_name: the same by their names.
        by_first: where a path may lead, by its first segment: the segments of base paths, the longest first.
        at_root: where any other path leads: to the API without a base path, if there is one.
        dialect: for faults where no API was found.
        streams: whether any operation takes a body in pieces.
    """

    apis: tuple[Api, ...]
    by_name: Mapping[str, Api]
    by_first: Mapping[str, tuple[tuple[list[str], Api], ...]]
    at_root: tuple[tuple[list[str], Api], ...]
    dialect: Dialect
    streams: bool

    @classmethod
    def of(cls, apis: list[Api], dialect: Dialect) -> Site:
        """The site of some APIs, whatever their order."""
        places = sorted(((api.base.split("/")[1:], api) for api in apis), key=lambda place: -len(place[0]))
        at_root = tuple(place for place in places if not place[0])
        firsts = {base[0] for base, _ in places if base}
        by_first = {first: tuple(p for p in places if not p[0] or p[0][0] == first) for first in firsts}
        states = [state for api in apis for state in api.at_all_versions]
        streams = any(endpoint.streams for state in states for endpoint in state.endpoints)
        return cls(tuple(apis), {api.name: api for api in apis}, by_first, at_root, dialect, streams)


def describe_site(site: Site) -> list[dict[str, Any]]:
    """Every endpoint as plain data: for `apifold routes` and for tests that walk all of them."""
    return [
        {
            "api": endpoint.api,
            "method": endpoint.method,
            "path": endpoint.path,
            "operation": endpoint.name,
            "rule": "public" if endpoint.gate.public else endpoint.gate.rule_name,
        }
        for api in site.apis
        for endpoint in api.endpoints
    ]
