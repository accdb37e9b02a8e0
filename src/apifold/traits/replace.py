"""PUT of a representation, as a client read and changed it: all of it, or only members that the client names."""

from __future__ import annotations

from typing import Any

from apifold.errors import Invalid, Problem
from apifold.exchange import Exchange
from apifold.schema.names import argument_name
from apifold.traits.change import Change
from apifold.traits.select import named_members, selecting_parameter
from apifold.traits.trait import Whole, with_parameter


class Replace(Change):
    """`replace`, or `replace: {select: NAME, read_only: denied}`.

    A client sends what GET shows with its changes; read-only members may be left out, or be sent as they are. With
    `select`, a query parameter of that name says which members alone are replaced: the body has these and no others,
    and one that it lacks is taken away.
    """

    method = "PUT"
    media = "application/json"

    def __init__(self, option: Any) -> None:
        super().__init__(option)
        self.parameter = str(option.get("select", "")) if isinstance(option, dict) else ""

    @staticmethod
    def _takes(options: dict[str, Any]) -> bool:
        return options.keys() <= {"read_only", "select"} and options.get("read_only", "denied") == "denied"

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        body = {"required": True, "content": {self.media: {}}, "description": "The thing as GET shows it, changed"}
        described = {"requestBody": body, **operation}
        if not self.parameter:
            return described
        what = "only these members are replaced: `name,tags`"
        return with_parameter(described, selecting_parameter(self.parameter, what))

    def changed(self, thing: Any, change: Any, exchange: Exchange, whole: Whole | None) -> Any:
        """The thing as it was sent, what is read-only as it was where that was not sent.

        Raises:
            Invalid: it is no object, or has other members than were named.
        """
        if not isinstance(change, dict) or whole is None:
            raise Invalid(problems=[Problem("body", "", "must be an object")])
        named = exchange.arguments.pop(argument_name(self.parameter), None) if self.parameter else None
        if named is None:
            kept, replaced = whole.read_only, whole.members
        else:
            replaced = frozenset(named_members(named, self.parameter, whole.members))
            kept = whole.members - replaced
        if unknown := change.keys() - replaced:
            raise Invalid(problems=[Problem("body", f"/{name}", "is not replaced here") for name in sorted(unknown)])
        return {name: value for name, value in thing.items() if name in kept} | change
