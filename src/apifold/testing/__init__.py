"""What tests of an API need: a client in the same process, a conformance run."""

from apifold.testing.client import Answer, Client, client

__all__ = ["Answer", "Client", "client"]
