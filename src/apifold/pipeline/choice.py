"""Operations that share a path and a method, told apart by the one member of their body.

In a description each is an operation of its own, on the path and its name: `/servers/{id}/action#reboot` is what
`POST /servers/{id}/action` does with `{"reboot": ...}`.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from apifold.errors import Invalid, Malformed, Problem, UnsupportedMedia
from apifold.http import Request, media_type
from apifold.routing import Choice

T = TypeVar("T")

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def chosen(choice: Choice[T], request: Request) -> T:
    """The operation that a request's body names.

    Raises:
        UnsupportedMedia: the body is no JSON.
        Malformed: it is no JSON object.
        Invalid: it has another number of members than one, or names no action.
    """
    if "json" not in media_type(request.headers.get("content-type", "application/json"))[0]:
        raise UnsupportedMedia(("application/json",))
    try:
        members = _MEMBERS.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = Problem("body", "", "is no JSON object with the action as its one member")
        raise Malformed("Malformed request body", [problem]) from None
    name = next(iter(members), "")
    if len(members) != 1:
        raise Invalid("", [Problem("body", "", "must have one member: the action's name")])
    found = choice.targets.get(name)
    if found is None:
        known = ", ".join(sorted(choice.targets))
        raise Invalid(f"There is no such action: {name[:64]}. There are: {known}.")
    return found
