"""What a deployment decides about this service: `services: {platform: {...}}`."""

from __future__ import annotations

from typing import Any

import msgspec

from apifold import TooLarge


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The service's settings.

    Attributes:
        camp_enabled: whether the CAMP API is served; `camp-support-enabled` says the same.
        engine: what runs applications: `process`, `kubernetes`, or an installed one.
        process: settings of that engine.
        kubernetes: settings of that engine.
        engines: settings of installed engines, by name.
        folders: folders that plans may name by `file:` addresses; none are allowed where none is named.
        max_plan_size: bytes of a plan, as it is sent.
        max_archive_size: bytes of a package or an archive, and 20 times as much once it is unpacked.
        max_apps: of one project.
        builds: applications that are built at the same time.
        build_seconds: how long the tests of an application, and its build, may take each.
        postgresql: URL of a PostgreSQL server with a user that may make roles and databases; "" for none.
        events: `{file: PATH}`, `{webhook: URL, token: FILE}`, or both: where events are told.
        rebuild_phrase: the comment that has a proposed change built again.
        auth_scheme: what CAMP's endpoint says of authentication.
    """

    camp_enabled: bool = True
    camp_support_enabled: bool | None = msgspec.field(default=None, name="camp-support-enabled")
    engine: str = "process"
    process: dict[str, Any] = {}
    kubernetes: dict[str, Any] = {}
    engines: dict[str, dict[str, Any]] = {}
    folders: tuple[str, ...] = ()
    max_plan_size: int = 65_536
    max_archive_size: int = 50_000_000
    max_apps: int = 10
    builds: int = 2
    build_seconds: float = 1800.0
    postgresql: str = ""
    events: dict[str, str] = {}
    rebuild_phrase: str = "solum retry tests"
    auth_scheme: str = "KEYSTONE-2.0"

    @property
    def serves_camp(self) -> bool:
        """Whether the CAMP API is served, by whichever name it was said."""
        return self.camp_enabled if self.camp_support_enabled is None else self.camp_support_enabled

    def admit_plan(self, content: bytes) -> None:
        """Raises TooLarge: a plan, as it is sent, has more bytes than it may."""
        if len(content) > self.max_plan_size:
            raise TooLarge(f"A plan may have {self.max_plan_size} bytes.")

    def of_engine(self) -> dict[str, Any]:
        """The settings of the chosen engine."""
        given: dict[str, Any] = getattr(self, self.engine, None) or self.engines.get(self.engine, {})
        return given
