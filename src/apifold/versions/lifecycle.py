"""How long an API, or one of its operations, is there: one record that headers, badges and refusals are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from apifold.description.extension import DocumentExtension, OperationExtension
from apifold.errors import Gone, Unavailable
from apifold.http.response import Headers
from apifold.settings import ApiSettings, Brownout, Status


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
        deprecated: since, or from when on, it is not to be used by new clients (RFC 9745).
        sunset: from when on it is no longer there (RFC 8594).
        successor: name of the API that takes its place.
        operation: the operation there that takes an operation's place.
        notice: address of a page that tells people about it.
        brownouts: when it is not there meanwhile.
    """

    status: Status | None = None
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
        return cls(
            status=changes.status or said.status,
            deprecated=moment("deprecated", changes.deprecated or said.deprecated),
            sunset=moment("sunset", changes.sunset or said.sunset),
            successor=said.successor,
            notice=said.notice,
            brownouts=tuple(map(_window, changes.brownouts or said.brownouts)),
        )

    def of_operation(self, said: OperationExtension) -> Lifecycle:
        """The life of one of its operations. Raises as `of_api` does."""
        return replace(
            self,
            deprecated=moment("deprecated", said.deprecated) or self.deprecated,
            sunset=moment("sunset", said.sunset) or self.sunset,
            operation=said.successor,
        )

    @property
    def says_something(self) -> bool:
        """Whether an answer tells, or may be refused for, any of this."""
        ends = self.deprecated is not None or self.sunset is not None or bool(self.brownouts)
        return ends or self.status in ("DEPRECATED", "RETIRED")

    def status_at(self, now: datetime) -> Status | None:
        """The status at a moment: a date that has come moves it."""
        if self.status == "RETIRED" or (self.sunset is not None and self.sunset <= now):
            return "RETIRED"
        if self.deprecated is not None and self.deprecated <= now and self.status != "EXPERIMENTAL":
            return "DEPRECATED"
        return self.status

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

    def headers(self, successor: str, notice: str) -> Headers:
        """What answers tell about it.

        Args:
            successor: address of what takes its place; "" for none.
            notice: address of a page about its end; "" for none.
        """
        links = [f'<{successor}>; rel="successor-version"'] if successor else []  # RFC 5829, 3
        found: list[tuple[str, str]] = []
        if self.deprecated is not None:
            found.append(("Deprecation", f"@{int(self.deprecated.timestamp())}"))  # RFC 9745, 2.1
            links += [f'<{notice}>; rel="deprecation"; type="text/html"'] if notice else []
        if self.sunset is not None:
            found.append(("Sunset", format_datetime(self.sunset, usegmt=True)))  # RFC 8594, 3
            links += [f'<{notice}>; rel="sunset"; type="text/html"'] if notice else []
        return (*found, ("Link", ", ".join(links))) if links else tuple(found)


def moment(name: str, text: str) -> datetime | None:
    """The moment that a text names, `2027-01-31` or `2027-01-31T12:00:00Z`, in UTC; None for an empty one.

    Raises:
        ValueError: it names none.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{name}: {text}` is no date; write it like 2027-01-31 or 2027-01-31T12:00:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _window(said: Brownout) -> Window:
    begin = moment("begin", said.begin)
    every = timedelta(hours=said.every_hours) if said.every_hours else None
    length = timedelta(minutes=said.minutes)
    if begin is None or length <= timedelta(0) or (every is not None and every <= length):
        raise ValueError("a brown-out needs `begin` and `minutes`, and comes again after more than its own length")
    return Window(begin, length, every)


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""
