"""A file to a Description, or to every reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apifold.description.description import Description
from apifold.description.extension import check_extensions, document_extension
from apifold.description.inheritance import inherited, is_complete
from apifold.description.leniency import loosened
from apifold.description.lint import lint
from apifold.description.metaschema import check_document, flavour
from apifold.description.model import check_model, expand, is_model
from apifold.description.openapi3 import normalise
from apifold.description.operations import read_operations
from apifold.description.overlay import apply, extends, is_beside, is_overlay
from apifold.description.places import Places
from apifold.description.references import bundle
from apifold.description.sources import Source, Sources
from apifold.description.swagger2 import from_swagger2
from apifold.errors import DescriptionError, DescriptionErrors, NotADescription


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a deployment puts an API.

    Attributes:
        prefix: path in front of its base path.
        base_path: instead of its own, where something is said.
        part_of: name of the API that it adds operations to.
        expand: makes a document of what is none.
        whole: the API that it adds operations to, and says what the file leaves out.
        whole_digest: tells one state of that from another.
    """

    prefix: str = ""
    base_path: str | None = None
    part_of: str = ""
    expand: Callable[[dict[str, Any], str], dict[str, Any]] | None = None
    whole: Description | None = field(default=None, compare=False)
    whole_digest: str = ""


def load(
    path: Path, sources: Sources, overlays: Sequence[Path] = (), placement: Placement | None = None
) -> Description:
    """The description in a file.

    Args:
        path: an OpenAPI document (2.0, 3.0, 3.1, 3.2), a model file, or an overlay that makes an API beside another.
        sources: opens this file and those it refers to.
        overlays: files to apply, in order.
        placement: where to serve it.

    Raises:
        DescriptionErrors: everything that is wrong with it.
    """
    source = sources.open(path)
    if is_beside(source.data):
        source, overlays = sources.open(extends(source.data, path)), (*overlays, path)
    places = Places(source, sources.read)
    placement = placement or Placement()
    data, errors = _content(source, sources, overlays, places, placement)
    version, unknown = flavour(data, places)
    if unknown or errors:
        raise DescriptionErrors([*unknown, *errors])
    bundled, errors = bundle(source, data, sources, places)
    errors += check_document(bundled, version, places)
    if errors and not _shaped(bundled):
        raise DescriptionErrors(errors)
    errors += check_extensions(bundled, places) if _shaped(bundled) else []
    return _finished(path, version, bundled, sources, places, placement, errors)


def with_operations(description: Description, document: dict[str, Any], written: dict[str, Any]) -> Description:
    """The description with its operations read from a (possibly changed) document."""
    return replace(description, document=document, written=written, operations=read_operations(document))


def api_name(path: Path, data: Any) -> str:
    """What an API is called: its service and id, else its file's name, else its folder's."""
    extension = data.get("x-apifold") if isinstance(data, dict) else None
    if isinstance(extension, dict) and extension.get("service") and extension.get("id"):
        return f"{extension['service']}-{extension['id']}"
    stem = path.name.split(".")[0]
    return path.parent.name if stem in ("openapi", "swagger") else stem


def _content(
    source: Source, sources: Sources, overlays: Sequence[Path], places: Places, placement: Placement
) -> tuple[Any, list[DescriptionError]]:
    data, errors = source.data, []
    if placement.expand:
        if not isinstance(data, dict):
            held = "nothing" if data is None else "no mapping"
            raise DescriptionErrors(
                [places.error("", f"this adds no operation: it holds {held}", "remove it, or fill it")]
            )
        try:
            data = placement.expand(data, Path(source.name).name.partition(".")[0])
        except NotADescription as refused:
            raise DescriptionErrors(places.error(*problem) for problem in refused.problems) from None
        except Exception as error:  # whatever it stumbles over, one file must not keep the others from being served
            message = f"this can't be understood: {type(error).__name__}: {error}"
            raise DescriptionErrors([places.error("", message, "hold it against a file that works")]) from None
    elif is_model(data):
        errors = check_model(data, places)
        if errors:
            raise DescriptionErrors(errors)
        data = expand(data, places)
    if placement.part_of and isinstance(data, dict) and not is_complete(data):
        if placement.whole is None:
            message = f"this adds to {placement.part_of}, which can't be served"
            raise DescriptionErrors([places.error("", message, "mend that first")])
        data = inherited(data, placement.whole, placement.whole.template_base.removeprefix(placement.prefix))
    for overlay in overlays:
        opened = sources.open(overlay)
        data, wrong = apply(data, opened.data, opened.name, places)
        errors += wrong
    return data, errors


