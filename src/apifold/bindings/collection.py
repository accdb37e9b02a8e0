"""Collections: operations on JSON documents in the deployment's database, as model files use them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.errors import NotFound, PreconditionFailed
from apifold.exchange import Call, Exchange, Page, Result
from apifold.schema.names import argument_name

_KEYS = {"name", "do", "filter", "sort", "unique"}
_VERBS = ("list", "create", "read", "replace", "patch", "delete")


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """`binding: {collection: {name: hosts, do: list, filter: [status], sort: [name], unique: [name]}}`.

    `do` is one of list, create, read, replace, patch, delete. A document's id is the path's last parameter; on the
    wire it carries `id`, `created_at` and `updated_at` beside its own members.
    """
    below = "/x-apifold/binding"
    if (
        not isinstance(option, dict)
        or not option.keys() <= _KEYS
        or not option.get("name")
        or option.get("do") not in _VERBS
    ):
        raise workplace.refused(
            operation, "a collection binding needs `name` and `do`", f"`do` is one of {', '.join(_VERBS)}", below
        )
    try:
        rows = _Rows(operation, option, workplace)
    except ValueError as error:
        raise workplace.refused(operation, str(error), "choose another name", below) from None
    run: Callable[[Exchange], Result] = getattr(rows, option["do"])
    if rows.database.inline and option["do"] == "read":
        return run

    async def elsewhere(exchange: Exchange) -> Result:
        return await asyncio.get_running_loop().run_in_executor(workplace.threads, run, exchange)

    return elsewhere


class _Rows:
    """One collection as the operations on it see it."""

    def __init__(self, operation: Operation, option: dict[str, Any], workplace: Workplace) -> None:
        from apifold.store import Collection, CollectionSpec  # noqa: PLC0415  # brings SQLAlchemy, for those who use it

        self.database = workplace.deployment.database()
        self.filters = tuple(option.get("filter") or ())
        self.title = str(option["name"]).replace("_", " ")
        spec = CollectionSpec(
            unique=tuple(option.get("unique") or ()), filterable=self.filters, sortable=tuple(option.get("sort") or ())
        )
        self.documents = Collection(self.database, option["name"], spec)
        self.success = operation.success
        names = [parameter.inner_name for parameter in operation.parameters if parameter.where == "path"]
        self.key = argument_name(names[-1]) if names else ""

    def list(self, exchange: Exchange) -> Result:
        from apifold.store import Query  # noqa: PLC0415  # as above

        arguments = exchange.arguments
        page = arguments.get("page") or Page(100)
        sort = tuple((name.removeprefix("-"), name.startswith("-")) for name in arguments.get("sort") or ())
        filters = {name: tuple(arguments[name]) for name in self.filters if arguments.get(name)}
        found = self.documents.page(
            Query(
                filters=filters,
                sort=sort,
                limit=page.limit,
                marker=page.marker or None,
                offset=page.offset,
                count=page.counts,
            )
        )
        page.next_marker, page.total = found.next_marker or "", found.total
        body: dict[str, Any] = {"items": [_shown(document) for document in found.items]}
        if found.next_marker and not page.counts:
            body["next"] = found.next_marker
        return Result(self.success, body)

    def create(self, exchange: Exchange) -> Result:
        document = self.documents.create(exchange.arguments["body"])
        request = exchange.request
        location = f"{request.prefix}{request.path.rstrip('/')}/{document.id}"
        return Result(self.success, _shown(document), (("Location", location), ("ETag", _tag(document))))

    def read(self, exchange: Exchange) -> Result:
        document = self._found(self.documents.read, exchange)
        return Result(self.success, _shown(document), (("ETag", _tag(document)),))

    def replace(self, exchange: Exchange) -> Result:
        document = self._found(self.documents.replace, exchange, exchange.arguments["body"], _revision(exchange))
        return Result(self.success, _shown(document), (("ETag", _tag(document)),))

    patch = replace

    def delete(self, exchange: Exchange) -> Result:
        self._found(self.documents.delete, exchange, _revision(exchange))
        return Result(self.success, None)

    def _found(self, do: Callable[..., Any], exchange: Exchange, *arguments: Any) -> Any:
        identifier = exchange.arguments[self.key]
        try:
            return do(identifier, *arguments)
        except NotFound:
            raise NotFound(f"There is no {identifier!r} in {self.title}.") from None


def _shown(document: Any) -> dict[str, Any]:
    return {
        "id": document.id,
        **document.body,
        "created_at": document.created.isoformat(),
        "updated_at": document.updated.isoformat(),
    }


def _tag(document: Any) -> str:
    return f'"{document.revision}"'


def _revision(exchange: Exchange) -> int | None:
    """The revision that the change is based on, from the ETag."""
    if not exchange.expected:
        return None
    text = exchange.expected.strip('"')
    if not text.isdigit():
        raise PreconditionFailed("It has changed since; read it again.")
    return int(text)
