"""The hashmap: prices by tables. CloudKitty's algorithm, to the last digit.

A metric has a service of its name. A service has mappings and thresholds, and so has each of its fields (attributes of
what was used). Rules belong to groups, or to none; each group prices a point on its own, and the prices are added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, localcontext
from typing import Literal

from apifold_services.rating.core import exact
from apifold_services.rating.core.points import Frame, Point

Kind = Literal["flat", "rate"]

NO_GROUP = "_DEFAULT_"

_PRECISION = Context(prec=28)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that is in force.

    Attributes:
        service: the metric that it is about.
        field: the attribute that it looks at; "" for the service itself.
        group: name of its group, `NO_GROUP` for none.
        kind: whether its cost is added, or multiplied by.
        value: of a mapping: the attribute's value; "" for a service's.
        level: of a threshold: the quantity, or the attribute's value, from which on it holds; None for a mapping.
        tenant: whose it is; "" for everybody's.
    """

    service: str
    field: str
    group: str
    kind: Kind
    cost: Decimal
    value: str = ""
    level: Decimal | None = None
    tenant: str = ""


@dataclass(slots=True)
class _Table:
    """Rules of a service, or of one of its fields: mappings by group and value, thresholds by group and level."""

    mappings: dict[str, dict[str, Rule]] = field(default_factory=dict)
    thresholds: dict[str, dict[Decimal, Rule]] = field(default_factory=dict)

    def lay(self, rule: Rule) -> None:
        """Put a rule in; it takes the place of one like it."""
        if rule.level is None:
            self.mappings.setdefault(rule.group, {})[rule.value] = rule
        else:
            self.thresholds.setdefault(rule.group, {})[rule.level] = rule


@dataclass(slots=True)
class _Priced:
    """What a group makes of a point."""

    flat: Decimal = Decimal(0)
    rate: Decimal = Decimal(1)
    threshold: Rule | None = None

    def map(self, rule: Rule) -> None:
        if rule.kind == "rate":
            self.rate *= rule.cost
        else:
            self.flat = max(self.flat, rule.cost)

    def reach(self, rules: Mapping[Decimal, Rule], reached: Decimal) -> None:
        """Take the highest of some levels that is reached, if it is above what was."""
        for level, rule in rules.items():
            known = self.threshold.level if self.threshold else Decimal(-1)
            if level <= reached and known is not None and level > known:
                self.threshold = rule

    def price(self, qty: Decimal) -> Decimal:
        flat, rate, rule = self.flat, self.rate, self.threshold
        if rule and rule.field:
            flat, rate = (flat + rule.cost, rate) if rule.kind == "flat" else (flat, rate * rule.cost)
        found = rate * flat * qty
        if rule and not rule.field:
            return found + rule.cost if rule.kind == "flat" else found * rule.cost
        return found


class Hashmap:
    """The rules for one scope, ready to price what it used.

    Args:
        rules: those in force, in the order in which they were made.
        tenant: whose usage is priced: its own rules take the place of everybody's.
    """

    def __init__(self, rules: Iterable[Rule], tenant: str) -> None:
        listed = list(rules)
        self._services: dict[str, dict[str, _Table]] = {}
        for whose in dict.fromkeys(("", tenant)):
            for rule in listed:
                if rule.tenant == whose:
                    self._services.setdefault(rule.service, {}).setdefault(rule.field, _Table()).lay(rule)

    def rate(self, frame: Frame) -> Frame:
        """The frame with its points at their prices, what they cost before included."""
        with localcontext(_PRECISION):
            usage = {metric: self._points(metric, points) for metric, points in frame.usage.items()}
        return replace(frame, usage=usage)

    def _points(self, metric: str, points: tuple[Point, ...]) -> tuple[Point, ...]:
        tables = self._services.get(metric)
        if tables is None:
            return points
        return tuple(point.priced(point.price + self._price(tables, point)) for point in points)

    def _price(self, tables: Mapping[str, _Table], point: Point) -> Decimal:
        groups: dict[str, _Priced] = {}
        own = tables.get("")
        if own:
            _map(groups, own, "")
            _reach(groups, own, point.qty)
        labels = point.labels
        for name, table in tables.items():
            if name and name in labels:
                _map(groups, table, str(labels[name]))
                _reach(groups, table, exact.number(labels[name]))
        return sum((priced.price(point.qty) for priced in groups.values()), Decimal(0))


def _map(groups: dict[str, _Priced], table: _Table, value: str) -> None:
    for group, rules in table.mappings.items():
        rule = rules.get(value)
        if rule is not None:
            groups.setdefault(group, _Priced()).map(rule)


def _reach(groups: dict[str, _Priced], table: _Table, reached: Decimal | None) -> None:
    """No level is reached by what is no number."""
    for group, rules in table.thresholds.items():
        if reached is not None:
            groups.setdefault(group, _Priced()).reach(rules, reached)
