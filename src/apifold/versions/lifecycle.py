"""How long an API, or one of its operations, is there: one record that headers, badges and refusals are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime

from apifold.description.extension import DocumentExtension, OperationExtension
from apifold.errors import Gone, Unavailable
from apifold.http.response import Headers
from apifold.settings import ApiSettings, Brownout, Status, moment


@dataclass(frozen=True, slots=True)
class Window:
    """A while in which an API that will end is not there, so that whoever still calls it takes notice.

    Attributes:
        begin: when it first begins.
        length: how long it lasts.
        every: after which time it comes again; None where it does not.
    """

    begin: datetime
    length: timedelta
    every: timedelta | None

    def left(self, now: datetime) -> timedelta | None:
        """How much of it is left; None outside of it."""
        since = now - self.begin
        if self.every is not None and since >= timedelta(0):
            since %= self.every
        return self.length - since if timedelta(0) <= since < self.length else None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The life of an API or an operation.

    Attributes:
        status: what the deployment, else the description, says; see `status_at`.
        own: what the description says.
        deprecated: since, or from when on, it is not to be used by new clients (RFC 9745).
        sunset: from when on it is no longer there (RFC 8594).
        successor: name of the API that takes its place.
        operation: the operation there that takes an operation's place.
        notice: address of a page that tells people about it.
        brownouts: when it is not there meanwhile.
    """

    status: Status | None = None
    own: Status | None = None
    deprecated: datetime | None = None
    sunset: datetime | None = None
    successor: str = ""
    operation: str = ""
    notice: str = ""
    brownouts: tuple[Window, ...] = ()

    @classmethod
    def of_api(cls, said: DocumentExtension, changes: ApiSettings) -> Lifecycle:
        """The life of an API, by its description and by what the deployment changes about it.

        Raises:
            ValueError: a date makes no sense; the text says which.
        """
        deprecated = moment("deprecated", changes.deprecated or said.deprecated)
        sunset = moment("sunset", changes.sunset or said.sunset)
        return cls(
            status=changes.status or said.status,
            own=said.status,
            deprecated=deprecated,
            sunset=_after(deprecated, sunset),
            successor=said.successor,
            notice=said.notice,
            brownouts=tuple(map(_window, changes.brownouts or said.brownouts)),
        )

    def of_operation(self, said: OperationExtension) -> Lifecycle:
        """The life of one of its operations. Raises as `of_api` does."""
        deprecated = _earlier(moment("deprecated", said.deprecated), self.deprecated)
        sunset = _after(deprecated, _earlier(moment("sunset", said.sunset), self.sunset))
        return replace(self, deprecated=deprecated, sunset=sunset, operation=said.successor)

    @property
    def says_something(self) -> bool:
        """Whether an answer tells, or may be refused for, any of this."""
        ends = self.deprecated is not None or self.sunset is not None or bool(self.brownouts)
        return ends or self.status in ("DEPRECATED", "RETIRED")

    def status_at(self, now: datetime, *, holds: bool = True) -> Status | None:
        """The status at a moment: a date that has come moves it.

        Args:
            holds: whether what the deployment's status waits for is so; until then it is the description's own.
        """
        status = self.status if holds else self.own
        if status == "RETIRED" or (self.sunset is not None and self.sunset <= now):
            return "RETIRED"
        if self.deprecated is not None and self.deprecated <= now and status != "EXPERIMENTAL":
            return "DEPRECATED"
        return status

    def admit(self, now: datetime) -> None:
        """Nothing, while it is there.

        Raises:
            Gone: it has ended.
            Unavailable: it is away for a while, to be noticed.
        """
        if self.status_at(now) == "RETIRED":
            since = f" since {_day(self.sunset)}" if self.sunset and self.sunset <= now else ""
            raise Gone(f"This is no longer served{since}.{self._instead}")
        for window in self.brownouts:
            left = window.left(now)
            if left is not None:
                when = f" on {_day(self.sunset)}" if self.sunset else ""
                text = f"This will end{when}, and is away for a while so that its clients notice.{self._instead}"
                raise Unavailable(text, retry_after=math.ceil(left.total_seconds()))

    @property
    def _instead(self) -> str:
        return f" Use {self.successor} instead." if self.successor else ""

    def dates(self) -> Headers:
        """What answers tell about when it ends."""
        found: list[tuple[str, str]] = []
        if self.deprecated is not None:
            found.append(("Deprecation", f"@{int(self.deprecated.timestamp())}"))  # RFC 9745, 2.1
        if self.sunset is not None:
            found.append(("Sunset", format_datetime(self.sunset, usegmt=True)))  # RFC 8594, 3
        return tuple(found)

    def links(self, successor: str, notice: str) -> Headers:
        """Where answers say that one can go from there.

        Args:
            successor: address of what takes its place; "" for none.
            notice: address of a page about its end.
        """
        links = [f'<{successor}>; rel="successor-version"'] if successor else []  # RFC 5829, 3
        links += [f'<{notice}>; rel="deprecation"; type="text/html"'] if self.deprecated else []
        links += [f'<{notice}>; rel="sunset"; type="text/html"'] if self.sunset else []
        return (("Link", ", ".join(links)),) if links else ()


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _after(deprecated: datetime | None, sunset: datetime | None) -> datetime | None:
    """The sunset. Raises ValueError where it comes before the deprecation, as it must not (RFC 9745, 4)."""
    if deprecated and sunset and sunset < deprecated:
        raise ValueError(f"`sunset` ({_day(sunset)}) comes before `deprecated` ({_day(deprecated)})")
    return sunset


def _window(said: Brownout) -> Window:
    begin = moment("begin", said.begin)
    try:
        every = timedelta(hours=said.every_hours) if said.every_hours else None
        length = timedelta(minutes=said.minutes)
    except (OverflowError, ValueError):
        raise ValueError("a brown-out is too long") from None
    if begin is None or length <= timedelta(0) or (every is not None and every <= length):
        raise ValueError("a brown-out needs `begin` and `minutes`, and comes again after more than its own length")
    return Window(begin, length, every)


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""
