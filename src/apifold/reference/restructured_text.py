"""What authors wrote in CommonMark, as reStructuredText that is read as the same text, whatever is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import indent
from typing import Any

from markdown_it.tree import SyntaxTreeNode

from apifold.reference.prose import parse

_SPECIAL = re.compile(r"([\\*`|_])")
_BLOCK_START = re.compile(r"(\W|\w{1,5}[.)]\s)")
_BEFORE_MARKUP = re.compile(r"[\s(]$")
_AFTER_MARKUP = re.compile(r"[\s.,;:!?)]")


def rst(text: Any) -> str:
    """A CommonMark text as blocks of reStructuredText; what is not text, or is empty, gives "".

    Source: docutils' reStructuredText Markup Specification, "Inline markup recognition rules".
    """
    if not isinstance(text, str) or not text.strip():
        return ""
    return "\n\n".join(_blocks(SyntaxTreeNode(parse(text)).children))


def escaped(text: str) -> str:
    """Text that is no markup, on one line."""
    plain = _SPECIAL.sub(r"\\\1", " ".join(str(text).split())).replace("::", ":\\:")
    return f"\\ {plain}" if _BLOCK_START.match(plain) else plain


def literal(text: str, language: str = "text") -> str:
    """A block of code or data."""
    return f".. code-block:: {language}\n\n{indent(text.rstrip() or '…', '   ')}"


def heading(text: str, line: str) -> str:
    """A section's title.

    Args:
        line: the character that it is underlined with.
    """
    title = escaped(text) or "…"
    return f"{title}\n{line * (2 * len(title))}"


def _blocks(nodes: Sequence[SyntaxTreeNode]) -> Iterator[str]:
    for node in nodes:
        text = _block(node)
        if text:
            yield text


def _block(node: SyntaxTreeNode) -> str:
    if node.type in ("fence", "code_block"):
        return literal(node.content)
    if node.type == "bullet_list":
        return _list(node, ["* "] * len(node.children))
    if node.type == "ordered_list":
        return _list(node, [f"{index}. " for index in range(1, len(node.children) + 1)])
    if node.type == "blockquote":
        return "..\n\n" + indent("\n\n".join(_blocks(node.children)), "   ")
    if node.type == "heading":
        return f"**{escaped(_plain(node))}**"
    if node.type == "table":
        return _list_table(node)
    if node.type == "paragraph":
        return _inline(node.children[0].children)
    return escaped(node.content) if not node.children and node.content else "\n\n".join(_blocks(node.children))


def _list(node: SyntaxTreeNode, signs: Sequence[str]) -> str:
    items = []
    for sign, item in zip(signs, node.children, strict=True):
        body = indent("\n\n".join(_blocks(item.children)) or "\\ ", " " * len(sign))
        items.append(sign + body[len(sign) :])
    return "\n\n".join(items)


def _list_table(node: SyntaxTreeNode) -> str:
    rows = []
    for row in (row for part in node.children for row in part.children):
        cells = [_inline(cell.children[0].children) if cell.children else "" for cell in row.children]
        rows.append("\n".join(f"{'* -' if not index else '  -'} {cell}" for index, cell in enumerate(cells)))
    table = "\n".join(rows)
    return f".. list-table::\n   :header-rows: 1\n\n{indent(table, '   ')}"


def _inline(nodes: Sequence[SyntaxTreeNode]) -> str:
    """A line: its pieces, kept apart where markup would not be seen as such."""
    pieces = [(is_markup, text) for is_markup, text in map(_piece, nodes) if text]
    line = "".join(text for _, text in pieces[:1])
    for (was_markup, before), (is_markup, text) in pairwise(pieces):
        apart = (is_markup and not _BEFORE_MARKUP.search(before)) or (was_markup and not _AFTER_MARKUP.match(text))
        line += ("\\ " if apart else "") + text
    line = line.strip()
    starts_as_text = pieces and not pieces[0][0]
    return f"\\ {line}" if starts_as_text and _BLOCK_START.match(line) and not line.startswith("\\") else line


def _piece(node: SyntaxTreeNode) -> tuple[bool, str]:
    """Whether a piece is markup, and the piece."""
    text = _plain(node)
    if node.type in ("softbreak", "hardbreak"):
        return False, " "
    words = " ".join(text.split())
    if not words:
        return False, _text(text)
    if node.type == "code_inline" and "`" not in words and not words.endswith("\\"):
        return True, f"``{words}``"
    if node.type in ("strong", "em"):
        sign = "**" if node.type == "strong" else "*"
        return True, f"{sign}{_text(words)}{sign}"
    if node.type == "link":
        address = str(node.attrs.get("href", ""))
        if re.fullmatch(r"https?://[^\s<>`]+", address):
            called, target = _text(words).replace("<", "\\<"), _SPECIAL.sub(r"\\\1", address)
            return True, f"`{called} <{target}>`__"
    return False, _text(text)


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", _SPECIAL.sub(r"\\\1", text).replace("::", ":\\:"))


def _plain(node: SyntaxTreeNode) -> str:
    if node.children:
        return "".join(map(_plain, node.children))
    return " " if node.type in ("softbreak", "hardbreak") else node.content
