"""The domain: plans, and the applications that are made of them. No HTTP."""
