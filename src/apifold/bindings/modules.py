"""Which code a description may name: a description is data, not a right to run what it likes.

An operationId may name functions in modules that a service brings, that settings allow, or that lie in the served
directory; and only functions that are defined there, not what such a module happens to import.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from apifold.errors import DescriptionError


class HandlerError(Exception):
    """A handler that can't be had; the text says why, `remedy` what to do, `cause` where it lies."""

    def __init__(self, message: str, remedy: str, cause: DescriptionError | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.cause = cause


class Modules:
    """The code that one API's operationIds may name.

    Args:
        allowed: packages and modules, by dotted name; what is below them is allowed too.
        directory: the served directory, whose own modules are allowed.
    """

    def __init__(self, allowed: Iterable[str], directory: Path | None = None) -> None:
        self.allowed = tuple(allowed)
        self.directory = directory.resolve() if directory else None

    def function(self, name: str) -> Callable[..., Any]:
        """The function that a dotted name stands for.

        Raises:
            HandlerError: it is not there, or may not be named.
        """
        module, attributes = self._module(name)
        found: Any = module
        for attribute in attributes:
            try:
                found = getattr(found, attribute)
            except AttributeError:
                remedy = f"write `def {attribute}(...)` there, or name another function"
                raise HandlerError(f"{name!r}: {module.__name__} has no {attribute!r}", remedy) from None
            if isinstance(found, ModuleType):
                raise HandlerError(
                    f"{name!r} goes through a module that {module.__name__} imports", "name the function's own module"
                )
        if not callable(found) or inspect.isclass(found):
            raise HandlerError(f"{name!r} is not a function", "name a function")
        home = getattr(inspect.unwrap(found), "__module__", None) or ""
        if not self._is_allowed(home):
            raise HandlerError(
                f"{name!r} is not defined in {module.__name__}, it comes from {home or 'elsewhere'}",
                "write a function there that calls it",
            )
        return found  # type: ignore[no-any-return]  # it is callable

    def allowing(self, module: str) -> Modules:
        """The same, and one more module."""
        return Modules((*self.allowed, module), self.directory)

    def attribute(self, name: str) -> Any:
        """What `MODULE:NAME` stands for, whatever it is.

        Raises:
            HandlerError: it is not there, or may not be named.
        """
        module, _, attribute = name.partition(":")
        if not module or not attribute.isidentifier():
            raise HandlerError(f"{name!r} names nothing in a module", "write it as `package.module:name`")
        self._put_on_path()
        if not self._is_allowed(module) or not self._is_there(module):
            raise HandlerError(
                f"there is no module {module!r} that may be named", "is it installed, and spelled right?"
            )
        loaded = self._imported(module, name)
        if not hasattr(loaded, attribute):
            raise HandlerError(f"{module} has no {attribute!r}", "is it spelled right?")
        return getattr(loaded, attribute)

    def _module(self, name: str) -> tuple[ModuleType, list[str]]:
        parts = name.split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise HandlerError(
                f"{name!r} names no function",
                "write `module.function`, or say `x-apifold: {handlers: MODULE}` once and bare names after that",
            )
        for count in range(len(parts) - 1, 0, -1):
            candidate = ".".join(parts[:count])
            if not self._is_allowed(candidate):
                continue
            if self._is_there(candidate):
                return self._imported(candidate, name), parts[count:]
        if self._is_allowed(parts[0]):
            raise HandlerError(
                f"{name!r}: there is no module {'.'.join(parts[:-1])!r}",
                "is the name spelled right, and is the file there?",
            )
        where = (
            f"put the function into a module in {self.directory}" if self.directory else "name a module of the service"
        )
        raise HandlerError(
            f"{name!r} lies outside what a description may name",
            f"{where}, or allow it: `handlers: [{parts[0]}]` in apifold.yaml",
        )

    def _is_allowed(self, module: str) -> bool:
        if any(module == name or module.startswith(f"{name}.") for name in self.allowed):
            return True
        return self.directory is not None and module != "" and self._lies_in_directory(module.partition(".")[0])

    def _lies_in_directory(self, top: str) -> bool:
        """Whether a top-level name is a module of the served directory, and would be imported from there."""
        loaded = sys.modules.get(top)
        if loaded is not None:
            paths = [loaded.__file__] if getattr(loaded, "__file__", None) else list(getattr(loaded, "__path__", []))
        else:
            self._put_on_path()
            spec = importlib.util.find_spec(top)
            paths = (
                [] if spec is None else [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
            )
        return any(
            path and self.directory is not None and Path(path).resolve().is_relative_to(self.directory)
            for path in paths
        )

    def _put_on_path(self) -> None:
        # Last, so that a file in the served directory never takes the place of an installed module.
        if self.directory and str(self.directory) not in sys.path:
            sys.path.append(str(self.directory))
            importlib.invalidate_caches()

    @staticmethod
    def _is_there(module: str) -> bool:
        if module in sys.modules:
            return True
        importlib.invalidate_caches()
        try:
            return importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            return False
        except Exception:  # a parent package that fails while it is imported is reported by `_imported`
            return True

    def _imported(self, module: str, name: str) -> ModuleType:
        try:
            with self._fresh_code():
                return importlib.import_module(module)
        except Exception as error:  # whatever the module's own code raises while it is imported
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
            line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else 0
            file = error.filename if isinstance(error, SyntaxError) else frames[-1].filename if frames else module
            cause = DescriptionError(
                str(file),
                line or 0,
                "",
                f"{type(error).__name__}: {error}",
                f"{name!r} can't be imported because of this",
            )
            raise HandlerError(
                f"{name!r}: importing {module} fails with {type(error).__name__}: {error}", f"see {file}:{line}", cause
            ) from None

    @contextmanager
    def _fresh_code(self) -> Iterator[None]:
        """Compiled code of a served directory is not kept: it would look current after a second edit in one second."""
        before = sys.dont_write_bytecode
        sys.dont_write_bytecode = before or self.directory is not None
        try:
            yield
        finally:
            sys.dont_write_bytecode = before
