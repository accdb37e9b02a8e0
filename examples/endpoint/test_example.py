"""What `/v2/example` promises."""

from pathlib import Path

import pytest

from apifold.settings import load
from apifold.testing import client


@pytest.fixture
def api(tmp_path):
    settings = load(Path(), {"state": str(tmp_path)})
    with client("rating", settings=settings) as one:
        yield one


@pytest.mark.parametrize("fruit", ["banana", "strawberry"])
def test_a_fruit_is_taken(api, fruit):
    assert api.post("/v2/example", json={"fruit": fruit}).json == {"message": f"Your fruit is a {fruit}"}


@pytest.mark.parametrize(("body", "status"), [({"fruit": "kiwi"}, 403), ({}, 400), ({"fruit": 1}, 400)])
def test_another_one_is_not(api, body, status):
    assert api.post("/v2/example", json=body).status == status
