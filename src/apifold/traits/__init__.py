"""Habits of an operation, switched on by one line: one file each, found by entry point."""

from apifold.traits.trait import Surroundings, Trait, Whole

__all__ = ["Surroundings", "Trait", "Whole"]
