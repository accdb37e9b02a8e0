"""Rating: CloudKitty's two APIs over one rating core."""

from apifold import Deployment, Duty, Service
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.rating import RatingCore


def service(deployment: Deployment) -> Service:
    """The service as `apifold serve rating` starts it."""
    options = deployment.options("rating", Options)
    core = RatingCore(deployment, options)
    return Service(
        name="rating",
        apis=("v1", "v2"),
        provides={"core": core},
        policy="policy.yaml",
        facts={"storage": options.storage},
        duties={"pipeline": Duty(core.work, every=options.interval)},
        discovery="openstack",
    )
