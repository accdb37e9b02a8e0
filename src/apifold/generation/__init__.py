"""Build a whole directory, prove it, keep the last good one, swap."""

from apifold.generation.build import Builder
from apifold.generation.generation import Generation, Loaded
from apifold.generation.targets import Target, targets_of

__all__ = ["Builder", "Generation", "Loaded", "Target", "targets_of"]
