"""The domain: servers and what they need. No HTTP."""
