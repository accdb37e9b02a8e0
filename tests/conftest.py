"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import sys
import textwrap

import hypothesis
import pytest

from apifold.testing import client

# Machines are shared and noisy: how long an example takes is no reason to fail.
hypothesis.settings.register_profile("apifold", deadline=None)
hypothesis.settings.load_profile("apifold")

pytest_plugins = [
    "tests.other_service",
    "tests.servers",
    "tests.postgres",
    "tests.browser",
    "tests.keystone",
    "tests.units",
    "tests.services.platform.rig",
]


@pytest.fixture(autouse=True)
def forget_modules(tmp_path):
    """Modules of one test's directory are not another's."""
    yield
    sys.path[:] = [path for path in sys.path if not path.startswith(str(tmp_path))]
    for name, module in sys.modules.copy().items():  # in one step: other threads import meanwhile
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """Writes files by name into a fresh directory, dedented, and gives the directory."""

    def write_files(**files: str):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_yaml", ".yaml").replace("_json", ".json").replace(
                "_py", ".py"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
        return tmp_path

    return write_files


@pytest.fixture
def serve():
    """Makes in-process clients, and closes them."""
    made = []

    def serve_it(*served, **settings):
        made.append(client(*served, **settings))
        return made[-1]

    yield serve_it
    for one in made:
        one.close()
