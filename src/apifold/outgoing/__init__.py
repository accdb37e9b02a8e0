"""Requests to other services: which addresses may be called, one pool, time-outs, retries, tokens, faults."""

from apifold.outgoing.addresses import Addresses, AddressRefused
from apifold.outgoing.client import Outgoing, Reply, Sending
from apifold.outgoing.faults import fault_of
from apifold.outgoing.forward import forward
from apifold.outgoing.keystone import KeystoneSession, Login
from apifold.outgoing.upstream import FixedSession, Session, Upstream, upstream_of

__all__ = [
    "AddressRefused",
    "Addresses",
    "FixedSession",
    "KeystoneSession",
    "Login",
    "Outgoing",
    "Reply",
    "Sending",
    "Session",
    "Upstream",
    "fault_of",
    "forward",
    "upstream_of",
]
