"""A small OpenStack cloud that stands in for a real one, for newcomers and tests."""
