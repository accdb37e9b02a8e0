"""Applications as a page. Values in, HTML out; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'",
    ),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "same-origin"),
)

LINES = 12
"""Of a log's end."""

REFRESH = 2
"""Seconds between two looks, while something is going on."""

_STYLE = """
:root { --ink: #1d2433; --quiet: #667085; --line: #e3e7ee; --page: #fff; --well: #16794c; --ill: #b42318; --going: #9a6700; --box: #f5f7fa; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --quiet: #9aa4b5; --line: #2b3342; --page: #141a24; --well: #4cc38a; --ill: #ff8b80; --going: #e0b34c; --box: #1b2330; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto; padding: 2rem; max-width: 62rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; } h3 { margin: 0; font-size: 1.1rem; }
a { color: inherit; } .quiet { color: var(--quiet); }
article { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 0 0 1rem; }
header { display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
.state { font-weight: 600; } .well { color: var(--well); } .ill { color: var(--ill); } .going { color: var(--going); }
pre { background: var(--box); padding: .6rem .8rem; border-radius: .4rem; overflow: auto; font-size: 12.5px; max-height: 24rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.buttons { display: flex; gap: .5rem; flex-wrap: wrap; margin-top: .6rem; } form { display: inline-flex; gap: .3rem; }
button, input { font: inherit; padding: .2rem .7rem; } input { width: 4.5rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); } th { color: var(--quiet); }
"""


@dataclass(frozen=True, slots=True)
class Application:
    """What is shown of one.

    Attributes:
        moves: whether something is going on.
        is_deployed: whether it can be started, stopped and scaled.
        tail: the end of its log.
    """

    id: str
    name: str
    status: str
    reason: str
    address: str
    instances: int
    moves: bool
    is_deployed: bool
    tail: str


def applications(shown: Sequence[Application], plans: Sequence[Mapping[str, Any]], base: str, *, more: int) -> str:
    """The page with the newest of them, how many `more` there are, and the plans that others can be made of."""
    listed = "".join(_article(one, base) for one in shown)
    nothing = '<p class="quiet" id="none">There is no application. Deploy a plan, by this page or by either API.</p>'
    rest = f'<p class="quiet">and {more} older ones, which the APIs list</p>' if more else ""
    body = f"<h1>Applications</h1>{listed or nothing}{rest}{_plans(plans, base)}"
    return _document("Applications", body, refresh=any(one.moves for one in shown))


def one_application(
    shown: Application, sensors: Sequence[Mapping[str, Any]], logs: Mapping[str, str], base: str
) -> str:
    """The page of one, with everything that is known of it."""
    rows = "".join(
        f"<tr><th>{escape(str(one['name']))}</th><td>{escape(str(one.get('value', '')))}</td></tr>"
        for one in sensors
        if one["id"] != "log"
    )
    texts = "".join(f"<h2>{escape(name)}</h2><pre>{escape(text)}</pre>" for name, text in logs.items())
    back = f'<p><a href="{escape(base)}/">All applications</a></p>'
    body = f"{back}{_article(shown, base)}<table>{rows}</table>{texts}"
    return _document(shown.name, body, refresh=shown.moves)


def problem(title: str, detail: str) -> str:
    """The page that says what is wrong."""
    return _document(title, f"<h1>{escape(title)}</h1><p>{escape(detail)}</p>", refresh=False)


def _document(title: str, body: str, *, refresh: bool) -> str:
    again = f'<meta http-equiv="refresh" content="{REFRESH}">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>{again}'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )


def _article(one: Application, base: str) -> str:
    link = f"{base}/applications/{one.id}"
    address = f'<a class="address" href="{escape(one.address)}">{escape(one.address)}</a>' if one.address else ""
    kind = "going" if one.moves else "ill" if "ERROR" in one.status or "FAILED" in one.status else "well"
    reason = f'<p class="ill reason">{escape(one.reason)}</p>' if one.reason else ""
    lines = "\n".join(one.tail.strip().splitlines()[-LINES:])
    tail = f'<pre class="log">{escape(lines)}</pre>' if lines else ""
    head = (
        f'<h3><a href="{escape(link)}">{escape(one.name)}</a></h3>'
        f'<span class="state {kind}">{escape(one.status)}</span>{address}'
    )
    return f'<article id="{escape(one.id)}"><header>{head}</header>{reason}{tail}{_buttons(one, link)}</article>'


def _buttons(one: Application, link: str) -> str:
    made = []
    if one.is_deployed:
        stopped = one.status == "STOPPED"
        made += (
            [_button(link, "start", "Start")]
            if stopped
            else [_button(link, "stop", "Stop"), _button(link, "restart", "Restart")]
        )
        number = (
            f'<input type="number" name="instances" min="1" max="100" value="{one.instances}" aria-label="Instances">'
        )
        made.append(_button(link, "scale", "Scale", number))
    if one.status != "DELETING":
        made.append(_button(link, "delete", "Delete"))
    return f'<div class="buttons">{"".join(made)}</div>'


def _button(link: str, what: str, name: str, more: str = "") -> str:
    return f'<form method="post" action="{escape(link)}/{what}">{more}<button class="{what}">{name}</button></form>'


def _plans(plans: Sequence[Mapping[str, Any]], base: str) -> str:
    if not plans:
        return ""
    rows = "".join(
        f"<tr><td>{escape(str(plan['name']))}</td><td>{escape(str(plan.get('description') or ''))}</td>"
        f"<td>{_button(base + '/plans/' + plan['@']['id'], 'deploy', 'Deploy')}</td></tr>"
        for plan in plans
    )
    head = "<tr><th>Plan</th><th>Description</th><th></th></tr>"
    return f'<h2>Plans</h2><table id="plans"><thead>{head}</thead><tbody>{rows}</tbody></table>'