def _shaped(document: dict[str, Any]) -> bool:
    """Whether a document is sound enough for its names to be compared, although something is wrong with it."""
    paths = document.get("paths", {})
    if not isinstance(paths, dict) or not isinstance(document.get("info"), dict):
        return False
    for item in paths.values():
        if not isinstance(item, dict):
            return False
        for operation in item.values():
            if isinstance(operation, dict) and not isinstance(operation.get("parameters", []), list):
                return False
    return isinstance(document.get("components", {}), dict)


def _finished(
    path: Path,
    version: str,
    bundled: dict[str, Any],
    sources: Sources,
    places: Places,
    placement: Placement,
    errors: list[DescriptionError],
) -> Description:
    if (bundled.get("x-apifold") or {}).get("lenient") == "always":
        bundled = loosened(bundled)
    try:
        internal = from_swagger2(bundled, places) if version == "2.0" else bundled
        document = normalise(internal, version)
        expanded = placement.expand is not None or placement.whole is not None
        may_vary = expanded or _speaks_of_versions(sources.raw.values())
        errors += (
            [] if may_vary else lint(document, places)
        )  # else each of its states is looked at, as a whole it is none
        operations = () if errors else read_operations(document)
    except (KeyError, TypeError, AttributeError, ValueError):
        if not errors:
            raise
        raise DescriptionErrors(errors) from None
    if errors:
        raise DescriptionErrors(errors)
    own = _base_path(internal)
    template_base = _joined(placement.prefix, own if placement.base_path is None else placement.base_path)
    data = sources.read[str(path)].data
    if is_overlay(data):
        data = bundled
    base = _joined(placement.prefix, data["path"]) if is_model(data) and not placement.part_of else template_base
    return Description(
        name=f"{placement.part_of}/{path.name.partition('.')[0]}" if placement.part_of else api_name(path, data),
        file=path,
        title=bundled["info"]["title"],
        version=str(bundled["info"]["version"]),
        flavour=version,
        base=base,
        template_base=template_base,
        document=document,
        written=bundled if template_base == own else _moved(bundled, version, template_base),
        extension=document_extension(document),
        places=places,
        operations=operations,
        raw=dict(sources.raw),
        may_vary=may_vary,
    )


def _speaks_of_versions(raw: Iterable[bytes]) -> bool:
    """Whether some files may say since or until when something is there."""
    return any(b"since" in one or b"until" in one for one in raw)


def _base_path(document: dict[str, Any]) -> str:
    """The path of the first server, its variables at their defaults (3.1.1, 4.8.5)."""
    servers = document.get("servers") or [{"url": "/"}]
    url = servers[0]["url"]
    for name, variable in (servers[0].get("variables") or {}).items():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    return _joined("", urlsplit(url).path)


def _joined(prefix: str, path: str) -> str:
    """Both as one path, beginning with `/` and not ending with it; `/` alone is ""."""
    return "/".join(["", *(part for part in f"{prefix}/{path}".split("/") if part)])


def _moved(document: dict[str, Any], version: str, base: str) -> dict[str, Any]:
    if version == "2.0":
        return {**document, "basePath": base or "/"}
    return {**document, "servers": [{"url": base or "/"}]}
