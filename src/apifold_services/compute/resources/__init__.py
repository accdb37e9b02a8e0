"""The resources of the API: one description and one module of handlers each."""
