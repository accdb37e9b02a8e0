"""Moments, as log lines of JSON have them."""

from __future__ import annotations

import time


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as a date and time of UTC, to the millisecond (RFC 3339, 5.6)."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"
