"""Where a thing in the one internal form was written: file, JSON Pointer, line."""

from __future__ import annotations

from dataclasses import dataclass, field

from apifold import marked
from apifold.description.sources import Source
from apifold.errors import DescriptionError


@dataclass(slots=True)
class Places:
    """From pointers into the internal form back to the files.

    `moved` maps a pointer of the internal form to the file and pointer it came from; what lies below moves along.
    """

    main: Source
    sources: dict[str, Source]
    moved: dict[str, tuple[str, str]] = field(default_factory=dict)
    lines: dict[tuple[str, str], int] = field(default_factory=dict)

    def move(self, pointer: str, name: str, origin: str) -> None:
        """Note that what is at `pointer` now was written at `origin` of the file `name`."""
        self.moved[pointer] = (name, origin)

    def origin(self, pointer: str) -> tuple[str, str]:
        """File and pointer where something was written."""
        head, tail = pointer, ""
        while head:
            if head in self.moved:
                name, origin = self.moved[head]
                return name, origin + tail
            head, _, last = head.rpartition("/")
            tail = f"/{last}{tail}"
        return self.main.name, pointer

    def error(self, pointer: str, message: str, remedy: str = "") -> DescriptionError:
        """An error about something in the internal form, placed in its file."""
        name, origin = self.origin(pointer)
        return self.error_in(name, origin, message, remedy)

    def error_in(self, name: str, pointer: str, message: str, remedy: str = "") -> DescriptionError:
        """An error about something at a pointer of one file."""
        return DescriptionError(name, self.line(name, pointer), pointer, message, remedy)

    def line(self, name: str, pointer: str) -> int:
        """The line of a pointer in one file."""
        if (name, pointer) not in self.lines:
            source = self.sources.get(name)
            self.lines[name, pointer] = marked.line(source.text, pointer) if source else 0
        return self.lines[name, pointer]
