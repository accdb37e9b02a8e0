"""Upstream: an operation mapped on another HTTP API. The shapes are mapped by `source`, around this."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from apifold.bindings.tasks import tasked
from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.errors import Invalid, MissingExtra, NotFound, SettingsError, Unavailable, UpstreamFailed
from apifold.exchange import Call, Exchange, Page, Result
from apifold.http import Response, discard
from apifold.outgoing import Reply, Upstream, fault_of, forward
from apifold.schema.names import argument_name
from apifold.service import PerRequest

CREDENTIALS = frozenset(("authorization", "cookie", "x-auth-token"))
"""Headers that say who the client is to us; others are not told, nor those that the description's security names."""

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class _Existing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is there already is not made again: it is found by a member, in the list that a GET gives."""

    by: str
    list: str
    path: str = ""
    add: dict[str, Any] = {}


class _Paging(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the other API pages: by the key of the last item."""

    list: str
    limit: str = "limit"
    marker: str = "marker"
    key: str = "id"


class _Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"passes": "pass"}):
    to: str
    path: str
    service: str = ""
    method: str = ""
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}
    status: int = 0
    envelope: str = ""
    add: dict[str, Any] = {}
    existing: _Existing | None = None
    page: _Paging | None = None
    faults: str = "translate"
    seconds: float = 0.0
    passes: bool = False


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """`binding: {upstream: {to: NAME, path: /v2.0/networks/{id}, ...}}`.

    `to` is an upstream of the settings, or what the service provides by that name: a `PerRequest` that gives an
    `apifold.Upstream`. Keys beside: `service` (type in its catalogue), `method`, `status`, `query`, `headers` (beside
    declared query parameters, which go under their `source`), `envelope` (member that the thing stands in, both
    ways), `add` (members added to its answer), `existing: {by, list, path, add}` (what is there by that member is
    answered with 200, not made again), `page: {list, limit, marker, key}` with the `page` trait, `faults` (`translate`,
    or `pass` for the other's status and body), `seconds`, and `pass: true` (request and answer go through as they are,
    in pieces).
    """
    below = "/x-apifold/binding"
    try:
        chosen = msgspec.convert(option, _Option)
        if chosen.faults not in ("translate", "pass"):
            raise ValueError("`faults` is `translate` or `pass`")  # told like the rest
        reach = _reach(chosen.to, workplace)
        if operation.extension.stream and not chosen.passes:
            raise ValueError("what takes its body in pieces must `pass` it")
        mapped = _Mapped(operation, chosen, reach, CREDENTIALS | _named_credentials(workplace))
    except (msgspec.ValidationError, ValueError, SettingsError, MissingExtra) as error:
        raise workplace.refused(
            operation, f"the upstream binding: {error}", "see the reference of bindings", below
        ) from None
    return tasked(mapped.passed if chosen.passes else mapped.answered)


Reach = Callable[[Exchange], Awaitable[Upstream]]


def _reach(name: str, workplace: Workplace) -> Reach:
    provided = workplace.provides.get(name)
    if isinstance(provided, PerRequest):
        return provided.make
    upstream: Upstream = workplace.deployment.upstream(name)

    async def fixed(exchange: Exchange) -> Upstream:
        return upstream

    return fixed


