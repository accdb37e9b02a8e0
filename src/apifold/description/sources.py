"""The files of one API: read once, remembered with their digests, kept inside the served directory."""

from __future__ import annotations

import codecs
import hashlib
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apifold import marked
from apifold.description.recent import Recent
from apifold.errors import DescriptionError, DescriptionErrors

MAX_REMOTE_BYTES = 32 * 1024 * 1024
REMOTE_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """One file as it was read: its text, its plain data, the SHA-256 of its bytes."""

    name: str
    text: str
    data: Any
    digest: str


class ParsedFiles(Recent[str, Any]):
    """Plain data of texts that were read before, by digest, so that no text is parsed twice."""

    def read(self, raw: bytes, name: str) -> Source:
        """The source that these bytes are.

        Raises:
            DescriptionErrors: they can't be read.
        """
        digest = hashlib.sha256(raw).hexdigest()
        try:
            text = raw.removeprefix(codecs.BOM_UTF8).decode()
        except UnicodeDecodeError:
            error = DescriptionError(name, 0, "", "this is not UTF-8 text", "save the file as UTF-8")
            raise DescriptionErrors([error]) from None
        key = digest + name[-5:]
        self[key] = data = self[key] if key in self else marked.read(text, name)
        return Source(name, text, data, digest)


@dataclass(slots=True)
class Sources:
    """What one API is read from.

    `root` is the directory that no file may lie outside of; `instead` holds bytes to read in place of a file's
    own (a last good version), by path; `also` are files that somebody named, wherever they lie.
    """

    root: Path
    remote: bool
    parsed: ParsedFiles
    instead: Mapping[str, bytes] = field(default_factory=dict)
    also: Collection[Path] = ()
    raw: dict[str, bytes] = field(default_factory=dict)
    read: dict[str, Source] = field(default_factory=dict)

    def open(self, path: Path) -> Source:
        """The source at a path.

        Raises:
            DescriptionErrors: it lies outside the root, is not there or can't be read.
        """
        name = str(path)
        if name in self.read:
            return self.read[name]
        raw = self.instead[name] if name in self.instead else self._bytes(path)
        self.raw[name] = raw
        self.read[name] = source = self.parsed.read(raw, name)
        return source

    def fetch(self, url: str) -> Source:
        """The source at an http(s) address.

        Raises:
            DescriptionErrors: remote references are not allowed, or it can't be fetched.
        """
        if not self.remote:
            raise self._refused(
                url, "remote references are not followed", "copy the file here, or set `remote_references: true`"
            )
        if url not in self.read:
            if url in self.instead:
                raw = self.instead[url]
            else:
                try:
                    with urllib.request.urlopen(url, timeout=REMOTE_TIMEOUT) as answer:  # noqa: S310  # only http(s) gets here
                        raw = answer.read(MAX_REMOTE_BYTES)
                except OSError as error:
                    raise self._refused(url, f"can't be fetched: {error}", "is the address right?") from None
            self.raw[url] = raw
            self.read[url] = self.parsed.read(raw, url)
        return self.read[url]

    def _bytes(self, path: Path) -> bytes:
        if path not in self.also and not path.resolve().is_relative_to(self.root.resolve()):
            raise self._refused(str(path), "lies outside the served directory", f"copy it into {self.root}")
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise self._refused(str(path), "there is no such file", "is the name spelled right?") from None
        except OSError as error:
            raise self._refused(str(path), f"can't be read: {error.strerror}", "check its permissions") from None

    @staticmethod
    def _refused(name: str, message: str, remedy: str) -> DescriptionErrors:
        return DescriptionErrors([DescriptionError(name, 0, "", message, remedy)])
