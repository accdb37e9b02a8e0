"""Benchmark: QTIP's API over a library of plans, performance indexes and metrics."""

from pathlib import Path

from apifold import Deployment, Service
from apifold_services.benchmark.core import Library

DATA = Path(__file__).with_name("data")


def service(deployment: Deployment) -> Service:
    """The service as `apifold serve benchmark` starts it."""
    return Service(name="benchmark", apis=("v1",), provides={"library": Library(DATA)})
