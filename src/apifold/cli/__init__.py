"""The command line: one file per command."""

from apifold.cli.main import main

__all__ = ["main"]
