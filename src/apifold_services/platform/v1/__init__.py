"""Solum's own API."""
