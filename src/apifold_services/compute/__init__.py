"""Compute: one core behind OpenStack's compute API, old and new."""