class _Mapped:
    """One operation and what it is over there."""

    def __init__(self, operation: Operation, option: _Option, reach: Reach, credentials: frozenset[str]) -> None:
        self.option = option
        self.reach = reach
        self.credentials = credentials
        self.versioned = not option.path.startswith("/{")
        made = [int(status) for status in operation.answers if status in ("201", "202")] if option.existing else []
        self.success = option.status or min(made, default=operation.success)
        self.there = 200 if "200" in operation.answers else self.success
        self.method = option.method or operation.method
        self.names = {one.name: argument_name(one.inner_name) for one in operation.parameters}
        self.rest = {one.name for one in operation.parameters if one.takes_slashes}
        self.has_body = operation.body is not None
        paging = {"limit", "marker", "offset"} if option.page else set()
        self.query = [
            (one.inner_name, argument_name(one.inner_name))
            for one in operation.parameters
            if one.where == "query" and one.name not in paging
        ]
        for text in (option.path, *map(str, (*option.query.values(), *option.add.values(), *option.headers.values()))):
            for name in _PLACEHOLDER.findall(text):
                if name not in self.names:
                    raise ValueError(f"`{{{name}}}` is no parameter of {operation.title}")

    async def answered(self, exchange: Exchange) -> Result:
        """The other API's answer, its thing out of the envelope."""
        option, arguments = self.option, exchange.arguments
        upstream = await self.reach(exchange)
        path = self._path(arguments)
        body = arguments.get("body") if self.has_body else None
        if option.existing and isinstance(body, dict):
            found = await self._existing(upstream, option.existing.path or path, body.get(option.existing.by))
            if found is not None:
                told = self._filled(option.add | option.existing.add, arguments)
                return Result(self.there, {**found, **told}, foreign=True)
        if body is not None and option.envelope:
            body = {option.envelope: body}
        headers = {name: _header(name, value) for name, value in self._filled(option.headers, arguments).items()}
        page: Page | None = arguments.get("page") if option.page else None
        sent = path + self._asked(arguments, page)
        reply = await upstream.call(
            self.method,
            sent,
            service=option.service,
            json=body,
            headers=headers,
            seconds=option.seconds,
            versioned=self.versioned,
        )
        if reply.status >= 300:
            return self._refused(reply)
        return self._result(reply, arguments, page)

    async def passed(self, exchange: Exchange) -> Result:
        """The other API's answer, as it comes."""
        upstream = await self.reach(exchange)
        path = self._path(exchange.arguments)
        request = exchange.request
        for again in (True, False):
            url = await upstream.address(path, self.option.service, versioned=self.versioned)
            known = await upstream.session.headers()
            response = await forward(
                upstream.outgoing,
                request,
                url,
                known,
                self.option.seconds or upstream.seconds,
                without=self.credentials,
            )
            if response.status != 401 or not again or not await upstream.session.renew(known):
                break
            await discard(response.body)
            if request.pieces is not None:
                raise Unavailable("The other service wanted another token, and the body is gone; send it again.", 1)
        return Result(response.status, response)

    def _path(self, arguments: Mapping[str, Any]) -> str:
        return _PLACEHOLDER.sub(lambda match: self._segment(match[1], arguments), self.option.path)

    def _segment(self, name: str, arguments: Mapping[str, Any]) -> str:
        """A value as part of a path, so that it can't lead out of its place."""
        text = _text(arguments.get(self.names[name], ""))
        parts = text.split("/") if name in self.rest else [text]
        if any(part in ("", ".", "..") for part in parts[:-1]) or parts[-1] in (".", "..") or not text:
            raise NotFound("Nothing is served at this path.")
        return "/".join(quote(part, safe="") for part in parts)

    def _asked(self, arguments: Mapping[str, Any], page: Page | None) -> str:
        pairs: list[tuple[str, str]] = []
        for name, argument in self.query:
            value = arguments.get(argument)
            values = value if isinstance(value, list | tuple) else () if value is None else (value,)
            pairs += [(name, _text(one)) for one in values]
        pairs += [(name, _text(value)) for name, value in self._filled(self.option.query, arguments).items()]
        if page is not None and self.option.page:
            pairs.append((self.option.page.limit, str(page.limit)))
            if page.marker:
                pairs.append((self.option.page.marker, page.marker))
        return f"?{urlencode(pairs)}" if pairs else ""

    async def _existing(self, upstream: Upstream, path: str, value: Any) -> dict[str, Any] | None:
        existing = self.option.existing
        if existing is None or value is None:
            return None
        asked = f"{path}?{urlencode({existing.by: _text(value)})}"
        reply = await upstream.call("GET", asked, service=self.option.service, seconds=self.option.seconds)
        if reply.status >= 300:
            raise fault_of(reply)
        listed = reply.json()
        items = listed.get(existing.list) if isinstance(listed, dict) else None
        return next((item for item in items or () if isinstance(item, dict) and item.get(existing.by) == value), None)

    def _refused(self, reply: Reply) -> Result:
        if reply.status < 400:
            raise UpstreamFailed("The other service sends us elsewhere, where we do not go.")
        if self.option.faults == "translate":
            raise fault_of(reply)
        body = reply.body if isinstance(reply.body, bytes) else b""
        media = reply.header("Content-Type") or "application/octet-stream"
        return Result(reply.status, Response(reply.status, body, (("Content-Type", media),)))

    def _result(self, reply: Reply, arguments: Mapping[str, Any], page: Page | None) -> Result:
        option = self.option
        value = reply.json()
        if option.envelope and isinstance(value, dict) and option.envelope in value:
            value = value[option.envelope]
        if option.page and page is not None:
            items = value.get(option.page.list) if isinstance(value, dict) else None
            if items and len(items) >= page.limit and isinstance(items[-1], dict):
                page.next_marker = str(items[-1].get(option.page.key, ""))
        if option.add and isinstance(value, dict):
            value = {**value, **self._filled(option.add, arguments)}
        return Result(self.success, value, foreign=True)

    def _filled(self, template: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A template's values with parameters in the place of their names; those that were not given are left out."""
        filled = {}
        for key, value in template.items():
            if isinstance(value, str) and _PLACEHOLDER.search(value):
                names = _PLACEHOLDER.findall(value)
                if any(arguments.get(self.names[name]) is None for name in names):
                    continue
                filled[key] = _PLACEHOLDER.sub(lambda match: _text(arguments[self.names[match[1]]]), value)
            else:
                filled[key] = value
        return filled


def _named_credentials(workplace: Workplace) -> frozenset[str]:
    """Headers that the description itself says credentials stand in."""
    return frozenset(
        str(scheme.get("name", "")).lower()
        for scheme in workplace.description.security_schemes.values()
        if isinstance(scheme, dict) and scheme.get("in") == "header"
    )


def _header(name: str, value: Any) -> str:
    text = _text(value)
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise Invalid(f"A value can't stand in the header {name}: it has control characters.")
    return text


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
