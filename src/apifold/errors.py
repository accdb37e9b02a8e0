"""What can go wrong, in the words of the domain.

    Exception
    ├── Fault                     a request that can't be answered as asked
    │   ├── Invalid               the request breaks its contract; `problems` says where
    │   │   ├── Malformed         it can't even be read (broken JSON, bad encoding)
    │   │   └── Unprocessable     well formed, yet it can't be carried out
    │   ├── Unauthenticated       nobody, or nobody we know
    │   ├── Denied                known, but not allowed
    │   ├── NotFound              no such thing
    │   │   └── NotServed         nothing is at this path
    │   ├── Gone                  there was such a thing
    │   ├── MethodNotAllowed      the thing is there, this can't be done to it
    │   ├── NotAcceptable         no form of the answer that the client takes
    │   ├── Conflict              the state of the thing forbids it
    │   ├── PreconditionFailed    the thing is not as the client believed
    │   ├── PreconditionRequired  the client must say how it believes the thing to be
    │   ├── TooLarge              more than the limit
    │   ├── UnsupportedMedia      a media type that is not taken
    │   ├── Limited               too many requests
    │   ├── ToBeDone              known, not built
    │   ├── Unavailable           not now
    │   ├── UpstreamFailed        another service answered badly
    │   ├── UpstreamTimeout       another service did not answer
    │   └── Broken                our own mistake; says nothing about the inside
    └── DescriptionErrors         files that can't be served: a list of `DescriptionError`

The core raises faults and knows no status code; only a dialect knows how a fault looks on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a request.

    `where` is `path`, `query`, `header`, `cookie` or `body`; `pointer` a JSON Pointer (RFC 6901) into the
    body, or `/name` of a parameter; `detail` one sentence for the client.
    """

    where: str
    pointer: str
    detail: str


class Fault(Exception):
    """A request that can't be answered as asked.

    `title` names the kind, `detail` says what happened in this case. Both are shown to clients.
    """

    title = "Fault"

    def __init__(self, detail: str = "", *, title: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        if title:
            self.title = title


class Invalid(Fault):
    """The request breaks its contract; `problems` holds every breach that was found."""

    title = "Invalid request"

    def __init__(self, detail: str = "", problems: Sequence[Problem] = (), *, title: str = "") -> None:
        super().__init__(detail or "; ".join(problem.detail for problem in problems[:3]), title=title)
        self.problems = tuple(problems)


class Malformed(Invalid):
    """The request can't be read."""

    title = "Malformed request"


class Unprocessable(Invalid):
    """The request is well formed but can't be carried out."""

    title = "Unprocessable request"


class Unauthenticated(Fault):
    """The caller is not known; `challenge` is the `WWW-Authenticate` value (RFC 9110, 11.6.1)."""

    title = "Unauthenticated"

    def __init__(self, detail: str = "Authentication is required.", challenge: str = "Bearer") -> None:
        super().__init__(detail)
        self.challenge = challenge


class Denied(Fault):
    """The caller is known and may not do this; `rule` is the rule of the policy that says so, where one does."""

    title = "Forbidden"

    def __init__(self, detail: str = "You are not allowed to do this.", *, rule: str = "", title: str = "") -> None:
        super().__init__(detail, title=title)
        self.rule = rule


class NotFound(Fault):
    """There is no such thing."""

    title = "Not found"


class NotServed(NotFound):
    """Nothing is at this path: it is in no description."""


class Gone(Fault):
    """There was such a thing."""

    title = "Gone"


class MethodNotAllowed(Fault):
    """The path exists; `allowed` are the methods it has."""

    title = "Method not allowed"

    def __init__(self, allowed: Iterable[str], detail: str = "") -> None:
        self.allowed = tuple(sorted(allowed))
        super().__init__(detail or f"Allowed here: {', '.join(self.allowed)}.")


class NotAcceptable(Fault):
    """None of the offered representations, or versions, is one the client takes."""

    title = "Not acceptable"

    def __init__(self, offered: Iterable[str], detail: str = "") -> None:
        self.offered = tuple(offered)
        super().__init__(detail or f"This can be had as: {', '.join(self.offered)}.")


class Conflict(Fault):
    """The state of the thing forbids it."""

    title = "Conflict"


class PreconditionFailed(Fault):
    """The thing is not as the client believed."""

    title = "Precondition failed"


class PreconditionRequired(Fault):
    """The client must say how it believes the thing to be (RFC 6585, 3)."""

    title = "Precondition required"


class TooLarge(Fault):
    """The request is larger than the limit."""

    title = "Content too large"


class UnsupportedMedia(Fault):
    """The media type of the body is not taken; `accepted` are those that are."""

    title = "Unsupported media type"

    def __init__(self, accepted: Iterable[str], detail: str = "") -> None:
        self.accepted = tuple(accepted)
        super().__init__(detail or f"Send one of: {', '.join(self.accepted)}.")


class Limited(Fault):
    """Too many requests; `retry_after` is in seconds."""

    title = "Too many requests"

    def __init__(self, retry_after: int = 1, detail: str = "") -> None:
        super().__init__(detail or f"Try again in {retry_after} s.")
        self.retry_after = retry_after


class ToBeDone(Fault):
    """Known, not built."""

    title = "Not implemented"


class Unavailable(Fault):
    """Not now; `retry_after` is in seconds, 0 where nobody knows."""

    title = "Service unavailable"

    def __init__(self, detail: str = "", retry_after: int = 0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class UpstreamFailed(Fault):
    """Another service answered badly."""

    title = "Bad gateway"


class UpstreamTimeout(Fault):
    """Another service did not answer in time."""

    title = "Gateway timeout"


class Broken(Fault):
    """Our own mistake. The client is told the request id, the log has the rest."""

    title = "Internal server error"


@dataclass(frozen=True, slots=True, order=True)
class DescriptionError:
    """One reason why a file can't be served.

    `line` counts from 1 and is 0 where no line applies; `pointer` is a JSON Pointer into the file.
    """

    file: str
    line: int
    pointer: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        remedy = f"\n    {self.remedy}" if self.remedy else ""
        return f"{place}: {self.message}{remedy}"


class DescriptionErrors(Exception):
    """Every reason why files can't be served, at once."""

    def __init__(self, errors: Iterable[DescriptionError]) -> None:
        self.errors = tuple(sorted(set(errors)))
        super().__init__("\n".join(map(str, self.errors)))


class NotADescription(Exception):
    """A file in a form of one's own can't be made a description.

    `problems` holds, for each reason, a JSON Pointer into the file, a message and a remedy.
    """

    def __init__(self, problems: Iterable[tuple[str, str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(message for _, message, _ in self.problems))


class SettingsError(Exception):
    """A setting that is unknown or can't be used; the text says which and what to do."""


class MissingExtra(Exception):
    """An optional part is not installed; the text names the extra that brings it."""

    def __init__(self, need: str, extra: str) -> None:
        super().__init__(f"{need} needs an optional part: pip install 'apifold[{extra}]'")
