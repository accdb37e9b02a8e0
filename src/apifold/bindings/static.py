"""Static answers: a value that stands in the description, or a file beside it."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.exchange import Call, Exchange, Result
from apifold.http import Response

_KEYS = {"value", "file", "status", "headers"}


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """`binding: {static: {value: ANY}}` or `{static: {file: NAME}}`, with `status` and `headers` where wanted."""
    below = "/x-apifold/binding"
    if not isinstance(option, dict) or not option.keys() <= _KEYS or ("value" in option) == ("file" in option):
        raise workplace.refused(
            operation,
            "a static binding has either a `value` or a `file`",
            "such as `static: {value: {ok: true}}`",
            below,
        )
    status = int(option.get("status", operation.success))
    headers = tuple((str(name), str(value)) for name, value in (option.get("headers") or {}).items())
    if "value" in option:
        value = option["value"]
        return lambda exchange: Result(status, value, headers)
    content, media = _file(operation, str(option["file"]), workplace, below)
    response = Response(status, content, (("Content-Type", media), *headers))

    def call(exchange: Exchange) -> Result:
        return Result(status, response)

    return call


def _file(operation: Operation, name: str, workplace: Workplace, below: str) -> tuple[bytes, str]:
    folder = workplace.description.file.parent.resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise workplace.refused(
            operation, f"there is no file {name!r} beside the description", f"put it into {folder}", below
        )
    return Path(path).read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"
