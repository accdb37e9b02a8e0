"""CAMP 1.1, asked as a client asks it."""

from __future__ import annotations

from tests.services.platform.conftest import CAMP


def test_smoke(platform):
    assembly = platform.assembly()
    assert assembly["status"] == "DEPLOYMENT_COMPLETE"
    assert platform.delete(assembly["uri"]).status == 204
    platform.settle()
    assert platform.get(assembly["uri"]).status == 404
    assert platform.get(f"{CAMP}/plans").status == 200
