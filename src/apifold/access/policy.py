"""Temporary."""
Rule = object
class Policy:
    pass
def load_policy(default, override): return None
