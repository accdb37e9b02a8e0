"""The application of old: identity, extensions and hosts, written by hand in Django."""
