"""The domain: clouds, connections to them, and what is composed of several of their answers. No HTTP."""
