"""Reads a page strictly: which elements it has, and whether each of them is closed where it should be."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Markup(HTMLParser):
    """The elements, links and text of a page.

    Raises:
        AssertionError: an element is closed that is not open, or never closed.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open, f"</{tag}> closes nothing"
            assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.text += data

    def values(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key == name]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.elements}

    @property
    def handlers(self) -> list[str]:
        """Inline event handlers."""
        return [key for _, attributes in self.elements for key in attributes if key.startswith("on")]
