"""Stand-in: a small OpenStack cloud, for newcomers and tests of what talks to clouds."""

from apifold import Deployment, Service
from apifold_services.multicloud.standin.core.faults import Faults
from apifold_services.multicloud.standin.core.flavors import Flavors
from apifold_services.multicloud.standin.core.images import Images
from apifold_services.multicloud.standin.core.networks import Networks
from apifold_services.multicloud.standin.core.servers import Servers
from apifold_services.multicloud.standin.core.stacks import Stacks
from apifold_services.multicloud.standin.core.tokens import Tokens
from apifold_services.multicloud.standin.core.volumes import Volumes
from apifold_services.multicloud.standin.gate import Gate


def service(deployment: Deployment) -> Service:
    """The service as `apifold serve` starts it."""
    tokens, faults = Tokens(deployment), Faults(deployment)
    flavors, images, networks = Flavors(deployment), Images(deployment), Networks(deployment)
    return Service(
        name="standin",
        apis=("identity", "compute", "network", "image", "volume", "orchestration", "control"),
        provides={
            "gate": Gate(tokens, faults),
            "faults": faults,
            "flavors": flavors,
            "images": images,
            "networks": networks,
            "servers": Servers(deployment, flavors, images, networks),
            "volumes": Volumes(deployment),
            "stacks": Stacks(deployment),
        },
    )
