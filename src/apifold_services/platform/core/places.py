"""Addresses that plans name: which kind each is, and whether it may be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_SCP = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?P<path>[\w./~-]+)")
"""How git's users write ssh addresses."""
_REVISION = re.compile(r"[\w][\w./-]{0,199}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an artifact is.

    Attributes:
        kind: `git`, `archive`, `folder` (of this machine), or `package` (a path in the plan's package).
        address: as it is asked for; of a folder or a package's file, its path.
        revision: commit, branch or tag, of a repository; "" for its newest.
        host: that is asked; "" for none.
        port: where it is asked.
    """

    kind: str
    address: str
    revision: str = ""
    host: str = ""
    port: int = 443


class PlaceRefused(ValueError):
    """An address that is none, or that may not be asked; the text says why."""


def place_of(href: str, folders: Sequence[str]) -> Place:
    """What an address stands for: what ends as archives do is one, all else a repository; `#REVISION` says which state.

    Args:
        folders: those that `file:` addresses may name, and what is below them.

    Raises:
        PlaceRefused: it may not be asked.
    """
    address, _, revision = href.partition("#")
    if revision and not _REVISION.fullmatch(revision):
        raise PlaceRefused(f"{revision!r} is no commit, branch or tag")
    scp = _SCP.fullmatch(address)
    if scp:
        address = f"ssh://{scp['user']}@{scp['host']}/{scp['path'].lstrip('/')}"
    try:
        parts = urlsplit(address.removeprefix("git+"))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise PlaceRefused(f"{href[:200]!r} is no address") from None
    if not parts.scheme and not parts.netloc:
        return Place("package", _relative(unquote(parts.path)))
    if parts.scheme == "file":
        return _of_machine(unquote(parts.path), revision, folders)
    if parts.scheme not in ("http", "https", "ssh") or not _HOST.fullmatch(host):
        raise PlaceRefused(f"{parts.scheme}: addresses are not asked; https, ssh, http and file addresses are")
    if parts.password or (parts.username and parts.scheme != "ssh"):
        raise PlaceRefused("an address with a password in it is not asked; say `private: true`, and use the deploy key")
    is_archive = parts.path.endswith(ARCHIVES) and not address.startswith("git+") and parts.scheme != "ssh"
    usual = {"http": 80, "https": 443, "ssh": 22}[parts.scheme]
    return Place("archive" if is_archive else "git", parts.geturl(), revision, host, port or usual)


def _of_machine(path: str, revision: str, folders: Sequence[str]) -> Place:
    found = Path(path).resolve()
    if not any(found.is_relative_to(Path(folder).resolve()) for folder in folders):
        raise PlaceRefused(
            f"file:{path} may not be read; an operator allows folders with `services: platform: folders`"
        )
    if found.name.endswith(ARCHIVES):
        return Place("file", str(found))
    is_repository = (found / ".git").exists() or (found / "HEAD").is_file()
    return Place("git" if is_repository else "folder", str(found), revision)


def _relative(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or "\0" in path or not path:
        raise PlaceRefused(f"{path!r} does not lie in the package")
    return path
