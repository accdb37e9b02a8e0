"""The doing of jobs: one process of a machine takes them from the queue, and goes on with those it left."""

from __future__ import annotations

import fcntl
import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

from dbos import DBOS, DBOSConfig

from apifold.jobs.job import JobKind
from apifold.jobs.jobs import APPLICATION, PROGRESS, SCHEMA, Jobs
from apifold.jobs.records import JsonRecords

VERSION = "1"
"""Of what is written down. A job that an older release began goes on under a newer one."""

TRIES = 5
"""How often a job is begun again whose process died."""

POLL_SECONDS = 0.25
"""How often it looks for jobs to do."""

ASK_SECONDS = 0.5
"""How often a running job looks whether it was cancelled."""

log = logging.getLogger("apifold.jobs")


class Runner:
    """Does jobs of some kinds in this process. There is one in a process, and one for a state directory.

    Args:
        jobs: where they are written down.
        kinds: what can be done, by `SERVICE.KIND`.
        state: the state directory: what this machine left undone is known by it.
    """

    def __init__(self, jobs: Jobs, kinds: Mapping[str, JobKind], state: Path) -> None:
        self.jobs = jobs
        self.kinds = kinds
        self.state = state
        self._held: TextIO | None = None

    def start(self) -> bool:
        """Begin; whether it could: not while another runner is at work for this state directory."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two runners of one state directory would both go on with what one of them is doing.
        self._held = (self.state / "jobs.lock").open("w")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._held.close()
            return False
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self.jobs.url,
            "dbos_system_schema": SCHEMA,
            "application_version": VERSION,
            "executor_id": f"{socket.gethostname()}:{self.state}",
            "serializer": JsonRecords(),
            "log_level": "CRITICAL",
        }
        DBOS(config=config)
        for name, kind in self.kinds.items():
            DBOS.workflow(name=name, max_recovery_attempts=TRIES)(self._workflow(kind))
        DBOS.listen_queues(list(self.kinds))
        DBOS.launch()
        for name, kind in self.kinds.items():
            DBOS.register_queue(
                name, worker_concurrency=kind.at_once, polling_interval_sec=POLL_SECONDS, on_conflict="always_update"
            )
        return True

    def stop(self) -> None:
        """End; what is being done is gone on with by the next runner."""
        DBOS.destroy(destroy_registry=True)
        if self._held:
            self._held.close()

    def _workflow(self, kind: JobKind) -> Callable[[dict[str, Any]], Any]:
        def work(arguments: dict[str, Any]) -> Any:
            job = _Running(self.jobs, str(DBOS.workflow_id))
            try:
                return kind.function(job, **arguments)
            except Exception:
                if job.stopped():
                    log.info("job %s was stopped", job.id)
                else:
                    log.exception("job %s failed", job.id)
                raise

        return work


class _Running:
    """A job as it runs, in DBOS's terms."""

    def __init__(self, jobs: Jobs, id: str) -> None:
        self.id = id
        self._jobs = jobs
        self._asked = 0.0
        self._stopped = False

    def step(self, name: str, do: Callable[..., Any], *arguments: Any) -> Any:
        return DBOS.run_step({"name": name}, do, *arguments)

    def tell(self, progress: Any) -> None:
        DBOS.set_event(PROGRESS, progress)

    def stopped(self) -> bool:
        if not self._stopped and monotonic() - self._asked > ASK_SECONDS:
            self._stopped = self._jobs.is_stopped(self.id)
            self._asked = monotonic()
        return self._stopped
