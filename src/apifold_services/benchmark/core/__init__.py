"""The domain: what can be measured, and how it is rated. Knows no HTTP."""

from apifold_services.benchmark.core.library import Library, Shelf

__all__ = ["Library", "Shelf"]
