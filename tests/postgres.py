"""A private PostgreSQL server for tests, from the binaries that Debian's package brings."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy

from tests.servers import free_port


def binaries() -> Path | None:
    """Where initdb and postgres are."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").is_file():
            return folder
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@pytest.fixture(scope="session")
def postgresql_url():
    """The URL of a server that is gone after the tests."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not tested: its binaries are missing (Debian: apt-get install postgresql)")
    # An unprivileged user has to reach it, so it does not lie in pytest's own folder.
    home = Path(tempfile.mkdtemp(prefix="apifold-postgresql-"))
    as_user = []
    if os.getuid() == 0:
        shutil.chown(home, "nobody", "nogroup")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    data, port = home / "data", free_port()
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home}
    subprocess.run(
        [*as_user, folder / "initdb", "-D", data, "-U", "apifold", "-A", "trust", "-N", "-E", "UTF8"], **quiet
    )
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        subprocess.run(
            [*as_user, folder / "pg_ctl", "-D", data, "-w", "-o", options, "-l", home / "log", "start"], **quiet
        )
        yield f"postgresql://apifold@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run(
            [*as_user, folder / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **{**quiet, "check": False}
        )
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def postgresql_database(postgresql_url):
    """The URL of a database of its own for a module's tests."""
    return empty_database(postgresql_url)


def empty_database(server):
    """The URL of a new database at a server of which the URL is given."""
    name = f"tests_{uuid4().hex}"
    engine = sqlalchemy.create_engine(
        server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.replace("/postgres", f"/{name}")
