"""The history of apifold's own tables."""
