"""What every stack is asked, and what it has to answer."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from stacks import WORK

from servers import Ask, Server

sys.path.insert(0, str(WORK))
import work  # it lies where the stacks find it

_TOKEN = ("Authorization", f"Bearer {work.TOKEN}")
_JSON = ("Content-Type", "application/json")


@dataclass(frozen=True)
class Row:
    """One row: a request, the statuses that are right, and what the body has to say, if that is known."""

    name: str
    ask: Ask
    statuses: tuple[int, ...]
    body: object = None

    def check(self, server: Server, name: str) -> None:
        """Ask once.

        Raises:
            SystemExit: the answer is wrong; a stack that does other work can't be compared.
        """
        status, body = server.ask(self.ask)
        if status not in self.statuses or (self.body is not None and not _same(json.loads(body), self.body)):
            raise SystemExit(
                f"{name} answers {self.name} with {status}: {body[:300]!r}\n{server.log.read_text()[-2000:]}"
            )


def _post(path: str, value: object) -> Ask:
    return Ask("POST", path, json.dumps(value, separators=(",", ":")).encode(), (_TOKEN, _JSON))


def _same(found: object, wanted: object) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_same(found.get(name), value) for name, value in wanted.items())
    return found == wanted


ROWS = (
    Row("GET by path", Ask("GET", "/plans/gold", b"", (_TOKEN,)), (200,), work.STORED),
    Row("validated POST", _post("/plans", work.PLAN), (201,), work.PLAN),
    Row("list of 100", Ask("GET", "/items?limit=100", b"", (_TOKEN,)), (200,), work.ITEMS),
    Row("POST, answer validated", _post("/checked/plans", work.PLAN), (201,), work.PLAN),
    Row("404", Ask("GET", "/nothing/here", b"", (_TOKEN,)), (404,)),
    Row("refused POST", _post("/plans", work.REFUSED), (400, 422)),
)
