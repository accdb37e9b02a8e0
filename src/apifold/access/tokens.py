"""Callers from a file of tokens: for a single box, a lab, a few programs.

- {token: TEXT, user: ada, project: lab, roles: [admin]}
- {sha256: HEX, user: bob, roles: [reader], scopes: ["read"], expires: 2027-01-01T00:00:00Z}
"""

from __future__ import annotations

import hashlib
import logging
import re
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apifold import marked
from apifold.deployment import Deployment
from apifold.errors import DescriptionError, DescriptionErrors, SettingsError, Unauthenticated
from apifold.exchange import Caller

LOOK_SECONDS = 1.0
"""How often the file is looked at for changes, at the most."""

MAX_RECENT = 1024
"""Credentials whose digest is remembered. Only those that are known, so that guessing fills nothing."""

_KEYS = {"token", "sha256", "user", "project", "roles", "scopes", "expires"}

log = logging.getLogger("apifold.access")

Known = dict[bytes, tuple[Caller, float]]
"""Callers and when they expire (seconds since the epoch), by the SHA-256 of their token."""


class Tokens:
    """`tokens`: who is asking is looked up in a file. The file is read again when it changes.

    Raises:
        SettingsError: the setting `tokens` is missing, or its file can't be used.
    """

    name = "tokens"
    challenge = "Bearer"
    open = False

    def __init__(self, deployment: Deployment) -> None:
        settings = deployment.settings
        if not settings.tokens:
            raise SettingsError("auth tokens needs a file: --tokens FILE")
        self.path = Path(settings.tokens)
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._looked = 0.0
        self._recent: dict[str, tuple[Caller, float]] = {}
        try:
            self._known = self._read()
        except DescriptionErrors as error:
            raise SettingsError(str(error)) from None

    def identify(self, credential: str) -> Caller:
        """The caller of a token, or of `user:token` where HTTP Basic is used.

        Raises:
            Unauthenticated: nobody has it, or it has expired.
        """
        now = time.time()
        if abs(now - self._looked) > LOOK_SECONDS:  # the clock may be put back, too
            self._looked = now
            self.reload()
        found = self._recent.get(credential) or self._look_up(credential)
        if found is None or found[1] < now:
            raise Unauthenticated("This token is not known.", self.challenge)
        return found[0]

    def _look_up(self, credential: str) -> tuple[Caller, float] | None:
        found = self._known.get(_digest(credential))
        if found is None and ":" in credential:
            user, _, token = credential.partition(":")
            found = self._known.get(_digest(token))
            if found and found[0].user != user:
                found = None
        if found:
            if len(self._recent) >= MAX_RECENT:
                self._recent.clear()
            self._recent[credential] = found
        return found

    def reload(self) -> None:
        """Read the file again where it changed; one that can't be read changes nothing and is logged."""
        try:
            if self._stat() != self._seen:
                self._known = self._read()
                self._recent.clear()
                log.info("%s: %d tokens", self.path, len(self._known))
        except (DescriptionErrors, OSError) as error:
            log.error("the tokens stay as they were: %s", error)

    def _stat(self) -> tuple[int, int, int]:
        found = self.path.stat()
        return found.st_ino, found.st_size, found.st_ctime_ns

    def _read(self) -> Known:
        name = str(self.path)
        try:
            self._seen = self._stat()
            text = self.path.read_text("utf-8")
        except OSError as error:
            raise DescriptionErrors(
                [DescriptionError(name, 0, "", f"the tokens can't be read: {error.strerror}", "is its name right?")]
            ) from None
        if self.path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            log.warning("%s can be read by others; chmod 600 it", self.path)
        return _known(marked.read(text, name), text, name)


def _known(entries: Any, text: str, name: str) -> Known:
    errors: list[DescriptionError] = []
    known: Known = {}

    def wrong(pointer: str, message: str, remedy: str) -> None:
        errors.append(DescriptionError(name, marked.line(text, pointer), pointer, message, remedy))

    if not isinstance(entries, list):
        wrong("", "a tokens file is a list", "such as `- {token: TEXT, user: ada, roles: [admin]}`")
        raise DescriptionErrors(errors)
    for index, entry in enumerate(entries):
        at = f"/{index}"
        if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
            extra = sorted(map(str, set(entry) - _KEYS)) if isinstance(entry, dict) else []
            wrong(
                f"{at}/{extra[0]}" if extra else at,
                f"an entry can't have {extra[0]!r}" if extra else "an entry is a mapping",
                f"its keys: {', '.join(sorted(_KEYS))}",
            )
            continue
        digest = _entry_digest(entry)
        if digest is None:
            wrong(
                at,
                "an entry has either a `token` or the `sha256` of one",
                "write 64 hexadecimal digits, or the token in quotes",
            )
        elif not isinstance(entry.get("user"), str):
            wrong(at, "an entry says whose token it is", "add `user:`")
        elif digest in known:
            wrong(at, "the same token stands twice", "remove one of them")
        else:
            expires = _expires(entry.get("expires"))
            if expires is None:
                wrong(f"{at}/expires", f"{entry['expires']!r} is no date and time", "such as 2027-01-01T00:00:00Z")
                continue
            roles = frozenset(str(role).lower() for role in entry.get("roles") or ())
            known[digest] = (
                Caller(
                    entry["user"], str(entry.get("project", "")), roles, frozenset(map(str, entry.get("scopes") or ()))
                ),
                expires,
            )
    if errors:
        raise DescriptionErrors(errors)
    return known


def _entry_digest(entry: dict[str, Any]) -> bytes | None:
    token, digest = entry.get("token"), entry.get("sha256")
    if isinstance(token, str) and token and digest is None:
        return _digest(token)
    if token is None and isinstance(digest, str) and re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        return bytes.fromhex(digest)
    return None


def _expires(text: Any) -> float | None:
    if text is None:
        return float("inf")
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
