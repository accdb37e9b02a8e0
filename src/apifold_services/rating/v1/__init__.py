"""API v1, as CloudKitty's clients of old know it."""
