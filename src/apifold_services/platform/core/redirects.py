"""Answers that lead elsewhere: those who hold a token do not follow them."""

from __future__ import annotations

from typing import Any
from urllib.request import HTTPRedirectHandler


class NoRedirects(HTTPRedirectHandler):
    """A redirect is an answer like any other that is no success."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
