"""Multicloud: one API in front of many clouds, as ONAP's MultiCloud broker has it."""
