"""Jobs as everybody sees them: started, found, cancelled, from any process. `runner` does them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from dbos import DBOS, DBOSClient, EnqueueOptions, WorkflowStatus
from dbos import error as dbos_errors

from apifold.errors import Conflict, NotFound
from apifold.jobs.job import Job, JobPage, JobQuery, State
from apifold.jobs.records import JsonRecords
from apifold.store import Database

APPLICATION = "apifold"
SCHEMA = "apifold_jobs"
PROGRESS = "progress"
_CANCELLED = "apifold:cancelled"
"""Marks a job that somebody cancelled, and not its time limit."""

_STATES: dict[str, State] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}


class Jobs:
    """The jobs of a deployment.

    Args:
        url: of their database, SQLite or PostgreSQL; it is made where it is missing, at the first use.
    """

    def __init__(self, url: str) -> None:
        self.url = _prepared(url)
        self._opened: DBOSClient | None = None
        self._lock = Lock()

    def start(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        id: str = "",
        alone: str = "",
        seconds: float = 0,
        tags: Mapping[str, str] | None = None,
    ) -> Job:
        """Have a job done; it is safely written down when this returns.

        Args:
            kind: `SERVICE.KIND`.
            arguments: for its function; plain JSON data.
            id: of the job, where the caller decides it; a second start with the same one is the same job.
            alone: a name that only one unfinished job of this kind has at a time.
            seconds: its time limit, counted from when it begins; 0 is none.
            tags: what it can be found by.

        Raises:
            Conflict: another job has the `alone` name.
        """
        options: EnqueueOptions = {
            "workflow_name": kind,
            "queue_name": kind,
            "workflow_id": id or uuid.uuid4().hex,
            "application_name": APPLICATION,
            "attributes": dict(tags or {}),
        }
        if alone:
            options["deduplication_id"] = alone
        if seconds:
            options["workflow_timeout"] = seconds
        try:
            handle: Any = self._client.enqueue(options, dict(arguments))
        except dbos_errors.DBOSQueueDeduplicatedError:
            raise Conflict(f"Another job is at work: {alone}. Wait for its end, or cancel it.") from None
        return self.get(handle.get_workflow_id())

    def get(self, id: str) -> Job:
        """The job of an id.

        Raises:
            NotFound: there is none.
        """
        found = self._client.list_workflows(workflow_ids=[id], application_name=APPLICATION)
        if not found:
            raise NotFound(f"There is no job {id!r}.")
        return _job(found[0], self._client.get_event(id, PROGRESS, 0))

    def page(self, query: JobQuery) -> JobPage:
        """Some jobs, without their progress.

        Raises:
            NotFound: the marker is no job.
        """
        wanted = query.limit + 1
        found: list[WorkflowStatus] = []
        # Times are whole seconds on some databases: what comes before the marker in its own second is left out by id.
        until = self._moment(query.marker)
        passed = not query.marker
        offset = 0
        while len(found) < wanted:
            rows = self._client.list_workflows(
                status=_statuses(query.states) or None,
                name=list(query.kinds) or None,
                end_time=until,
                limit=wanted + 20,
                offset=offset,
                sort_desc=True,
                application_name=APPLICATION,
            )
            for row in rows:
                if passed and _is_wanted(row, query):
                    found.append(row)
                passed = passed or row.workflow_id == query.marker
            offset += len(rows)
            if len(rows) < wanted + 20:
                break
        items = tuple(_job(row, None) for row in found[: query.limit])
        return JobPage(items, items[-1].id if len(found) > query.limit else "")

    def cancel(self, id: str) -> Job:
        """End a job early. What it is doing at the moment may go on for a second.

        Raises:
            NotFound: there is no such job.
            Conflict: it has ended already.
        """
        job = self.get(id)
        if job.has_ended:
            raise Conflict(f"The job has ended already: {job.state}.")
        self._client.update_workflow_attributes(id, {_CANCELLED: "yes"}, merge=True)
        self._client.cancel_workflow(id)
        return self.get(id)

    def is_stopped(self, id: str) -> bool:
        """Whether a job was cancelled, or its time is up."""
        found = self._client.list_workflows(workflow_ids=[id], load_input=False, load_output=False)
        return not found or found[0].status == "CANCELLED"

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._opened:
                self._opened.destroy()
                self._opened = None

    @property
    def _client(self) -> DBOSClient:
        with self._lock:
            if self._opened is None:
                DBOS.migrate(self.url, schema=SCHEMA)
                self._opened = DBOSClient(
                    system_database_url=self.url,
                    dbos_system_schema=SCHEMA,
                    serializer=JsonRecords(),
                    application_name=APPLICATION,
                    retry_connection_errors=False,
                )
            return self._opened

    def _moment(self, id: str) -> str | None:
        if not id:
            return None
        found = self._client.list_workflows(workflow_ids=[id], load_input=False, load_output=False)
        if not found:
            raise NotFound(f"There is no job {id!r}.")
        return datetime.fromtimestamp((found[0].created_at or 0) / 1000, UTC).isoformat()


def _prepared(url: str) -> str:
    """The URL with its driver; a SQLite file is put in WAL mode, where readers never wait for a writer."""
    database = Database(url)
    try:
        if database.inline:
            with database.reading():
                return f"sqlite:///{database.url.database}"
        return database.url.render_as_string(hide_password=False)
    finally:
        database.close()


def _statuses(states: tuple[State, ...]) -> list[str]:
    wanted = {"cancelled" if state == "expired" else state for state in states}
    return [status for status, state in _STATES.items() if state in wanted]


def _is_wanted(row: WorkflowStatus, query: JobQuery) -> bool:
    if query.states and _state(row) not in query.states:
        return False
    return dict(query.tags).items() <= (row.attributes or {}).items()


def _state(row: WorkflowStatus) -> State:
    state = _STATES[row.status]
    return "expired" if state == "cancelled" and _CANCELLED not in (row.attributes or {}) else state


def _job(row: WorkflowStatus, progress: Any) -> Job:
    given = row.input["args"][0] if row.input and row.input["args"] else {}
    created = _time(row.created_at)
    assert created is not None
    return Job(
        id=row.workflow_id,
        kind=row.name,
        state=_state(row),
        arguments=given,
        tags={name: str(value) for name, value in (row.attributes or {}).items() if name != _CANCELLED},
        created=created,
        started=_time(row.dequeued_at),
        ended=_time(row.completed_at),
        progress=progress,
        result=row.output,
        error=_error(row),
    )


def _error(row: WorkflowStatus) -> str:
    if row.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return "Each process that tried it died; it was given up."
    return str(row.error) if row.error and row.status == "ERROR" else ""


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
