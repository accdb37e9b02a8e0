"""Handlers of the library's API, version 1."""

from typing import Any


def list_books(shelf: Any) -> dict[str, Any]:
    return {"books": sorted(shelf.books)}


def get_book(shelf: Any, name: str) -> dict[str, Any]:
    return shelf.get(name)  # type: ignore[no-any-return]  # the shelf is the service's own
