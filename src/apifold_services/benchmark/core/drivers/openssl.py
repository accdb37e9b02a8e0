"""OpenSSL's own benchmark, in the form that it writes for programs (`-mr`)."""

from __future__ import annotations

import math
import re

from apifold_services.benchmark.core.drivers.driver import Measurement, Tool, find_tool

_ASYMMETRIC = re.compile(r"^\+F2:\d+:(\d+):([\d.]+):([\d.]+)", re.MULTILINE)
_SYMMETRIC = re.compile(r"^\+F:\d+:[^:]+:([\d.]+)$", re.MULTILINE)
RSA_BITS = (512, 1024, 2048, 4096)
AES_BYTES = (16, 64, 256, 1024, 8192)


class OpenSsl:
    """`openssl speed`: RSA signatures and verifications, AES-128-CBC."""

    name = "openssl"
    metrics = ("ssl_rsa", "ssl_aes")
    hint = "apt-get install openssl"

    def probe(self) -> Tool | None:
        return find_tool("openssl", ("version",), r"OpenSSL (\S+)")

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        speed = (tool.path, "speed", "-mr", "-seconds", str(max(1, math.ceil(seconds))))
        if metric == "ssl_rsa":
            return tuple(
                Measurement((f"rsa_sign_{bits}", f"rsa_verify_{bits}"), (*speed, f"rsa{bits}"), read_rsa)
                for bits in RSA_BITS
            )
        return tuple(
            Measurement(
                (f"aes_128_cbc_{size}_bytes",),
                (*speed, "-bytes", str(size), "-evp", "aes-128-cbc"),
                lambda output, size=size: read_aes(output, size),  # type: ignore[misc]  # the loop's value, now
            )
            for size in AES_BYTES
        )


def read_rsa(output: str) -> dict[str, float]:
    """Signatures and verifications per second: `+F2:index:bits:signatures:verifications`."""
    found = _ASYMMETRIC.search(output)
    if not found:
        raise ValueError("no line begins with +F2")
    return {f"rsa_sign_{found[1]}": float(found[2]), f"rsa_verify_{found[1]}": float(found[3])}


def read_aes(output: str, size: int) -> dict[str, float]:
    """Bytes per second: `+F:index:cipher:bytes`."""
    found = _SYMMETRIC.search(output)
    if not found:
        raise ValueError("no line begins with +F")
    return {f"aes_128_cbc_{size}_bytes": float(found[1])}
