"""apifold: one core, every version of its API. A directory of API descriptions is the server."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "AddressRefused": "apifold.outgoing",
    "App": "apifold.app",
    "Application": "apifold.application",
    "Around": "apifold.exchange",
    "Call": "apifold.exchange",
    "Caller": "apifold.exchange",
    "CatalogueEntry": "apifold.reference.pages",
    "Collection": "apifold.store",
    "Conflict": "apifold.errors",
    "Database": "apifold.store",
    "Denied": "apifold.errors",
    "Deployment": "apifold.deployment",
    "DescriptionErrors": "apifold.errors",
    "Duty": "apifold.jobs.duties",
    "END_SECONDS": "apifold.lasting",
    "ENDED_STATES": "apifold.jobs.job",
    "Exchange": "apifold.exchange",
    "Fault": "apifold.errors",
    "fault_of": "apifold.outgoing",
    "FixedSession": "apifold.outgoing",
    "forward": "apifold.outgoing",
    "Gone": "apifold.errors",
    "headers_of": "apifold.pipeline.dialects",
    "Invalid": "apifold.errors",
    "Job": "apifold.jobs.job",
    "JobKind": "apifold.jobs.job",
    "JobQuery": "apifold.jobs.job",
    "Jobs": "apifold.jobs.jobs",
    "KeystoneSession": "apifold.outgoing",
    "lasting_process": "apifold.lasting",
    "LastingProcess": "apifold.lasting",
    "Limited": "apifold.errors",
    "Limits": "apifold.confined",
    "Login": "apifold.outgoing",
    "Malformed": "apifold.errors",
    "MethodNotAllowed": "apifold.errors",
    "MissingExtra": "apifold.errors",
    "matcher": "apifold.schema.checker",
    "NotADescription": "apifold.errors",
    "NotFound": "apifold.errors",
    "NotServed": "apifold.errors",
    "Outcome": "apifold.confined",
    "Outgoing": "apifold.outgoing",
    "Page": "apifold.exchange",
    "Parts": "apifold.service",
    "PerRequest": "apifold.service",
    "PreconditionFailed": "apifold.errors",
    "Problem": "apifold.errors",
    "Query": "apifold.store",
    "read_file": "apifold.marked",
    "read_yaml": "apifold.pipeline.bodies",
    "Reply": "apifold.outgoing",
    "Request": "apifold.http",
    "Response": "apifold.http",
    "Result": "apifold.exchange",
    "run_confined": "apifold.confined",
    "RunningJob": "apifold.jobs.job",
    "Service": "apifold.service",
    "setting_options": "apifold.cli.options",
    "Settings": "apifold.settings",
    "settings_from": "apifold.cli.options",
    "SettingsError": "apifold.errors",
    "Sending": "apifold.outgoing",
    "status_of": "apifold.pipeline.dialects",
    "ToBeDone": "apifold.errors",
    "TooLarge": "apifold.errors",
    "Unauthenticated": "apifold.errors",
    "Unavailable": "apifold.errors",
    "Unprocessable": "apifold.errors",
    "UnsupportedMedia": "apifold.errors",
    "UploadedFile": "apifold.pipeline.bodies",
    "Upstream": "apifold.outgoing",
    "UpstreamFailed": "apifold.errors",
    "UpstreamTimeout": "apifold.errors",
    "Version": "apifold.versions.version",
}

__all__ = [*sorted(_PUBLIC)]  # noqa: PLE0604  # the names are the table's


def __getattr__(name: str) -> Any:
    # Looked up when first asked for, so that `import apifold` costs nothing that is not used.
    if name not in _PUBLIC:
        raise AttributeError(f"apifold has no {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
