"""Volume API v3."""
