"""The process beside the workers that does long work, so that serving stays quick; replaced when it dies."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from apifold.application import Application
from apifold.errors import MissingExtra, SettingsError
from apifold.jobs.duties import Duties

log = logging.getLogger("apifold.jobs")

LOOK_SECONDS = 0.2
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 10.0
"""A process that lived so long did not die of its start."""


def do_jobs(application: Application, parent: int = 0) -> None:
    """Do an application's long work in this process until told to stop.

    What is not finished then is gone on with when the next process does the jobs of this state directory.

    Args:
        parent: the process whose end is this one's, too; 0 for none.

    Raises:
        SettingsError: the application has no long work.
        MissingExtra: the part that does it is not installed.
    """
    kinds, duties = application.jobs, Duties(application.duties)
    if not kinds and not application.duties:
        raise SettingsError("nothing that is named here has long work to do")
    runner = _runner(application) if kinds else None
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(name, lambda *_: stop.set())
    began = False
    while not stop.wait(LOOK_SECONDS) and parent in (0, os.getppid()):
        # The process that was here before may still be ending.
        if not began and (runner is None or runner.start()):
            began = True
            application.crew.tell_jobs([*kinds, *application.duties])
            duties.start()
    if began:
        duties.stop()
        if runner:
            runner.stop()
    application.close()


def _runner(application: Application) -> Any:
    """What does an application's jobs, an `apifold.jobs.runner.Runner`."""
    jobs = application.deployment.jobs()
    from apifold.jobs.runner import Runner  # noqa: PLC0415  # brings DBOS, for those who use it

    return Runner(jobs, application.jobs, application.deployment.directory())


class JobProcess:
    """Keeps one process doing an application's long work; nothing where it has none.

    Args:
        application: what is served.
        let_go: called in the new process, to close what only the old one may hold.
    """

    def __init__(self, application: Application, let_go: Callable[[], None]) -> None:
        self.application = application
        self.let_go = let_go
        self.wanted = bool(application.jobs or application.duties)
        self._pid = 0
        self._began = 0.0
        self._pause = 0.0

    def keep_running(self) -> None:
        """Start the process where it is not running; not at once where it keeps dying."""
        if not self.wanted or self._alive():
            return
        if self._pid:
            lived = monotonic() - self._began
            self._pause = 0.5 if lived > STEADY_SECONDS else min(LONGEST_PAUSE, max(0.5, 2 * self._pause))
            log.error("the process that does long work ended; another takes its place")
            self._pid = 0
        elif monotonic() - self._began >= self._pause:
            self._start()

    def stop(self) -> None:
        """Have it end; it takes a second at the most."""
        self.wanted = False
        self._signal(signal.SIGTERM)

    def roll(self) -> None:
        """Have another one take its place, with new code."""
        self._signal(signal.SIGTERM)
        self._began = 0.0
        self._pid = 0

    def _start(self) -> None:
        self._began = monotonic()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid:
            return
        status = 1
        try:
            for name in (signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
                signal.signal(name, signal.SIG_DFL)
            self.let_go()
            do_jobs(self.application, parent)
            status = 0
        except (SettingsError, MissingExtra) as error:
            sys.stderr.write(f"apifold: {error}\n")
        except Exception:
            log.exception("the process that does long work failed")
        finally:
            # Threads may still be waiting for a tool's end; that tool ends with us.
            os._exit(status)

    def _alive(self) -> bool:
        if not self._pid:
            return False
        try:
            return os.waitpid(self._pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False  # the arbiter heard of its end first

    def _signal(self, number: int) -> None:
        if self._pid:
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                self._pid = 0
