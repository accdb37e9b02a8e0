"""The same in Python: an application that APIs are added to, itself a plain ASGI application.

app = apifold.App(__name__, specification_dir="spec")
app.add_api("swagger.yaml", base_path="/v1.0", strict_validation=True)
app.add_api("more.yaml", base_path="api2")
app.run(host="127.0.0.1", port=8080)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from apifold.application import Application
from apifold.deployment import Deployment
from apifold.errors import SettingsError
from apifold.generation import Target
from apifold.settings import Settings, ValidationModes


class App:
    """APIs by their description files, served together.

    Args:
        import_name: the module that makes it, `__name__`; handlers may lie in its package and beside its file.
        specification_dir: where the descriptions are, beside that file if not absolute.
        settings: those of the deployment; none are read from files or the environment otherwise.
        provides: what handlers may take by name.
    """

    def __init__(
        self,
        import_name: str,
        specification_dir: str | Path = "",
        settings: Settings | None = None,
        provides: Mapping[str, Any] | None = None,
    ) -> None:
        module = sys.modules.get(import_name)
        file = getattr(module, "__file__", None)
        self.root = Path(file).parent.absolute() if file else Path.cwd()
        self.specification_dir = self.root / specification_dir
        self.settings = settings or Settings()
        self.provides = dict(provides or {})
        self._import_name = import_name
        self._targets: list[Target] = []
        self._application: Application | None = None
        self._asgi: Callable[..., Awaitable[None]] | None = None

    def add_api(
        self,
        specification: str | Path,
        base_path: str | None = None,
        *,
        strict_validation: bool = False,
        validate_responses: bool = False,
    ) -> None:
        """Add the API of a description.

        Args:
            specification: its file, in `specification_dir` if not absolute.
            base_path: where to serve it, with or without a leading slash; its own base path otherwise.
            strict_validation: refuse parameters and members that are not described.
            validate_responses: refuse to send answers that break the description; they are only logged otherwise.

        Raises:
            SettingsError: there is no such file, or the application serves already.
        """
        if self._application is not None:
            raise SettingsError("add APIs before the application serves; or serve a directory, and put files into it")
        path = Path(os.path.abspath(self.specification_dir / specification))
        if not path.is_file():
            raise SettingsError(f"there is no description {path}")
        asked: dict[str, Any] = {"unknown": "reject"} if strict_validation else {}
        if validate_responses:
            asked["validation"] = ValidationModes(request="reject", response="reject")
        directory = self.root if path.is_relative_to(self.root) else path.parent
        self._targets.append(
            Target(
                path.stem,
                directory,
                path,
                self._packages(),
                base_path=base_path,
                extension=asked,
                provides=self.provides,
            )
        )

    def run(self, host: str = "127.0.0.1", port: int = 8080, **settings: Any) -> None:
        """Serve until told to stop, with worker processes as `apifold serve` has them.

        Args:
            host: address to listen on; beyond loopback only with authentication, or `insecure=True`.
            port: port to listen on.
            settings: further settings by name.
        """
        from apifold.server.processes import serve  # noqa: PLC0415  # hosted by another server, ours is never loaded

        chosen = msgspec.structs.replace(self.settings, listen=f"{host}:{port}", **settings)
        self.settings = chosen
        serve(chosen, self.application)

    @property
    def application(self) -> Application:
        """What serves the APIs that were added."""
        if self._application is None:
            self._application = Application(Deployment(self.settings), self._targets)
        return self._application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if self._asgi is None:
            from apifold.server.asgi import asgi  # noqa: PLC0415  # as above

            self._asgi = asgi(self.application, self.settings)
        await self._asgi(scope, receive, send)

    def _packages(self) -> tuple[str, ...]:
        """The package that the application lies in, or nothing where it is a script."""
        module = sys.modules.get(self._import_name)
        package = (getattr(module, "__package__", None) or "").partition(".")[0]
        return (package,) if package else ()
