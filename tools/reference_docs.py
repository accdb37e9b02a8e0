"""Write the reference pages that are drawn from tables in the code. `tests/docs` fails where they are out of date."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import click
import msgspec

from apifold.access.policy import __doc__ as policy_doc
from apifold.bindings.handler import SPECIAL
from apifold.cli.main import COMMANDS, apifold
from apifold.cli.options import _NOT_OPTIONS, says
from apifold.description.extension import _LEVELS
from apifold.description.model import MODEL_KEYS
from apifold.extension_points import EXTENSION_POINTS, load, names
from apifold.pipeline.dialects import STATUSES
from apifold.settings import ApiSettings, Brownout, Settings, ShadowSettings, StatusRule, UpstreamSettings

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"

IN_VERSIONS = {
    "since": "the first version that has it; in quotes",
    "until": "the last version that has it; in quotes",
}

MEANINGS = {
    "document": {
        "service": "the service that the API belongs to; with `id`, its name",
        "id": "its version's name, such as `v2`",
        "status": "EXPERIMENTAL, CURRENT, SUPPORTED, DEPRECATED or RETIRED (it answers 410)",
        "deprecated": "the date from which on new clients are not to use it (`Deprecation`, RFC 9745)",
        "sunset": "the date from which on it answers 410 (`Sunset`, RFC 8594)",
        "successor": "the API that takes its place (`Link`, RFC 5829)",
        "notice": "address of a page about its end; its own page where nothing is said",
        "brownouts": "whiles in which it answers 503: `[{begin: DATE, minutes: N, every_hours: N}]`",
        "microversions": "clients choose a version: `{min, max, default, headers}`",
        "requires": 'facts without which it is not served: `{storage: ">=2"}`',
        "handlers": "the module in which bare operationIds are functions",
        "errors": "the dialect: a name, or `{template, media_type, statuses}`",
        "validation": "`{request: MODE, response: MODE}`, each `reject`, `log` or `off`",
        "unknown": "undeclared members and query parameters: `reject`, `strip` or `allow`",
        "unknown_query": "the same for query parameters, where it is another",
        "lenient": "schemas are taken `loosely` and what is unknown is dropped: `always`, or, in the mode `log`, `logged`; `never`",
        "policy": "file with the rules that its operations name, beside it",
        "auth": "the auth method, where it is not the deployment's",
        "inline": "its `def` handlers run on the event loop; each is done within a millisecond",
        "aliases": "other beginnings of its paths: `{/billing: /rating}` serves what is below `/rating` below `/billing`, too",
        "accept": "`ignore`: a client that takes none of an operation's media types gets the first one all the same",
        "trailing_slash": "`ignore`: each path with and without a slash at its end is the same",
        "request_id": 'headers that tell the request\'s id beside `X-Request-Id`: `{X-Ours: "req-{uuid}"}`, or with `{id}`',
        "traits": "habits of every operation of a method: `{get: {etag: null}}`; one that says `etag: false` has it not",
        "project_in_path": "true: each path may also be asked for with the caller's project in front of it: `/{project_id}/things`",
    },
    "path": IN_VERSIONS,
    "response": IN_VERSIONS,
    "operation": {
        **IN_VERSIONS,
        "deprecated": "as for the document",
        "sunset": "as for the document",
        "successor": "the operation of the document's `successor` that takes its place: operationId, or method and path",
        "policy": "the rule that decides who may",
        "public": "true: everybody may, known or not",
        "binding": "how it gets its answer: a name, or `{NAME: OPTION}`; a handler where nothing is said",
        "traits": "its habits: a list of names, or a mapping of names to options",
        "validation": "as for the document",
        "unknown": "as for the document",
        "unknown_query": "as for the document",
        "inline": "as for the document",
        "stream": "true: its body is taken in pieces (`request.chunks()`), neither waited for nor limited nor checked",
    },
    "schema": {
        **IN_VERSIONS,
        "read_only_reason": "a client that sends this read-only member is refused, with this reason",
        "source": "where the member lives in the core's, or the upstream's, shape: `a.b[0].c`",
        "link": "the member is an address below the API's own, made of places in the core's shape: `/plans/{plan.id}`",
        "action": "what happens to its value on the way, beside the change of place",
        "absent": "what the member is where the core has none; its `default`, where nothing is said",
        "loosely": "the schema that holds instead where the API is `lenient`",
        "core": "of an object: the schema of the core's shape, that each source is held against",
    },
    "parameter": {
        **IN_VERSIONS,
        "source": "its name behind the API",
        "style": "`list`: repeated, separated by commas, or both; `pairs`: the same of `key:value`, for an object",
    },
}


def settings() -> str:
    rows = []
    for field in msgspec.structs.fields(Settings):
        default = {} if field.default is msgspec.NODEFAULT else field.default
        option = f"`--{field.name.replace('_', '-')}`" if field.name not in _NOT_OPTIONS else ""
        rows.append(f"| `{field.name}` | {option} | `{json.dumps(default)}` | {says(field)} |")
    own = [f"| `{field.name}` | {says(field)} |" for field in msgspec.structs.fields(ApiSettings)]
    return "\n".join(
        [
            "# Settings",
            "",
            "Each is a key of `apifold.yaml` in the served directory (or of `--config FILE`), an environment variable",
            "(`workers` is `APIFOLD_WORKERS`; lists are separated by commas) and an option of `apifold serve`. The later of",
            "these three wins. An unknown one is an error.",
            "",
            "| setting | option | default | what it decides |",
            "|---|---|---|---|",
            *rows,
            "",
            "## `apis`",
            "",
            "What a deployment changes about one API, by the API's name (its `service` and `id` joined by `-`, else its",
            "file's name without ending, else its folder's):",
            "",
            "| key | what it changes |",
            "|---|---|",
            *own,
            "",
            "    apis:",
            "      shop: {base_path: /store, status: DEPRECATED, validation: {request: log}}",
            "",
            *keys("`shadow` of an API", ShadowSettings),
            *keys("`brownouts` of an API", Brownout),
            *keys("`status_after` of an API", StatusRule),
            *keys("`upstreams`", UpstreamSettings),
        ]
    )


def keys(title: str, struct: type[msgspec.Struct]) -> list[str]:
    rows = [f"| `{field.name}` | {says(field)} |" for field in msgspec.structs.fields(struct)]
    about = (struct.__doc__ or "").strip().removesuffix(".")
    return [f"## {title}", "", f"{about}:", "", "| key | what it is |", "|---|---|", *rows, ""]


def commands() -> str:
    parts = [
        "# Commands",
        "",
        "Exit codes: 0 all is well; 1 a file has errors, or the server could not start; 2 the command line or a setting",
        "is wrong.",
        "",
    ]
    for name in COMMANDS:
        command = importlib.import_module(f"apifold.cli.{name}").command
        parts += [f"## apifold {name}", "", "```", help_of(command, f"apifold {name}"), "```", ""]
        for below in sorted(getattr(command, "commands", {})):
            parts += [
                f"### apifold {name} {below}",
                "",
                "```",
                help_of(command.commands[below], f"apifold {name} {below}"),
                "```",
                "",
            ]
    return "\n".join(parts)


def help_of(command: click.Command, name: str) -> str:
    parent = click.Context(apifold, info_name="apifold", **apifold.context_settings)
    context = click.Context(command, parent, name.removeprefix("apifold "), terminal_width=96, max_content_width=96)
    text = command.get_help(context).rstrip()
    if name == "apifold serve":
        return text.partition("\nOptions:")[0].rstrip() + "\n\nOptions: every setting; see settings.md"
    return text


def extension_keys() -> str:
    parts = [
        "# What apifold adds to a description",
        "",
        "All of it lives under one key, `x-apifold`, at six levels. An unknown key is an error.",
        "",
    ]
    for level, struct in _LEVELS.items():
        fields = msgspec.structs.fields(struct)
        parts += [f"## {level}", ""]
        if not fields:
            parts += ["No keys yet.", ""]
            continue
        parts += ["| key | meaning | default |", "|---|---|---|"]
        for field in fields:
            default = msgspec.to_builtins(field.default) if field.default is not msgspec.NODEFAULT else None
            shown = (
                "" if default in (None, "", (), [], {"request": None, "response": None}) else f"`{json.dumps(default)}`"
            )
            parts.append(f"| `{field.encode_name}` | {MEANINGS[level][field.encode_name]} | {shown} |")
        parts.append("")
    parts += [
        "## Model files",
        "",
        "| key | meaning |",
        "|---|---|",
        *(f"| `{key}` | {text} |" for key, text in MODEL_KEYS.items()),
        "",
    ]
    return "\n".join(parts)


def errors() -> str:
    rows = [f"| `{kind.__name__}` | {status} | {first_line(kind)} |" for kind, status in STATUSES.items()]
    return "\n".join(
        [
            "# Faults and their statuses",
            "",
            "A handler, or the framework, raises a fault in the words of the domain; the API's dialect gives it a status and a",
            "form. All names are importable from `apifold.errors`, those for handlers from `apifold`.",
            "",
            "| fault | status | when |",
            "|---|---|---|",
            *rows,
            "",
            "A file that can't be served raises `DescriptionErrors`: a list of `DescriptionError(file, line, pointer, message,",
            "remedy)`. A setting that can't be used raises `SettingsError`, an optional part that is not installed",
            "`MissingExtra`, which names the extra.",
            "",
        ]
    )


def first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def traits_and_bindings() -> str:
    parts = ["# Traits, bindings, handlers, rules", "", "## Traits", "", "| trait | what it is |", "|---|---|"]
    parts += [f"| `{name}` | {joined(load('apifold.traits', name))} |" for name in own("apifold.traits")]
    parts += ["", "## Bindings", "", "| binding | what it is |", "|---|---|"]
    parts += [f"| `{name}` | {joined(load('apifold.bindings', name))} |" for name in own("apifold.bindings")]
    parts += ["", "## Actions", "", "For `action` beside a `source`.", "", "| action | what it does |", "|---|---|"]
    parts += [f"| `{name}` | {joined(load('apifold.actions', name))} |" for name in own("apifold.actions")]
    parts += ["", "## Dialects", "", "| dialect | what it is |", "|---|---|"]
    parts += [f"| `{name}` | {joined(load('apifold.dialects', name))} |" for name in own("apifold.dialects")]
    parts += ["", "## Discoveries", "", "| discovery | what it is |", "|---|---|"]
    parts += [f"| `{name}` | {joined(load('apifold.discoveries', name))} |" for name in own("apifold.discoveries")]
    parts += ["", "## Auth methods", "", "| method | what it is |", "|---|---|"]
    parts += [f"| `{name}` | {first_line(load('apifold.auth', name))} |" for name in own("apifold.auth")]
    parts += [
        "",
        "## Handlers",
        "",
        "A plain function, `def` or `async def`. Its arguments are the description's parameters by name (`user-id` is",
        "`user_id`, a keyword gets a `_`), `body` (or the fields of a form by their names), what the service provides, and:",
        "",
        "| argument | is |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in SPECIAL.items()),
        "",
        "It returns a value, `(value, status)`, `(value, status, headers)` or an `apifold.Response`; without a status, the first",
        "described 2xx. `async def` runs on the worker's loop; `def` in a pool of threads, because it may block; `def` with",
        "`x-apifold: {inline: true}` on the loop, as a promise to be done within a millisecond. What an iterator yields is sent",
        "as a JSON list, a hundred items at a time, so that a list may be longer than memory; it is not held against its schema.",
        "",
        "## Doors for guests",
        "",
        "| group | is |",
        "|---|---|",
        *(f"| `{group}` | {text} |" for group, text in EXTENSION_POINTS.items()),
        "",
        "## Rules",
        "",
        (policy_doc or "").strip(),
        "",
    ]
    return "\n".join(parts)


def own(group: str) -> list[str]:
    return [name for name in names(group) if load(group, name).__module__.startswith("apifold.")]


def joined(thing: object) -> str:
    return " ".join((thing.__doc__ or "").partition("\n\n    Raises")[0].split()).replace("|", "\\|")


PAGES = {
    "settings.md": settings,
    "commands.md": commands,
    "extension-keys.md": extension_keys,
    "errors.md": errors,
    "traits-and-bindings.md": traits_and_bindings,
}


def main() -> None:
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), "utf-8")
        print(f"wrote {REFERENCE / name}")


if __name__ == "__main__":
    main()
