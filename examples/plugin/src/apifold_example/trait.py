"""A trait: an answer says when it was made."""

from typing import Any

from apifold import Exchange, Result


class Stamped:
    """`traits: [stamped]`, or `traits: {stamped: HEADER}`."""

    rank = 60

    def __init__(self, option: Any) -> None:
        if option is not None and not isinstance(option, str):
            raise ValueError("`stamped` takes the name of a header")
        self.header = option or "X-Stamp"

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        return operation

    def around(self, surroundings: Any) -> Any:
        async def stamp(exchange: Exchange, proceed: Any) -> Result:
            result: Result = await proceed(exchange)
            result.headers = (*result.headers, (self.header, "stamped"))
            return result

        return stamp
