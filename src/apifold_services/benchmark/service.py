"""Benchmark: rates a machine. QTIP's API v1.0 and an API of jobs and results, over one core."""

from pathlib import Path

from apifold import Deployment, JobKind, Service
from apifold_services.benchmark.core import Library, Nodes, Pods, Results, Runs

DATA = Path(__file__).with_name("data")


def service(deployment: Deployment) -> Service:
    """The service as `apifold serve benchmark` starts it."""
    library = Library(DATA, deployment)
    results = Results(deployment)
    runs = Runs(deployment, library, results)
    nodes = Nodes(deployment)
    pods = Pods(deployment, nodes, results)
    return Service(
        name="benchmark",
        apis=("v1", "v2"),
        provides={"library": library, "runs": runs, "results": results, "nodes": nodes, "pods": pods},
        policy="policy.yaml",
        # One run at a time, or each would measure the other.
        jobs={"run": JobKind(runs.carry_out, at_once=1), "pod": JobKind(pods.carry_out, at_once=4)},
    )
