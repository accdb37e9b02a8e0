"""Log lines: text on a terminal, one JSON object a line otherwise."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, TextIO

from apifold.errors import Broken
from apifold.observe.access_log import AccessLog
from apifold.observe.events import Crashed, Event, LeftOut, Quarantined, Swapped, WouldRefuse
from apifold.observe.moments import timestamp
from apifold.settings import Settings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

contract = logging.getLogger("apifold.contract")
server = logging.getLogger("apifold.server")


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, and the fields that came with it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def set_up(settings: Settings, stream: TextIO = sys.stderr) -> AccessLog | None:
    """Send apifold's log lines to a stream in the form that the settings ask for.

    Returns:
        The access log, where there is to be one.
    """
    handler = logging.StreamHandler(stream)
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not stream.isatty())
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S")
    )
    root = logging.getLogger("apifold")
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    root.propagate = False
    return AccessLog(stream, as_json=as_json) if settings.access_log else None


def hear(event: Event) -> None:
    """Log an event."""
    match event:
        case WouldRefuse(exchange, direction, problems):
            endpoint = exchange.endpoint
            said = "; ".join(f"{problem.where}{problem.pointer}: {problem.detail}" for problem in problems[:5])
            fields = {
                "request_id": exchange.request.id,
                "api": endpoint.api,
                "operation": endpoint.name,
                "direction": direction,
            }
            contract.warning("%s of %s breaks its contract: %s", direction, endpoint.title, said, extra=fields)
        case Crashed(exchange, error):
            fields = {
                "request_id": exchange.request.id,
                "operation": exchange.endpoint.name if exchange.endpoint else "",
            }
            trace = None if isinstance(error, Broken) else (type(error), error, error.__traceback__)
            what = getattr(error, "found", None) or error
            server.error(
                "request %s: %s %s failed: %r",
                exchange.request.id,
                exchange.request.method,
                exchange.request.path,
                what,
                exc_info=trace,
                extra=fields,
            )
        case Swapped(generation, apis, seconds):
            server.info(
                "generation %s: %d APIs, built in %.0f ms",
                generation,
                apis,
                seconds * 1000,
                extra={"generation": generation},
            )
        case LeftOut(api, reasons):
            server.warning("%s is not served: %s", api, "; ".join(reasons), extra={"api": api})
        case Quarantined(file, errors, kept):
            going_on = "the last good version goes on" if kept else "it is not served"
            said = "\n".join(map(str, errors))
            server.error(
                "%s has errors; %s\n%s",
                file,
                going_on,
                said,
                extra={"file": file, "errors": [str(error) for error in errors]},
            )
