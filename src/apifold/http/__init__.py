"""HTTP as values: a request, a response, media types. No sockets, no server."""

from apifold.http.hops import request_headers_to_pass, response_headers_to_pass
from apifold.http.media import best_match, is_yaml, matches, media_type, takes_gzip
from apifold.http.request import Request
from apifold.http.response import Responding, Response, awaited, discard, first_header, reason

__all__ = [
    "Request",
    "Responding",
    "Response",
    "awaited",
    "best_match",
    "discard",
    "first_header",
    "is_yaml",
    "matches",
    "media_type",
    "reason",
    "request_headers_to_pass",
    "response_headers_to_pass",
    "takes_gzip",
]  # fmt: skip
