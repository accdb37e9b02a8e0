"""The core: what is measured, how it is scored, and where it is kept. It knows no HTTP."""

from apifold_services.benchmark.core.library import Library
from apifold_services.benchmark.core.pods import Nodes, Pods
from apifold_services.benchmark.core.results import Results
from apifold_services.benchmark.core.runs import Order, Runs

__all__ = ["Library", "Nodes", "Order", "Pods", "Results", "Runs"]
