"""A folder for applications that tests run."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from apifold import lasting_process


@pytest.fixture
def units():
    """A folder for the units of an engine, which their users can reach; nothing of them runs at the end."""
    folder = Path(tempfile.mkdtemp(prefix="apifold-units-"))
    folder.chmod(0o711)
    yield folder
    for number in folder.glob("*/supervisor.pid"):
        with lasting_process(number) as process:
            if process:
                process.send(signal.SIGTERM)
                process.ended(20)
    shutil.rmtree(folder, ignore_errors=True)
