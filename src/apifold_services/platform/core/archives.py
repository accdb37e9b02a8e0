"""Archives from strangers: what is in one is taken out only where it belongs, and only so much."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from apifold import Invalid, TooLarge

MAX_ENTRIES = 20_000
MAX_DEPTH = 100
"""Folders in one another."""

MAX_GROWTH = 20
"""An archive may become so many times as large as it may be."""

_CHUNK = 1 << 16
_MAX_RECORD = 1 << 20
"""Bytes that a tar may say of one of its files, such as a long name."""

_READ_IN_PIECES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What else a zip may be compressed by, `zipfile` expands as much as there is of it at once."""

_COMPRESSIONS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_UNREADABLE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip, tar, or compressed tar, in memory.

    Attributes:
        content: its bytes.
        most: bytes that may come out of it.
    """

    content: bytes
    most: int

    @property
    def is_one(self) -> bool:
        """Whether these bytes begin as an archive does."""
        return _is_zip(self.content) or _is_tar(self.content)

    def unpack(self, folder: Path) -> None:
        """Write what is in it into a folder that is there and empty.

        Raises:
            Invalid: it can't be read, or something in it belongs elsewhere.
            TooLarge: more comes out of it than may.
        """
        left = self.most
        try:
            for count, (name, mode, opened) in enumerate(self._entries()):
                if count >= MAX_ENTRIES:
                    raise TooLarge(f"The archive has more than {MAX_ENTRIES} files and folders.")
                place = folder / _inside(name)
                if opened is None:
                    continue
                with opened as source, _made(place, name) as target:
                    while piece := source.read(_CHUNK):
                        left -= len(piece)
                        if left < 0:
                            raise TooLarge(f"More than {self.most} bytes come out of the archive.")
                        target.write(piece)
                place.chmod(0o755 if mode & 0o111 else 0o644)
        except _UNREADABLE as error:
            raise Invalid(f"The archive can't be read: {_said(error)}.") from None

    def _entries(self) -> Iterator[tuple[str, int, IO[bytes] | None]]:
        """Name, permissions and content of each regular file; no content of each folder."""
        if _is_zip(self.content):
            with zipfile.ZipFile(io.BytesIO(self.content)) as opened:
                for entry in opened.infolist():
                    mode = entry.external_attr >> 16
                    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
                        raise Invalid(f"The archive holds {entry.filename!r}, which is a link or a device.")
                    if entry.compress_type not in _READ_IN_PIECES:
                        raise Invalid(
                            f"The archive holds {entry.filename!r}, which is not compressed as zips usually are."
                        )
                    yield entry.filename, mode, None if entry.filename.endswith("/") else opened.open(entry)
        elif _is_tar(self.content):
            with _expanded(self.content) as source:
                wary: Any = _Wary(source)
                with tarfile.open(fileobj=wary, mode="r:") as tar:
                    for member in tar:
                        if not (member.isfile() or member.isdir()):
                            raise Invalid(f"The archive holds {member.name!r}, which is a link or a device.")
                        yield member.name, member.mode, tar.extractfile(member)
        else:
            raise Invalid("This is no zip, no tar and no compressed tar.")


@dataclass(frozen=True, slots=True)
class _Wary:
    """A tar, read in small pieces: `tarfile` takes what is said of a file at once, however long that claims to be."""

    source: IO[bytes]

    def read(self, size: int) -> bytes:
        """So many bytes, or those that are left. Raises tarfile.ReadError: they are too many for one piece."""
        if not 0 <= size <= _MAX_RECORD:
            raise tarfile.ReadError("more is said of one of its files than may be")
        return self.source.read(size)

    def seek(self, offset: int) -> int:
        """Go to a place."""
        return self.source.seek(offset)

    def tell(self) -> int:
        """The place."""
        return self.source.tell()


def _expanded(content: bytes) -> IO[bytes]:
    """A tar without its compression."""
    source = io.BytesIO(content)
    expand = next((one for magic, one in _COMPRESSIONS.items() if content.startswith(magic)), None)
    expanded: IO[bytes] = expand(source) if expand else source
    return expanded


def _made(place: Path, name: str) -> IO[bytes]:
    """A new file. Raises Invalid: there is one, or can be none."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return place.open("xb")
    except OSError as error:
        raise Invalid(f"The archive holds {name[:200]!r}, which can't be written: {error.strerror}.") from None


def _inside(name: str) -> PurePosixPath:
    """A name in an archive, as a path below its folder. Raises Invalid: it leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise Invalid(f"The archive holds {name[:200]!r}, which does not lie inside of it.")
    if len(path.parts) > MAX_DEPTH:
        raise Invalid(f"The archive holds {name[:200]!r}, which lies deeper than {MAX_DEPTH} folders.")
    return path


def _is_zip(content: bytes) -> bool:
    return content[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def _is_tar(content: bytes) -> bool:
    return content.startswith(tuple(_COMPRESSIONS)) or content[257:262] == b"ustar"


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".:").partition("\n")[0][:200]
