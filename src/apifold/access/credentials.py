"""Where a credential stands in a request, worked out from OpenAPI security requirements."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apifold.errors import Unauthenticated
from apifold.http import Request
from apifold.http.fields import parse_cookies, parse_query

Reader = Callable[[Request], str | None]
"""The credential in a request, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to be known: a credential, and scopes that the caller has to have."""

    find: Reader
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Security:
    """The ways to be known, any of which will do; `optional` where none is needed."""

    alternatives: tuple[Alternative, ...]
    optional: bool = False


def bearer(request: Request) -> str | None:
    """The token of `Authorization: Bearer TOKEN` (RFC 6750, 2.1)."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    return header[7:].strip() or None if header[:7].lower() == "bearer " else None


def basic(request: Request) -> str | None:
    """`user:password` of `Authorization: Basic ...` (RFC 7617, 2).

    Raises:
        Unauthenticated: it can't be read.
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(text.strip(), validate=True).decode() or None
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated("The Authorization header can't be read.", "Basic") from None


def api_key(where: str, name: str) -> Reader:
    """The value of a header, query parameter or cookie."""
    lowered = name.lower()
    if where == "header":
        return lambda request: request.headers.get(lowered) or None
    if where == "query":
        return lambda request: (parse_query(request.query).get(name) or [""])[-1] or None
    return lambda request: (parse_cookies(request.headers.get("cookie", "")).get(name) or [""])[-1] or None


DEFAULT_SECURITY = Security(
    (Alternative(bearer, frozenset()), Alternative(api_key("header", "X-Auth-Token"), frozenset()))
)
"""Where nothing is said: a bearer token, else `X-Auth-Token`."""


def compile_security(requirements: list[dict[str, list[str]]], schemes: dict[str, dict[str, Any]]) -> Security:
    """The security of an operation.

    Args:
        requirements: as under `security`: any of these, each with all of its schemes.
        schemes: `components.securitySchemes`.

    Raises:
        ValueError: a scheme that is not supported; the text names it.
    """
    alternatives = tuple(
        Alternative(
            _together([_reader(name, schemes.get(name, {})) for name in requirement]),
            frozenset(scope for scopes in requirement.values() for scope in scopes),
        )
        for requirement in requirements
        if requirement
    )
    return Security(alternatives, optional=not requirements or {} in requirements)


def _together(readers: list[Reader]) -> Reader:
    """The first credential of several, where all of them are there."""
    if len(readers) == 1:
        return readers[0]

    def all_of_them(request: Request) -> str | None:
        found = [reader(request) for reader in readers]
        return found[0] if all(found) else None

    return all_of_them


def _reader(name: str, scheme: dict[str, Any]) -> Reader:
    match scheme.get("type"):
        case "http" if str(scheme.get("scheme", "")).lower() == "bearer":
            return bearer
        case "http" if str(scheme.get("scheme", "")).lower() == "basic":
            return basic
        case "apiKey":
            return api_key(scheme["in"], scheme["name"])
        case "oauth2" | "openIdConnect":
            return bearer
        case kind:
            raise ValueError(f"the security scheme {name!r} ({scheme.get('scheme') or kind}) is not supported")
