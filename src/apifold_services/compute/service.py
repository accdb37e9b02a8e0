"""Compute: OpenStack's compute API, old and new, over one core; with the images that servers are made of."""

from apifold import Denied, Deployment, Duty, Exchange, JobKind, PerRequest, Service
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.options import Options
from apifold_services.compute.resource import Resources
from apifold_services.compute.views import ServerView

APIS = ("compute-v2.1", "compute-v2.0")
HEARTBEAT = 15.0
"""Seconds between looks for what was left undone, and between signs of life of hosts."""


def service(deployment: Deployment) -> Service:
    """The service as `apifold serve compute` starts it."""
    options = deployment.options("compute", Options)
    core = ComputeCore(deployment, options)
    resources = Resources.installed(options.disabled)
    return Service(
        name="compute",
        apis=("v2_1", "v2", "image"),
        provides={
            "core": core,
            "resources": resources,
            "ask": PerRequest(ask),
            "views": ServerView(resources, core),
        },
        policy="policy.yaml",
        parts=tuple(one.parts(api) for api in APIS for one in resources.all),
        overlays={"v2_1": tuple(overlay for one in resources.all for overlay in one.overlays)},
        jobs={"transition": JobKind(core.carry_out, at_once=options.at_once)},
        duties={
            "care": Duty(core.look_after, every=HEARTBEAT),
            **({"usage": Duty(core.tell_usage, every=min(HEARTBEAT, options.usage_period))} if options.usage else {}),
        },
        discovery="compute",
    )


def ask(exchange: Exchange) -> Ask:
    """Who asks, and by which request. Raises Denied: his token is for no project, and he is no administrator."""
    caller, is_admin = exchange.caller, exchange.allowed("context_is_admin")
    if not caller.project and not is_admin:
        raise Denied("A token for a project is needed.")
    return Ask(caller, exchange.request.named("req-{uuid}"), is_admin=is_admin)
