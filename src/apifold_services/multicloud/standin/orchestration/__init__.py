"""Orchestration API v1."""
