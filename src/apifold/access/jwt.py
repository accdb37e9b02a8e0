"""Callers from JSON Web Tokens (RFC 7519), as OpenID Connect providers issue them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from apifold.deployment import Deployment
from apifold.errors import MissingExtra, SettingsError, Unauthenticated, Unavailable
from apifold.exchange import Caller

BELIEVED_SECONDS = 60.0
"""How long a verified token is believed without being verified again."""

MAX_BELIEVED = 10_000
REFRESH_SECONDS = 30.0
"""How often the key set is fetched for an unknown key, at the most."""

FETCH_TIMEOUT = 10.0
MAX_BYTES = 1024 * 1024


class Jwt:
    """`jwt`: a token is verified by its signature, issuer, audience and times.

    Raises:
        SettingsError: a setting that it needs is missing or can't be used.
        MissingExtra: PyJWT is not installed.
    """

    name = "jwt"
    challenge = 'Bearer error="invalid_token"'
    open = False

    def __init__(self, deployment: Deployment) -> None:
        try:
            import jwt  # noqa: PLC0415  # an optional extra
        except ImportError:
            raise MissingExtra("auth jwt", "jwt") from None
        self._jwt = jwt
        self.settings = settings = deployment.settings
        if not settings.jwt_audience or not (settings.jwt_key or settings.jwt_jwks or settings.jwt_issuer):
            raise SettingsError("auth jwt needs --jwt-audience, and one of --jwt-key, --jwt-jwks, --jwt-issuer")
        if any(name.lower() == "none" for name in settings.jwt_algorithms):
            raise SettingsError("jwt_algorithms: unsigned tokens are not accepted")
        self._keys: dict[str, Any] = {}
        self._key: Any = None
        self._fetched = 0.0
        self._fetching: asyncio.Lock | None = None
        self._believed: dict[bytes, tuple[Caller, float]] = {}
        if settings.jwt_key:
            self._read_key(Path(settings.jwt_key))

    def identify(self, credential: str) -> Caller | Any:
        """Whose token this is: at once where it was verified before, else to be awaited.

        Raises:
            Unauthenticated: it is not valid here.
            Unavailable: its key can't be fetched.
        """
        believed = self._believed.get(_digest(credential))
        if believed and believed[1] > time.time():
            return believed[0]
        return self._verify(credential)

    async def _verify(self, token: str) -> Caller:
        jwt, settings = self._jwt, self.settings
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key_for(header.get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=list(settings.jwt_algorithms),
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer or None,
                options={"require": ["exp"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"The token is not valid: {type(error).__name__}.", self.challenge) from None
        caller = self._caller(claims)
        until = min(float(claims["exp"]), time.time() + BELIEVED_SECONDS)
        if len(self._believed) >= MAX_BELIEVED:
            self._believed.clear()
        self._believed[_digest(token)] = caller, until
        return caller

    def _caller(self, claims: dict[str, Any]) -> Caller:
        roles = _claim(claims, self.settings.jwt_roles)
        scopes = claims.get("scope", claims.get("scp", ()))
        names = tuple((key, str(value)) for key, value in claims.items() if isinstance(value, str | int | bool))
        return Caller(
            user=str(claims.get("sub", "")),
            project=str(_claim(claims, self.settings.jwt_project) or ""),
            roles=frozenset(role.lower() for role in _words(roles)),
            scopes=frozenset(_words(scopes)),
            names=names,
        )

    async def _key_for(self, kid: str | None) -> Any:
        if self._key is not None:
            return self._key
        if kid not in self._keys:
            self._fetching = self._fetching or asyncio.Lock()
            async with self._fetching:
                if kid not in self._keys and time.monotonic() - self._fetched > REFRESH_SECONDS:
                    try:
                        keys = await asyncio.to_thread(self._fetch)
                    except (OSError, ValueError):
                        raise Unavailable("The token's keys can't be fetched now.", retry_after=5) from None
                    self._fetched = time.monotonic()
                    self._take_keys(keys)
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise self._jwt.InvalidKeyError("unknown key")
        return self._keys[kid]

    def _fetch(self) -> dict[str, Any]:
        address = self.settings.jwt_jwks
        if not address:
            found = _get_json(f"{self.settings.jwt_issuer.rstrip('/')}/.well-known/openid-configuration")
            address = str(found["jwks_uri"])
        return _get_json(address)

    def _read_key(self, path: Path) -> None:
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise SettingsError(f"jwt_key {path}: {error.strerror}") from None
        if text.lstrip().startswith("{"):
            self._take_keys(json.loads(text))
            self._fetched = float("inf")
            return
        shared = all(name.startswith("HS") for name in self.settings.jwt_algorithms)
        if not shared and "BEGIN" not in text:
            raise SettingsError(
                f"jwt_key {path}: a secret goes with --jwt-algorithms HS256; a public key is a PEM file"
            )
        if "BEGIN" in text and any(name.startswith("HS") for name in self.settings.jwt_algorithms):
            raise SettingsError("jwt_algorithms: HS* with a public key would let anybody sign; choose RS* or ES*")
        self._key = text.strip()

    def _take_keys(self, keys: dict[str, Any]) -> None:
        found = self._jwt.PyJWKSet.from_dict(keys)
        self._keys = {str(key.key_id): key for key in found.keys}


def _get_json(address: str) -> dict[str, Any]:
    if not address.startswith(("https://", "http://")):
        raise ValueError("not an http address")
    with urllib.request.urlopen(address, timeout=FETCH_TIMEOUT) as answer:  # noqa: S310  # checked above
        found: dict[str, Any] = json.loads(answer.read(MAX_BYTES))
        return found


def _claim(claims: dict[str, Any], path: str) -> Any:
    node: Any = claims
    for part in path.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
