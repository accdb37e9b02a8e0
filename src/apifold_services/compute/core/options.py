"""What a deployment decides about this service: `services: {compute: {...}}`."""

from __future__ import annotations

from typing import Any

import msgspec


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The service's settings.

    Attributes:
        driver: what makes servers: `simulated`, `qemu`, or an installed one.
        simulated: settings of that driver.
        qemu: settings of that driver.
        drivers: settings of installed drivers, by name.
        disabled: resources that are not served, by alias; those that are the core can't be.
        images: folder of images; "" for those that come with the service, which suit the simulated driver only.
        networks: addresses (CIDR) by name; the first is what servers get that ask for none.
        quotas: limits of whoever has none of his own, beside upstream's.
        reclaim: seconds for which a deleted server may be restored.
        offload: whether a server that is shelved leaves its host at once.
        at_once: changes that are made at the same time.
        usage: address of a rating service's usage, such as `http://127.0.0.1:8080/v2/usage`; "" for none.
        usage_token: file with the token that it takes.
        usage_period: seconds of usage that are told at a time.
    """

    driver: str = "simulated"
    simulated: dict[str, Any] = {}
    qemu: dict[str, Any] = {}
    drivers: dict[str, dict[str, Any]] = {}
    disabled: tuple[str, ...] = ()
    images: str = ""
    networks: dict[str, str] = msgspec.field(default_factory=lambda: {"private": "10.0.0.0/16"})
    quotas: dict[str, int] = {}
    reclaim: float = 0.0
    offload: bool = True
    at_once: int = 8
    usage: str = ""
    usage_token: str = ""
    usage_period: int = 3600
