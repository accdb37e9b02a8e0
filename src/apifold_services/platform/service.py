"""Platform: register a plan, get a running application. Solum's API and the CAMP standard, over one core."""

from apifold import Denied, Deployment, Duty, Exchange, JobKind, PerRequest, Service
from apifold_services.platform.camp.posting import Posting
from apifold_services.platform.camp.types import Types
from apifold_services.platform.core.assemblies import LAUNCH, OPERATE, REMOVE
from apifold_services.platform.core.downloads import Downloads
from apifold_services.platform.core.language_packs import BUILD
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.platform import PlatformCore
from apifold_services.platform.core.scope import Scope

HEARTBEAT = 3.0
"""Seconds between looks at whether everything is as it was asked for."""


def service(deployment: Deployment) -> Service:
    """The service as `apifold serve platform` starts it."""
    options = deployment.options("platform", Options)
    core = PlatformCore(deployment, options)
    return Service(
        name="platform",
        apis=("root", "v1", *(("camp",) if options.serves_camp else ()), "console"),
        provides={
            "core": core,
            "types": Types(options.auth_scheme),
            "posting": Posting(options, Downloads(deployment.settings.outgoing, deployment.settings.outgoing_ca)),
            "scope": PerRequest(scope),
        },
        policy="policy.yaml",
        jobs={
            _kind(LAUNCH): JobKind(core.launch, at_once=options.builds),
            _kind(OPERATE): JobKind(core.carry_out, at_once=4),
            _kind(REMOVE): JobKind(core.remove, at_once=4),
            _kind(BUILD): JobKind(core.build_pack, at_once=1),
        },
        duties={"care": Duty(core.care, every=HEARTBEAT), "events": Duty(core.tell, every=1.0)},
    )


def scope(exchange: Exchange) -> Scope:
    """Whose things a request is about: those of the caller's project, or his own where he has none.

    Raises:
        Denied: nobody knows whose.
    """
    caller = exchange.caller
    if not (caller.project or caller.user):
        raise Denied("A token of a user or a project is needed.")
    return Scope(caller.project or caller.user, caller.user, all=exchange.allowed("context_is_admin"))


def _kind(name: str) -> str:
    return name.removeprefix("platform.")
