"""Loops that are run as programs of their own, so that they can be limited and ended."""
