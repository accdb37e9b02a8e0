"""Beside the APIs: their versions, and for tests faults and counts."""
