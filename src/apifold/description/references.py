"""`$ref` over files: one self-contained document, in which every reference is local.

Schemas from other files become named components, so that they may be circular; everything else (parameters,
responses, path items) is put where it is referred to.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from apifold.description.places import Places
from apifold.description.sources import Source, Sources
from apifold.description.walk import LITERAL, NAMED, resolve_pointer
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.marked import escape

_REFERENCE = re.compile(r"""\$ref["']?\s*:\s*["']?([^"'\s,}]+)""")


def bundle(
    main: Source, data: dict[str, Any], sources: Sources, places: Places
) -> tuple[dict[str, Any], list[DescriptionError]]:
    """The document with every `$ref` into another file resolved, and what was wrong with references.

    Args:
        main: the file that was named, for places.
        data: its content, after overlays.
        sources: opens the files that are referred to.
        places: is told what came from where.
    """
    bundler = _Bundler(main, data, sources, places)
    if all(target.startswith("#") for target in _REFERENCE.findall(main.text)):
        return data, bundler.dangling(data)
    return bundler.bundle(), bundler.errors


@dataclass(slots=True)
class _Bundler:
    main: Source
    data: dict[str, Any]
    sources: Sources
    places: Places
    errors: list[DescriptionError] = field(default_factory=list)
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    schemas: dict[str, Any] = field(default_factory=dict)

    def bundle(self) -> dict[str, Any]:
        container = ("definitions",) if "swagger" in self.data else ("components", "schemas")
        home = "/" + "/".join(container)
        document: dict[str, Any] = self._copy(self.data, self.main, "", "", in_schema=False, trail=())
        if self.schemas:
            holder = document
            for key in container[:-1]:
                holder = holder.setdefault(key, {})
            holder[container[-1]] = {**holder.get(container[-1], {}), **self.schemas}
        for name in self.schemas:
            for (file, pointer), given in self.named.items():
                if given == name:
                    self.places.move(f"{home}/{escape(name)}", file, pointer)
        return document

    def dangling(self, node: Any) -> list[DescriptionError]:
        """Local references of a single file that lead nowhere, or only to one another."""
        for target in set(_REFERENCE.findall(self.main.text)):
            pointer = unquote(target[1:])
            try:
                found = resolve_pointer(self.data, pointer)
                seen = {pointer}
                while isinstance(found, dict) and isinstance(found.get("$ref"), str) and len(found) == 1:
                    pointer = unquote(found["$ref"][1:])
                    if pointer in seen:
                        raise _CircularReference
                    seen.add(pointer)
                    found = resolve_pointer(self.data, pointer)
            except (KeyError, _CircularReference) as error:
                self.errors.extend(self._misses(node, target, isinstance(error, _CircularReference)))
        return self.errors

    def _misses(self, node: Any, target: str, circular: bool, at: str = "") -> list[DescriptionError]:
        found = []
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in pairs:
            here = f"{at}/{escape(str(key))}"
            if key == "$ref" and value == target:
                found.append(self._error(self.main.name, here, target, circular))
            elif key not in LITERAL and isinstance(value, dict | list):
                found.extend(self._misses(value, target, circular, here))
        return found

    def _error(self, file: str, pointer: str, target: str, circular: bool) -> DescriptionError:
        if circular:
            return self.places.error_in(
                file, pointer, f"the reference {target!r} only leads back to itself", "let one of them be a value"
            )
        return self.places.error_in(
            file, pointer, f"the reference {target!r} leads nowhere", "is the name spelled right?"
        )

    def _copy(
        self, node: Any, source: Source, pointer: str, out: str, *, in_schema: bool, trail: tuple[tuple[str, str], ...]
    ) -> Any:
        if isinstance(node, list):
            return [
                self._copy(child, source, f"{pointer}/{index}", f"{out}/{index}", in_schema=in_schema, trail=trail)
                for index, child in enumerate(node)
            ]
        if not isinstance(node, dict):
            return node
        target = node.get("$ref")
        if isinstance(target, str) and not (in_schema and pointer.rpartition("/")[2] in NAMED):
            return self._follow(node, target, source, pointer, out, in_schema=in_schema, trail=trail)
        copy: dict[str, Any] = {}
        names = in_schema and pointer.rpartition("/")[2] in NAMED
        for key, value in node.items():
            here = escape(str(key))
            if not names and (key in LITERAL or str(key).startswith("x-")):
                copy[key] = value
                continue
            into = (
                in_schema or key == "schema" or (key in ("schemas", "definitions") and pointer in ("", "/components"))
            )
            copy[key] = self._copy(value, source, f"{pointer}/{here}", f"{out}/{here}", in_schema=into, trail=trail)
        return copy

    def _follow(
        self,
        node: dict[str, Any],
        target: str,
        source: Source,
        pointer: str,
        out: str,
        *,
        in_schema: bool,
        trail: tuple[tuple[str, str], ...],
    ) -> Any:
        try:
            file, fragment = self._locate(target, source)
            found = resolve_pointer(self.data if file is self.main else file.data, fragment)
        except KeyError:
            self.errors.append(self._error(source.name, f"{pointer}/$ref", target, circular=False))
            return node
        except DescriptionErrors as error:
            self.errors.extend(self._placed(error, source, f"{pointer}/$ref", target))
            return node
        if file is self.main:
            return {**node, "$ref": f"#{fragment}"}
        key = (file.name, fragment)
        if in_schema:
            if key not in self.named:
                self.named[key] = name = self._name(file, fragment)
                self.schemas[name] = self._copy(found, file, fragment, "", in_schema=True, trail=())
            home = "#/definitions" if "swagger" in self.data else "#/components/schemas"
            return {**node, "$ref": f"{home}/{escape(self.named[key])}"}
        if key in trail:
            self.errors.append(self._error(source.name, f"{pointer}/$ref", target, circular=True))
            return {}
        self.places.move(out, file.name, fragment)
        copied = self._copy(found, file, fragment, out, in_schema=False, trail=(*trail, key))
        siblings = {name: value for name, value in node.items() if name != "$ref"}
        return {**copied, **siblings} if isinstance(copied, dict) else copied

    def _locate(self, target: str, source: Source) -> tuple[Source, str]:
        address, fragment = urldefrag(target)
        fragment = unquote(fragment)
        if not address:
            return source, fragment
        if source.name.startswith(("http://", "https://")):
            address = urljoin(source.name, address)
        if address.startswith(("http://", "https://")):
            return self.sources.fetch(address), fragment
        if "://" in address:
            error = DescriptionError(
                address,
                0,
                "",
                "this kind of reference is not followed",
                "copy the file here and refer to it by its name",
            )
            raise DescriptionErrors([error])
        path = Path(source.name).parent / unquote(address)
        opened = self.sources.open(Path(os.path.normpath(path)))
        return (self.main if opened.name == self.main.name else opened), fragment

    def _placed(self, error: DescriptionErrors, source: Source, pointer: str, target: str) -> list[DescriptionError]:
        """Errors about a file that has no lines of its own to show are shown at the reference to it."""
        return [
            one
            if one.line
            else self.places.error_in(source.name, pointer, f"the reference {target!r}: {one.message}", one.remedy)
            for one in error.errors
        ]

    def _name(self, file: Source, fragment: str) -> str:
        taken = set(self.schemas) | set(
            self.data.get("definitions") or (self.data.get("components") or {}).get("schemas") or {}
        )
        wanted = re.sub(r"[^A-Za-z0-9._-]", "_", fragment.rpartition("/")[2] or Path(file.name).stem)
        name, count = wanted, 1
        while name in taken or name in self.named.values():
            count += 1
            name = f"{wanted}-{count}"
        return name


class _CircularReference(Exception):
    pass
