"""Spend as a page: over time, by metric, by scope. Values in, HTML out; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from urllib.parse import urlencode

from apifold_services.rating.core.points import Labels, Period

HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'",
    ),
    ("Cache-Control", "no-store"),
)

BARS = 10
"""Metrics and scopes that have a row of their own."""

_STYLE = """
:root { --ink: #1d2433; --quiet: #667085; --line: #e3e7ee; --bar: #3b6fd4; --page: #fff; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --quiet: #9aa4b5; --line: #2b3342; --bar: #6d97ea; --page: #141a24; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto; padding: 2rem; max-width: 62rem; }
h1 { margin: 0; font-size: 1.5rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; }
.quiet { color: var(--quiet); } .total { font-size: 3rem; font-weight: 700; line-height: 1.1; margin: .4rem 0 0; }
form { display: flex; gap: .8rem; flex-wrap: wrap; align-items: end; margin: 1.2rem 0; } label { color: var(--quiet); }
input, button { font: inherit; padding: .25rem .5rem; } input { display: block; }
svg { width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); }
rect { fill: var(--bar); } line { stroke: var(--line); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; } td.number, th.number { text-align: right; }
td.share { width: 40%; } .bar { background: var(--bar); height: .7rem; border-radius: 2px; min-width: 1px; }
a { color: inherit; }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What something costs: a day, a metric, a scope."""

    name: str
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Spend:
    """What a page shows.

    Attributes:
        period: the time that it is about.
        filters: what it is about, by attribute.
        days: the days with usage, in their order.
        metrics: what each metric costs.
        scopes: what each scope costs.
        scope_key: what scopes are told by.
    """

    period: Period
    filters: Labels
    days: Sequence[Row]
    metrics: Sequence[Row]
    scopes: Sequence[Row]
    scope_key: str


def page(spend: Spend) -> str:
    """The page."""
    total = sum((row.cost for row in spend.metrics), Decimal(0))
    begin, end = spend.period.begin.date().isoformat(), spend.period.end.date().isoformat()
    about = ", ".join(f"{name} {value}" for name, value in spend.filters.items())
    body = [
        "<h1>Spend</h1>",
        f'<p class="quiet">{begin} to {end}{f" · only {escape(about)}" if about else ""}</p>',
        f'<p class="total" id="total">{money(total)}</p>',
        _form(begin, end, spend.filters),
        "<h2>Over time</h2>",
        _chart(spend.days),
        _table("By metric", "metric", spend.metrics, total, spend, "type"),
        _table("By scope", "scope", spend.scopes, total, spend, spend.scope_key),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Spend</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>"
    )


def money(cost: Decimal) -> str:
    """A cost for people: two decimals, more where it is small."""
    return f"{cost:,.2f}" if cost == 0 or abs(cost) >= Decimal("0.01") else f"{cost:.2g}"


def _form(begin: str, end: str, filters: Labels) -> str:
    kept = "".join(
        f'<input type="hidden" name="filters" value="{escape(f"{name}:{value}")}">' for name, value in filters.items()
    )
    fields = "".join(
        f'<label>{name.capitalize()}<input type="date" name="{name}" value="{value}" required></label>'
        for name, value in (("begin", begin), ("end", end))
    )
    return f'<form method="get">{fields}{kept}<button>Show</button></form>'


def _chart(days: Sequence[Row]) -> str:
    """A bar for each day."""
    if not days:
        return '<p class="quiet">There is no rated usage in this time.</p>'
    most = max((row.cost for row in days), default=Decimal(0)) or Decimal(1)
    width, height = 900, 180
    step = width / len(days)
    every = max(1, len(days) // 8)
    bars = []
    for index, row in enumerate(days):
        tall = max(0.5, float(row.cost / most) * (height - 30))
        left = index * step
        title = f"<title>{escape(row.name)}: {money(row.cost)}</title>"
        bars.append(
            f'<rect x="{left + step * 0.1:.1f}" y="{height - 20 - tall:.1f}" width="{step * 0.8:.1f}" height="{tall:.1f}">{title}</rect>'
        )
        if index % every == 0:
            bars.append(f'<text x="{left:.1f}" y="{height - 4}">{escape(row.name)}</text>')
    label = f"Spend on each of {len(days)} days, at most {money(most)}"
    base = f'<line x1="0" x2="{width}" y1="{height - 20}" y2="{height - 20}"/>'
    top = f'<text x="0" y="10">{money(most)}</text>'
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}" id="days">{base}{top}{"".join(bars)}</svg>'


def _table(title: str, what: str, rows: Sequence[Row], total: Decimal, spend: Spend, attribute: str) -> str:
    ordered = sorted(rows, key=lambda row: -row.cost)
    shown = ordered[:BARS]
    rest = sum((row.cost for row in ordered[BARS:]), Decimal(0))
    lines = [_line(row, total, _link(spend, attribute, row.name)) for row in shown]
    if len(ordered) > BARS:
        lines.append(_line(Row(f"{len(ordered) - BARS} others", rest), total, ""))
    head = f'<tr><th>{what.capitalize()}</th><th class="number">Cost</th><th>Share</th></tr>'
    return f'<h2>{title}</h2><table id="{what}s"><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table>'


def _line(row: Row, total: Decimal, link: str) -> str:
    share = float(row.cost / total) * 100 if total else 0.0
    name = escape(row.name or "(none)")
    told = f'<a href="{escape(link)}">{name}</a>' if link else name
    bar = f'<div class="bar" style="width: {max(0.0, min(100.0, share)):.1f}%" title="{share:.1f} %"></div>'
    return f'<tr><td>{told}</td><td class="number">{money(row.cost)}</td><td class="share">{bar}</td></tr>'


def _link(spend: Spend, attribute: str, value: str) -> str:
    """The same page about one of its rows; "" where there is no such page."""
    if not value or ":" in value or "," in value:
        return ""
    pairs = [("begin", spend.period.begin.date().isoformat()), ("end", spend.period.end.date().isoformat())]
    filters = {**spend.filters, attribute: value}
    return "?" + urlencode([*pairs, *(("filters", f"{name}:{one}") for name, one in filters.items())])
