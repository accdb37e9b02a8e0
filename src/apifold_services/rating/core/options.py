"""What a deployment decides about this service: `services: {rating: {...}}`."""

from __future__ import annotations

from typing import Literal

import msgspec


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The service's settings.

    Attributes:
        storage: 2, or 1 for the shape of old: then API v2 is not served.
        metrics: file of metrics, such as CloudKitty's `metrics.yml`; "" for one with those that examples use.
        period: seconds that are rated at a time.
        wait_periods: so many periods late usage is rated, so that it is all there.
        scope_key: the attribute that tells whose usage it is.
        fetcher: who says whose usage there is: `source`, `usage` (whoever pushed some), `prometheus`, or an installed
            one.
        collector: who knows the usage: `usage` (what was pushed), `prometheus`, or an installed one.
        scopes: for fetcher `source`: the ids.
        prometheus: address of Prometheus, such as `http://127.0.0.1:9090`.
        prometheus_scope: for fetcher `prometheus`: the metric whose label has the scopes' ids.
        interval: seconds between looks for what is to be rated.
        pyscripts: whether scripts may be rating rules.
    """

    storage: Literal[1, 2] = 2
    metrics: str = ""
    period: int = 3600
    wait_periods: int = 2
    scope_key: str = "project_id"
    fetcher: str = "usage"
    collector: str = "usage"
    scopes: tuple[str, ...] = ()
    prometheus: str = ""
    prometheus_scope: str = ""
    interval: float = 10.0
    pyscripts: bool = False
