"""A result as a page for people, as text for a terminal, as JSON for programs."""

from __future__ import annotations

import math
from datetime import datetime
from html import escape
from typing import Any

import orjson

FORMATS = {"json": "application/json", "html": "text/html", "text": "text/plain"}

_HEADERS = (
    ("Vary", "Accept"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"),
)

_STYLE = """
:root { --ink: #1d2433; --quiet: #667085; --line: #e3e7ee; --good: #1a7f4b; --bad: #b54708; --bar: #3b6fd4; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 0 auto; padding: 2rem; max-width: 62rem; }
h1 { margin: 0; font-size: 1.5rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; } h3 { margin: 1.4rem 0 .3rem; }
.quiet, td.unit { color: var(--quiet); } .score { font-size: 3.2rem; font-weight: 700; line-height: 1.1; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 600; } td.number, th.number { text-align: right; }
.done { color: var(--good); } .failed, .skipped { color: var(--bad); }
code, pre { font: 12px/1.45 ui-monospace, monospace; } pre { overflow-x: auto; background: #f6f8fb; padding: .6rem; }
code { overflow-wrap: anywhere; } svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; }
details { break-inside: avoid; } section { break-inside: avoid-page; }
@media print { body { padding: 0; font-size: 12px; } details > pre { display: none; } a { color: inherit; } }
"""


def written(
    result: dict[str, Any], earlier: list[dict[str, Any]], media: str
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """A report and its headers.

    Args:
        result: as it is kept.
        earlier: results of the same thing on the same node, the oldest first.
        media: one of `FORMATS`' media types.
    """
    if media == FORMATS["html"]:
        body = page(result, earlier).encode()
    elif media == FORMATS["text"]:
        body = text(result).encode()
    else:
        body = orjson.dumps({"result": result, "earlier": earlier})
    kind = media if media == FORMATS["json"] else f"{media}; charset=utf-8"
    return body, (("Content-Type", kind), *_HEADERS)


def text(result: dict[str, Any]) -> str:
    """For a terminal: what has which score, section by section."""
    lines = [f"{result['kind']} {result['name']} on {result['node']}: {_index(result['score'])}"]
    lines += [f"{result['started']} to {result['stopped']}, {result['mode']} scoring, id {result['id']}", ""]
    for node in result.get("nodes") or ():
        lines.append(f"  {node['name']:<24} {_index(node['score']):>8}  {node.get('error', '')}".rstrip())
    for qpi in result["qpis"]:
        against = f"against baseline {qpi['baseline']}" if qpi["baseline"] else "no baseline"
        lines.append(f"{qpi['name']:<44} {_index(qpi['score']):>12}  {against}")
        for section in qpi["sections"]:
            lines.append(f"  {section['name']:<42} {_ratio(section['score']):>12}")
            for metric in section["metrics"]:
                tool = metric["tool"] or "not measured"
                lines.append(f"    {metric['name']:<40} {_ratio(metric['score']):>12}  {tool}")
                for one in metric["workloads"]:
                    found, base = _value(one["result"]), _value(one["baseline"])
                    lines.append(f"      {one['name']:<38} {_ratio(one['score']):>12}  {found} / {base}")
        lines.append("")
    for one in _unlucky(result):
        lines.append(f"{one['status']}: {one['metric']}: {one.get('error') or one.get('hint', '')}")
    lines += ["", *(f"{name:<10} {value}" for name, value in result["system_info"].items() if value)]
    return "\n".join(lines).rstrip() + "\n"


def page(result: dict[str, Any], earlier: list[dict[str, Any]]) -> str:
    """For a browser and for paper: no script, nothing from elsewhere."""
    title = f"{result['kind']} {result['name']} on {result['node']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{_moment(result["started"])} to {_moment(result["stopped"])} · {escape(result["mode"])} '
        f"scoring · <code>{escape(result['id'])}</code></p>",
        f'<p class="score" id="score">{_index(result["score"])}</p>',
        "" if result["complete"] else f'<p class="failed">{escape(_why_incomplete(result))}</p>',
        _history(result, earlier),
        _pod(result),
        *(_qpi(qpi) for qpi in result["qpis"]),
        _facts(result["system_info"]),
        _measurements(result["measurements"]),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>"
    )


def _why_incomplete(result: dict[str, Any]) -> str:
    named = sorted({one["metric"] for one in _unlucky(result)})
    if named:
        return f"Not everything could be measured: {', '.join(named)}. See below."
    return "Not everything could be compared: the baseline has no figures of the same tools. Calibrate one."


def _history(result: dict[str, Any], earlier: list[dict[str, Any]]) -> str:
    runs = [one for one in [*earlier, result] if one["score"] is not None]
    if len(runs) < 2:
        return ""
    scores = [one["score"] for one in runs]
    top, width, height = max(*scores, 1), 720, 120
    step = min(80, width / len(runs))
    points = []
    for number, (one, score) in enumerate(zip(runs, scores, strict=True)):
        x, tall = number * step, height * score / top
        colour = "var(--bar)" if one["id"] == result["id"] else "#b9c7e4"
        points.append(
            f'<rect x="{x + 2:.1f}" y="{height - tall + 16:.1f}" width="{max(2, min(step - 4, 60)):.1f}" '
            f'height="{tall:.1f}" fill="{colour}"><title>{_moment(one["started"])}: {score}</title></rect>'
            f'<text x="{x + 2:.1f}" y="{height - tall + 12:.1f}">{score}</text>'
        )
    return (
        "<section><h2>Earlier runs on this node</h2>"
        f'<svg id="history" viewBox="0 0 {width} {height + 20}" width="{width}" role="img" '
        f'aria-label="scores, the newest last">{"".join(points)}</svg></section>'
    )


def _pod(result: dict[str, Any]) -> str:
    nodes = result.get("nodes")
    if not nodes:
        return ""
    rows = "".join(
        f'<tr><td>{escape(node["name"])}</td><td class="number">{_index(node["score"])}</td>'
        f'<td class="failed">{escape(node.get("error", ""))}</td></tr>'
        for node in nodes
    )
    return f'<section><h2>Nodes</h2><table id="nodes"><tr><th>node<th class="number">score<th></tr>{rows}</table></section>'


def _qpi(qpi: dict[str, Any]) -> str:
    against = (
        f"against baseline <b>{escape(qpi['baseline'])}</b>" if qpi["baseline"] else "no baseline to hold it against"
    )
    rows = []
    for section in qpi["sections"]:
        weight = f", weight {section['weight']:g}" if section["weight"] != 1 else ""
        rows.append(
            f"<h3>{escape(section['name'])} {_ratio(section['score'])}</h3>"
            f'<p class="quiet">{escape(section["description"])} · {escape(section["formula"])}{weight}</p>'
            '<table><tr><th>metric<th>workload<th class="number">measured<th class="number">baseline'
            f'<th class="number">score<th>tool</tr>{"".join(_rows(section))}</table>'
        )
    return (
        f'<section class="qpi"><h2>{escape(qpi["name"])}: {_index(qpi["score"])}</h2>'
        f'<p class="quiet">{escape(qpi["description"])}<br>{escape(qpi["formula"])}, {against}</p>'
        f"{_bars(qpi['sections'])}{''.join(rows)}</section>"
    )


def _rows(section: dict[str, Any]) -> list[str]:
    rows = []
    for metric in section["metrics"]:
        name, tool = f"{escape(metric['name'])} {_ratio(metric['score'])}", escape(metric["tool"] or "not measured")
        for one in metric["workloads"] or [{"name": "", "result": None, "baseline": None, "score": None}]:
            rows.append(
                f'<tr><td>{name}</td><td title="{escape(one.get("description", ""))}">{escape(one["name"])}</td>'
                f'<td class="number">{_value(one["result"])}</td><td class="number">{_value(one["baseline"])}</td>'
                f'<td class="number">{_ratio(one["score"])}</td><td class="quiet">{tool}</td></tr>'
            )
            name = tool = ""
    return rows


def _bars(sections: list[dict[str, Any]]) -> str:
    """Each section's score as a bar, and the baseline as a line at 1."""
    scored = [one for one in sections if one["score"] is not None]
    if not scored:
        return ""
    most = max(1.2, *(one["score"] for one in scored))
    left, wide, row = 150, 480, 26
    at_one = left + wide / most
    bars = "".join(
        f'<text x="{left - 8}" y="{number * row + 18}" text-anchor="end">{escape(one["name"])}</text>'
        f'<rect x="{left}" y="{number * row + 5}" width="{wide * one["score"] / most:.1f}" height="17" fill="var(--bar)"/>'
        f'<text x="{left + wide + 10}" y="{number * row + 18}">{_ratio(one["score"])}</text>'
        for number, one in enumerate(scored)
    )
    tall = len(scored) * row + 22
    return (
        f'<svg class="bars" viewBox="0 0 720 {tall}" width="720" role="img" aria-label="scores against the baseline">{bars}'
        f'<line x1="{at_one:.1f}" x2="{at_one:.1f}" y1="0" y2="{tall - 18}" stroke="var(--ink)" stroke-dasharray="3 3"/>'
        f'<text x="{at_one:.1f}" y="{tall - 4}" text-anchor="middle">baseline</text></svg>'
    )


def _facts(facts: dict[str, str]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items() if value
    )
    return f'<section><h2>The machine</h2><table id="facts">{rows}</table></section>' if rows else ""


def _measurements(measurements: list[dict[str, Any]]) -> str:
    if not measurements:
        return ""
    rows = "".join(
        f'<tr><td>{escape(one["metric"])}<br><span class="quiet">{escape(", ".join(one["workloads"][:4]))}</span></td>'
        f'<td class="{escape(one["status"])}">{escape(one["status"])}</td><td>{_measurement(one)}</td></tr>'
        for one in measurements
    )
    return f'<section><h2>How it was measured</h2><table id="measurements">{rows}</table></section>'


def _measurement(one: dict[str, Any]) -> str:
    if one["status"] == "skipped":
        return f"{escape(one.get('hint', ''))}"
    tool = f"{escape(one['tool']['name'])} {escape(one['tool']['version'])}, {one.get('seconds', 0):.1f} s"
    why = f'<br><span class="failed">{escape(one["error"])}</span>' if one.get("error") else ""
    return (
        f"<details><summary>{tool}{why}</summary><code>{escape(one.get('command', ''))}</code>"
        f"<pre>{escape(one.get('output', ''))}</pre></details>"
    )


def _unlucky(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in result["measurements"] if one["status"] != "done"]


def _index(score: int | None) -> str:
    return "-" if score is None else str(score)


def _ratio(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def _value(value: float | None) -> str:
    """Four digits and a size, as people read them."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    power = min(5, max(0, int(math.log10(abs(value)) // 3)))
    return f"{value / 1000**power:.4g}{('', ' k', ' M', ' G', ' T', ' P')[power]}"


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
