"""Which metrics are rated, and how a measured value becomes a quantity: CloudKitty's `metrics.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import msgspec

from apifold import SettingsError, read_file
from apifold_services.rating.core import exact

Mutate = Literal["NONE", "NUMBOOL", "NOTNUMBOOL", "FLOOR", "CEIL", "MAP"]

_PRECISION = Context(prec=28)


class MetricSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One metric of the file."""

    unit: str
    alt_name: str = ""
    description: str = ""
    factor: int | float | str = 1
    offset: int | float | str = 0
    groupby: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    mutate: Mutate = "NONE"
    mutate_map: dict[str, Any] = {}
    extra_args: dict[str, Any] = {}
    skip_datapoints_expression: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is rated.

    Attributes:
        name: as its collector knows it.
        type: what it is called in frames, and the hashmap's service.
        arguments: for its collector.
    """

    name: str
    type: str
    unit: str
    description: str
    factor: Fraction
    offset: Fraction
    groupby: tuple[str, ...]
    metadata: tuple[str, ...]
    mutate: Mutate
    mutations: Mapping[Decimal, Decimal] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def quantity(self, value: Decimal) -> Decimal:
        """The quantity that a measured value is: converted, then mutated."""
        converted = _decimal(Fraction(value) * self.factor + self.offset)
        match self.mutate:
            case "FLOOR":
                return converted.to_integral_value(ROUND_FLOOR)
            case "CEIL":
                return converted.to_integral_value(ROUND_CEILING)
            case "NUMBOOL":
                return Decimal(int(bool(converted)))
            case "NOTNUMBOOL":
                return Decimal(int(not converted))
            case "MAP":
                return self.mutations.get(converted, Decimal(0))
            case _:
                return converted


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of a deployment.

    Attributes:
        configured: as the file has them, for those who ask.
        listed: every metric; two may have one name.
    """

    configured: Mapping[str, Any]
    listed: tuple[Metric, ...]

    @classmethod
    def read(cls, file: Path, scope_key: str) -> Metrics:
        """The metrics of a file.

        Args:
            scope_key: the attribute that tells whose usage it is; every metric is grouped by it.

        Raises:
            SettingsError: it can't be used; the text says why.
        """
        try:
            content = read_file(file)
        except OSError as error:
            raise SettingsError(f"services: rating: metrics: {file}: {error.strerror}") from None
        configured = content.get("metrics") if isinstance(content, dict) else None
        if not isinstance(configured, dict):
            raise SettingsError(f"{file}: write `metrics:`, and below it one entry for each metric")
        found: list[Metric] = []
        for name, said in configured.items():
            for one in said if isinstance(said, list) else [said]:
                try:
                    found.append(_metric(str(name), one, scope_key))
                except (ValueError, msgspec.ValidationError) as error:
                    raise SettingsError(f"{file}: metrics: {name}: {error}") from None
        return cls(configured, tuple(found))

    @property
    def by_type(self) -> dict[str, Metric]:
        """The metrics by what they are called in frames; of two, the first."""
        return {metric.type: metric for metric in reversed(self.listed)}


def _metric(name: str, said: Any, scope_key: str) -> Metric:
    settings = msgspec.convert(said, MetricSettings)
    both = set(settings.groupby) & set(settings.metadata)
    if both:
        raise ValueError(f"{', '.join(sorted(both))} can't be in groupby and in metadata")
    if settings.skip_datapoints_expression:
        raise ValueError("skip_datapoints_expression is not supported: it would run text as code")
    if bool(settings.mutate_map) != (settings.mutate == "MAP"):
        raise ValueError("mutate_map and mutate: MAP need each other")
    groupby = tuple(dict.fromkeys((*settings.groupby, scope_key)))
    mutations = {_number(key): _number(value) for key, value in settings.mutate_map.items()}
    return Metric(
        name=name,
        type=settings.alt_name or name,
        unit=settings.unit,
        description=settings.description,
        factor=_fraction("factor", settings.factor),
        offset=_fraction("offset", settings.offset),
        groupby=groupby,
        metadata=tuple(one for one in settings.metadata if one != scope_key),
        mutate=settings.mutate,
        mutations=mutations,
        arguments=settings.extra_args,
    )


def _fraction(name: str, said: float | str) -> Fraction:
    """`2`, `0.5` or `1/1024`. Raises ValueError."""
    try:
        found = Fraction(str(said).replace(" ", ""))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{name}: {said!r} is no number, and no fraction such as 1/1024") from None
    return found


def _number(said: Any) -> Decimal:
    found = exact.number(said)
    if found is None:
        raise ValueError(f"mutate_map: {said!r} is no number")
    return found


def _decimal(fraction: Fraction) -> Decimal:
    """A fraction as a decimal, exact where it has an end within 28 digits."""
    return _PRECISION.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))
