"""What authors wrote, as HTML that can do no harm: CommonMark texts and example values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LONGEST_EXAMPLE = 20_000
"""Characters of one example that are shown."""


def markdown(text: Any, below: int = 3) -> str:
    """A CommonMark text, its tables included, as HTML: markup in it is text, pictures are their captions.

    Args:
        text: what is not text, or is empty, gives nothing.
        below: the level of the heading over it; its own headings are deeper.
    """
    if not isinstance(text, str) or not text.strip():
        return ""
    tokens = parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, below + int(token.tag[1]))}"
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def parse(text: str) -> list[Token]:
    """A CommonMark text with tables, as tokens."""
    return _MARKDOWN.parse(text)


def as_sent(value: Any) -> str:
    """An example value as it would be sent: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)


def example(value: Any) -> str:
    """An example value as a part of a page."""
    text = as_sent(value)
    cut = "\n…" if len(text) > LONGEST_EXAMPLE else ""
    return f'<pre tabindex="0">{escape(text[:LONGEST_EXAMPLE])}{cut}</pre>'


def _caption(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, environment: EnvType
) -> str:
    """Pages load nothing from elsewhere, so that reading them tells nobody."""
    return escape(tokens[index].content)


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_MARKDOWN.add_render_rule("image", _caption)
