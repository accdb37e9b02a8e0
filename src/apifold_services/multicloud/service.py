"""Multicloud: a broker of clouds, and the plug-in for those that speak OpenStack; each in two generations."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from apifold import Deployment, Parts, Service, SettingsError
from apifold_services.multicloud.broker import Broker
from apifold_services.multicloud.core.aai import Aai
from apifold_services.multicloud.core.clouds import Clouds, Inventory
from apifold_services.multicloud.core.connections import Connections
from apifold_services.multicloud.core.providers import Providers
from apifold_services.multicloud.core.registration import Registration
from apifold_services.multicloud.core.vault import Vault
from apifold_services.multicloud.generation import GENERATIONS, expand
from apifold_services.multicloud.options import Options
from apifold_services.multicloud.plugin import provided

HERE = Path(__file__).parent
LEGACY = "wsgi:apifold_services.multicloud.legacy.wsgi:application"
LEGACY_PARTS = ("identity", "extensions", "hosts")
"""What the legacy application answers."""


def service(deployment: Deployment) -> Service:
    """The service as `apifold serve multicloud` starts it."""
    options = deployment.options("multicloud", Options)
    deployment.allow(*options.plugins.values())
    if not Path(options.definitions).is_dir():
        raise SettingsError(f"services: multicloud: definitions: there is no folder {options.definitions}")
    clouds = Clouds(deployment, Vault(Path(options.key or deployment.directory() / "multicloud.key")))

    def inventory_of(any_deployment: Deployment) -> Inventory:
        return Aai(any_deployment, options) if options.aai else clouds

    connections = Connections(deployment, inventory_of, options.seconds)
    registration = Registration(connections)
    providers = Providers(Path(options.providers or HERE / "providers.yaml"))
    apis = [f"{part}_{generation}" for part in ("broker", "plugin") for generation in GENERATIONS]
    return Service(
        name="multicloud",
        apis=(*apis, *(() if options.aai else ("clouds",))),
        provides={
            "clouds": clouds,
            "providers": providers,
            "connections": connections,
            "registration": registration,
            "broker": Broker(deployment, connections.inventory, providers, options.plugins),
            "deployment": deployment,
            **provided(connections),
        },
        policy="policy.yaml",
        jobs={"register": registration.job},
        parts=tuple(_parts(Path(options.definitions))),
        named={"django": LEGACY, "pecan": "native"},
        implementations={
            f"multicloud-vio-{generation}/{part}": LEGACY
            for generation in GENERATIONS
            for part in LEGACY_PARTS
            if options.web_framework == "django"
        },
    )


def _parts(definitions: Path) -> Iterator[Parts]:
    """What stands below a cloud, in each generation."""
    for generation in GENERATIONS:
        for api, directory in (
            ("multicloud", HERE / "operations" / "broker"),
            ("multicloud-vio", HERE / "operations" / "plugin"),
            ("multicloud-vio", definitions),
        ):
            place = f"/api/{api}/{generation}"
            yield Parts(f"{api}-{generation}", directory, partial(expand, generation=generation, base_path=place))
