"""Archives from strangers: what is in one is taken out only where it belongs, and only so much."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from apifold import Invalid, TooLarge

MAX_FILES = 20_000
MAX_GROWTH = 20
"""An archive may become so many times as large as it may be."""

_CHUNK = 1 << 16


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
            for count, (name, mode, opened) in enumerate(self._files()):
                if count >= MAX_FILES:
                    raise TooLarge(f"The archive has more than {MAX_FILES} files.")
                place = folder / _inside(name)
                place.parent.mkdir(parents=True, exist_ok=True)
                with opened as source, place.open("xb") as target:
                    while piece := source.read(_CHUNK):
                        left -= len(piece)
                        if left < 0:
                            raise TooLarge(f"More than {self.most} bytes come out of the archive.")
                        target.write(piece)
                place.chmod(0o755 if mode & 0o111 else 0o644)
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            EOFError,
            OSError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise Invalid(f"The archive can't be read: {_said(error)}.") from None

    def _files(self) -> Iterator[tuple[str, int, IO[bytes]]]:
        """Name, permissions and content of each regular file."""
        if _is_zip(self.content):
            with zipfile.ZipFile(io.BytesIO(self.content)) as opened:
                for entry in opened.infolist():
                    mode = entry.external_attr >> 16
                    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
                        raise Invalid(f"The archive holds {entry.filename!r}, which is a link or a device.")
                    if not entry.is_dir():
                        yield entry.filename, mode, opened.open(entry)
        elif _is_tar(self.content):
            with tarfile.open(fileobj=io.BytesIO(self.content), mode="r:*") as tar:
                for member in tar:
                    if not (member.isfile() or member.isdir()):
                        raise Invalid(f"The archive holds {member.name!r}, which is a link or a device.")
                    if member.isfile():
                        file = tar.extractfile(member)
                        assert file is not None
                        yield member.name, member.mode, file
        else:
            raise Invalid("This is no zip, no tar and no compressed tar.")


def _inside(name: str) -> PurePosixPath:
    """A name in an archive, as a path below its folder. Raises Invalid: it leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
        raise Invalid(f"The archive holds {name!r}, which does not lie inside of it.")
    return path


def _is_zip(content: bytes) -> bool:
    return content[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def _is_tar(content: bytes) -> bool:
    compressed = content[:2] == b"\x1f\x8b" or content[:3] == b"BZh" or content[:6] == b"\xfd7zXZ\x00"
    return compressed or content[257:262] == b"ustar"


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".").partition("\n")[0][:200]
