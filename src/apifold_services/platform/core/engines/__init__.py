"""Engines: what makes an application of an artifact, and keeps it running."""
