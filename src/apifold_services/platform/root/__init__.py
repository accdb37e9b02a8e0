"""The list of versions."""
