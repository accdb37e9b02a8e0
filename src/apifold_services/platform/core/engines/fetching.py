"""Getting what an artifact consists of, from wherever its plan says that it is."""

from __future__ import annotations

import base64
import binascii
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apifold import Fault, Limits, Outcome, run_confined
from apifold_services.platform.core.archives import MAX_GROWTH, Archive
from apifold_services.platform.core.downloads import Downloads
from apifold_services.platform.core.engines.engine import EngineFailed, Unit
from apifold_services.platform.core.engines.sandbox import UNIT
from apifold_services.platform.core.places import Place, PlaceRefused, place_of

FETCH_SECONDS = 600.0
FETCH_BYTES = 2_000_000_000
"""Of memory that git may use."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetches artifacts.

    Attributes:
        downloads: gets archives; what it may ask, repositories may be, too.
        folders: those of this machine that may be read.
        most: bytes of an archive.
    """

    downloads: Downloads
    folders: tuple[str, ...]
    most: int

    def check(self, href: str) -> str:
        """Why an address can't be asked, as far as that is known; "" where it may be."""
        try:
            place = place_of(href, self.folders)
            if place.host:
                self.downloads.check(place.host)
        except (PlaceRefused, Fault) as error:
            return str(error)
        return ""

    def fetch(self, unit: Unit, into: Path, user: int, log: Path, stopped: Callable[[], bool]) -> str:
        """Put a unit's files into a folder that is there and empty; the commit that they are of, or "".

        Args:
            user: who clones by https and http; 0 for ourselves, as for all else.

        Raises:
            EngineFailed, OSError, ValueError, RecursionError: they can't be had, or kept.
        """
        said = unit.artifact.content
        if said.data is not None:
            self._inline(said.data, unit.name, into)
            return ""
        if not said.href:
            raise EngineFailed("the artifact has no content: write `content: {href: ADDRESS}`")
        try:
            place = place_of(said.href, self.folders)
        except PlaceRefused as error:
            raise EngineFailed(str(error)) from None
        if place.kind == "git":
            return self._clone(place, unit, into, user, log, stopped)
        if place.kind == "archive":
            try:
                content = self.downloads.get(place.address, self.most, stopped=stopped)
            except Fault as fault:
                raise EngineFailed(fault.detail) from None
            self._unpack(content, into)
        else:
            self._take(self._source(place, unit), into)
        return ""

    def _inline(self, data: str, name: str, into: Path) -> None:
        try:
            content = base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            raise EngineFailed("`content.data` is no Base64") from None
        if Archive(content, 0).is_one:
            self._unpack(content, into)
        else:
            (into / (Path(name).name or "artifact")).write_bytes(content)

    def _source(self, place: Place, unit: Unit) -> Path:
        if place.kind != "package":
            return Path(place.address)
        if unit.package is None:
            raise EngineFailed(f"{place.address!r} is a path in a package, and the plan came without one")
        found = (unit.package / place.address).resolve()
        if not found.is_relative_to(unit.package.resolve()) or not found.exists():
            raise EngineFailed(f"the package has no {place.address!r}")
        return found

    def _take(self, source: Path, into: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True)
        elif not source.is_file():
            raise EngineFailed(f"there is no {source.name}")
        elif source.stat().st_size <= self.most and Archive(content := source.read_bytes(), 0).is_one:
            self._unpack(content, into)
        else:
            shutil.copyfile(source, into / source.name)

    def _unpack(self, content: bytes, into: Path) -> None:
        try:
            Archive(content, self.most * MAX_GROWTH).unpack(into)
        except Fault as fault:
            raise EngineFailed(fault.detail) from None
        # What holds nothing but one folder, as forges pack it, is that folder.
        inside = list(into.iterdir())
        if len(inside) == 1 and inside[0].is_dir():
            inner = inside[0].rename(into.with_name(f"{into.name}.inner"))
            into.rmdir()
            inner.rename(into)

    def _clone(self, place: Place, unit: Unit, into: Path, user: int, log: Path, stopped: Callable[[], bool]) -> str:
        """Clone a repository at one of its states. Its history stays behind."""
        source = place.address if place.host else f"file://{place.address}"
        user = user if place.address.startswith("http") else 0  # ssh works only for who is in /etc/passwd
        key, settings = into.with_name("key"), into.with_name("gitconfig")
        variables = {
            UNIT: unit.id,
            "HOME": "/nonexistent",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https:http:ssh" if place.host else "file",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(settings),  # which the other end of file: heeds, too
        }
        options = ["-c", "http.followRedirects=false", "-c", "core.symlinks=true"]
        if place.host:
            at = self._resolved(place)
            options += ["-c", f"http.curloptResolve={place.host}:{place.port}:{at}"]
            variables["GIT_SSH_COMMAND"] = (
                "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null"
                f" -o HostName={at} -o HostKeyAlias={place.host} -i {shlex.quote(str(key))} -o IdentitiesOnly=yes"
            )
        if self.downloads.ca:
            variables["GIT_SSL_CAINFO"] = self.downloads.ca

        def git(*words: str) -> Outcome:
            limits = Limits(FETCH_SECONDS, output=1_000_000, data=FETCH_BYTES, user=user)
            line = ["git", *options, *words]
            done = run_confined(line, limits, directory=into, variables=variables, stop=stopped, log=log)
            if done.cut:
                raise EngineFailed(f"the source could not be fetched: it was ended: {done.cut}")
            return done

        try:
            for file, text in ((key, unit.key), (settings, "[safe]\n\tdirectory = *\n")):
                file.unlink(missing_ok=True)
                file.touch(mode=0o600)
                file.write_text(text, "ascii")
                if user:
                    os.chown(file, user, user)
            if user:
                os.chown(into, user, user)
            if not git("clone", "--quiet", "--no-checkout", source, ".").ok:
                raise EngineFailed("the source could not be fetched: see its log")
            commit = self._commit(place.revision, into, user, variables)
            if not git("checkout", "--quiet", "--detach", commit).ok:
                raise EngineFailed("the source could not be fetched: see its log")
        finally:
            key.unlink(missing_ok=True)
            settings.unlink(missing_ok=True)
        shutil.rmtree(into / ".git", ignore_errors=True)
        return commit

    @staticmethod
    def _commit(revision: str, inside: Path, user: int, variables: dict[str, str]) -> str:
        """The commit that a revision stands for: a branch, else a tag or a commit."""
        for name in (f"refs/remotes/origin/{revision}", revision) if revision else ("HEAD",):
            line = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
            done = run_confined(line, Limits(user=user), directory=inside, variables=variables)
            if done.ok:
                return str(done.output.strip())
        raise EngineFailed(f"the source has no {revision or 'commit'}")

    def _resolved(self, place: Place) -> str:
        """The address that git is held to."""
        try:
            return self.downloads.resolved(place.host, place.port)
        except Fault as fault:
            raise EngineFailed(fault.detail) from None
        except OSError as error:
            raise EngineFailed(f"{place.host} can't be found: {os.strerror(error.errno or 0)}") from None
