"""The line of a request: endpoints, stages, dialects."""

from apifold.pipeline.dialects import Dialect
from apifold.pipeline.endpoint import Api, Endpoint, Site
from apifold.pipeline.handle import handle

__all__ = ["Api", "Dialect", "Endpoint", "Site", "handle"]
