"""The cloud: what it knows and does, without HTTP."""
