"""apifold: one core, every version of its API. A directory of API descriptions is the server."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "App": "apifold.app",
    "Application": "apifold.application",
    "Around": "apifold.exchange",
    "Call": "apifold.exchange",
    "Caller": "apifold.exchange",
    "Conflict": "apifold.errors",
    "Collection": "apifold.store",
    "Denied": "apifold.errors",
    "Deployment": "apifold.deployment",
    "DescriptionErrors": "apifold.errors",
    "ENDED_STATES": "apifold.jobs.job",
    "Exchange": "apifold.exchange",
    "Fault": "apifold.errors",
    "Gone": "apifold.errors",
    "Invalid": "apifold.errors",
    "Limited": "apifold.errors",
    "Job": "apifold.jobs.job",
    "JobKind": "apifold.jobs.job",
    "JobQuery": "apifold.jobs.job",
    "Jobs": "apifold.jobs.jobs",
    "Limits": "apifold.confined",
    "NotADescription": "apifold.errors",
    "NotFound": "apifold.errors",
    "Page": "apifold.exchange",
    "Outcome": "apifold.confined",
    "Parts": "apifold.service",
    "PreconditionFailed": "apifold.errors",
    "Problem": "apifold.errors",
    "Query": "apifold.store",
    "Request": "apifold.http",
    "Response": "apifold.http",
    "Result": "apifold.exchange",
    "RunningJob": "apifold.jobs.job",
    "Service": "apifold.service",
    "Settings": "apifold.settings",
    "ToBeDone": "apifold.errors",
    "UploadedFile": "apifold.pipeline.bodies",
    "Unauthenticated": "apifold.errors",
    "Unavailable": "apifold.errors",
    "Unprocessable": "apifold.errors",
    "headers_of": "apifold.pipeline.dialects",
    "matcher": "apifold.schema.checker",
    "read_file": "apifold.marked",
    "run_confined": "apifold.confined",
    "status_of": "apifold.pipeline.dialects",
}

__all__ = [*sorted(_PUBLIC)]  # noqa: PLE0604  # the names are the table's


def __getattr__(name: str) -> Any:
    # Looked up when first asked for, so that `import apifold` costs nothing that is not used.
    if name not in _PUBLIC:
        raise AttributeError(f"apifold has no {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
