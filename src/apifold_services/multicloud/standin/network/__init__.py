"""Network API v2.0."""
