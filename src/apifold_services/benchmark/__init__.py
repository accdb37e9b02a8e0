"""Benchmark: rate a machine by plans of performance indexes, as OPNFV QTIP does."""
