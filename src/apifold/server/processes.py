"""The processes: gunicorn's arbiter binds one socket, forks workers that share it, and replaces those that die."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from apifold.application import Application
from apifold.errors import SettingsError
from apifold.observe import logs
from apifold.server.job_process import JobProcess
from apifold.server.limiter import SharedLimits
from apifold.server.worker import ApifoldWorker, tls_context
from apifold.settings import Settings

BACKLOG = 2048


def serve(settings: Settings, application: Application) -> None:
    """Serve an application until told to stop.

    Raises:
        SettingsError: the address can't be had, or should not be; or another setting can't be used.
        MissingExtra: a part that the settings need is not installed.
        SystemExit: with 0 after a stop, 1 where no worker could start.
    """
    check_exposure(settings)
    tls_context(settings)
    application.method(settings.auth)
    if settings.outgoing != Settings().outgoing:
        application.deployment.outgoing()  # what is wrong with it is told now
    if application.jobs:
        # What is wrong with their database is told now, as with the other settings; each process opens it for itself.
        application.deployment.jobs().close()
    application.access_log = logs.set_up(settings)
    listener = bind(settings.listen)
    application.crew.gather()
    application.read_ahead()
    if settings.rate_limit:
        application.limits = SharedLimits()
    owner = os.getpid()
    try:
        _Gunicorn(settings, application, listener).run()
    except HaltServer:
        # More than one worker could not boot: the second one's end interrupts the stop that the first one's began.
        raise SystemExit(1) from None
    except SystemExit as end:
        if os.getpid() != owner:
            raise
        raise SystemExit(1 if end.code else 0) from None
    finally:
        if os.getpid() == owner:
            application.crew.dismiss()


def check_exposure(settings: Settings) -> None:
    """Refuse to be reachable from elsewhere by everybody.

    Raises:
        SettingsError: it would be.
    """
    if settings.auth != "none" or settings.insecure or settings.listen.startswith("unix:"):
        return
    host = _host_port(settings.listen)[0]
    if host == "localhost":
        return
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise SettingsError(
            f"listen {settings.listen}: that is reachable from elsewhere, and nobody is asked who they are; "
            "choose an auth method (--auth tokens), listen on 127.0.0.1, or say --insecure"
        )


def bind(listen: str) -> socket.socket:
    """The listening socket for `HOST:PORT` or `unix:PATH`.

    Raises:
        SettingsError: it can't be had.
    """
    if listen.startswith("unix:"):
        return _bind_unix(Path(listen.removeprefix("unix:")))
    host, port = _host_port(listen)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise SettingsError(
            f"listen {listen}: {error.strerror}; is something else serving there? choose another with --listen"
        ) from None
    listener.listen(BACKLOG)
    return listener


def _bind_unix(path: Path) -> socket.socket:
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:
        raise SettingsError(f"listen unix:{path}: {error.strerror}; is the directory there and writable?") from None
    listener.listen(BACKLOG)
    return listener


def _host_port(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) < 65536:
        raise SettingsError(f"listen {listen!r}: write HOST:PORT, such as 127.0.0.1:8080, or unix:PATH")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  # `check_exposure` asks whether that is meant


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, told everything by our settings and reading nothing else."""

    def __init__(self, settings: Settings, application: Application, listener: socket.socket) -> None:
        self.settings = settings
        self.application = application
        self.descriptor = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        options: dict[str, Any] = {
            "bind": f"fd://{self.descriptor}",
            "workers": settings.worker_count,
            "worker_class": ApifoldWorker,
            "graceful_timeout": int(settings.graceful_timeout) + 2,
            "timeout": 60,
            "proc_name": "apifold",
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        if Path("/dev/shm").is_dir():  # noqa: S108  # heartbeats there never wait for a disk
            options["worker_tmp_dir"] = "/dev/shm"  # noqa: S108  # as above
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return self.application

    def run(self) -> None:
        _Arbiter(self).run()


class _Arbiter(Arbiter):  # type: ignore[misc]  # as above
    """gunicorn's arbiter, with the process that does long work under its eyes, too."""

    def __init__(self, gunicorn: _Gunicorn) -> None:
        super().__init__(gunicorn)
        self.jobs = JobProcess(gunicorn.application, self._close_listeners)

    def manage_workers(self) -> None:
        super().manage_workers()
        self.jobs.keep_running()

    def stop(self, graceful: bool = True) -> None:
        self.jobs.stop()
        super().stop(graceful)

    def reload(self) -> None:
        self.jobs.roll()
        super().reload()

    def _close_listeners(self) -> None:
        for listener in self.LISTENERS:
            listener.sock.close()
