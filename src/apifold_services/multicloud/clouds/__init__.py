"""The list of clouds, as an API."""
