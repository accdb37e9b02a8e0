"""What a client posts to deploy or to register: a plan or a package, by value or by reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from apifold import Invalid, Malformed, Problem, Request, TooLarge, UploadedFile, read_yaml
from apifold_services.platform.core.archives import Archive
from apifold_services.platform.core.downloads import Downloads
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.packages import Package, opened
from apifold_services.platform.core.plan_file import Short, Tags, Text, for_camp, unkeepable
from apifold_services.platform.core.plans import Draft
from apifold_services.platform.plan_address import plan_address

BY_REFERENCE = ("plan_uri", "pdp_uri")
BY_VALUE = ("plan_file", "pdp_file")
OF_THE_NEW = ("name", "description", "tags")
SECONDS = 20.0


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the new resource is to be called."""

    name: Short = ""
    description: Text = ""
    tags: Tags = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted.

    Attributes:
        plan_id: of the plan of this service that it names; "" where it brings a plan.
        draft: the plan that it brings, checked.
        told: what the new resource is to be called.
    """

    plan_id: str = ""
    draft: Draft | None = None
    told: Told = Told()  # noqa: RUF009  # it is frozen


@dataclass(frozen=True, slots=True)
class Posting:
    """Reads what is posted.

    Attributes:
        downloads: gets plans and packages from elsewhere.
    """

    options: Options
    downloads: Downloads

    @contextmanager
    def read(self, body: Any, request: Request) -> Iterator[Posted]:
        """What a request brings; a package's files are there meanwhile.

        Raises:
            Invalid: it brings nothing that can be deployed; the text says why.
            TooLarge: it is larger than it may be.
        """
        with ExitStack() as stack:
            if isinstance(body, bytes):
                yield Posted(draft=self._package(body, stack))
            elif not isinstance(body, dict):
                raise Invalid("Send a plan, a package, or the address of one.")
            elif body.keys() & {*BY_REFERENCE, *BY_VALUE}:
                yield self._named(body, request, stack)
            else:
                self.options.admit_plan(request.body)
                yield Posted(draft=self._draft(body))

    def _named(self, body: Mapping[str, Any], request: Request, stack: ExitStack) -> Posted:
        """What stands under one of the names that CAMP has for it."""
        (name, *more) = sorted(body.keys() & {*BY_REFERENCE, *BY_VALUE})
        if more:
            raise Invalid(problems=[Problem("body", f"/{more[0]}", f"is beside `{name}`; one of them is enough")])
        unknown = sorted(body.keys() - {name, *OF_THE_NEW})
        if unknown:
            raise Invalid(problems=[Problem("body", f"/{one}", "is not known beside it") for one in unknown])
        told, value = self._told(body), body[name]
        if name in BY_VALUE:
            if not isinstance(value, UploadedFile | str):
                raise Invalid(problems=[Problem("body", f"/{name}", "must be one file, or its text")])
            content = value.content if isinstance(value, UploadedFile) else value.encode()
            return Posted(draft=self._brought(name, content, stack), told=told)
        if not isinstance(value, str) or not value:
            raise Invalid(problems=[Problem("body", f"/{name}", "must be an address")])
        try:
            address = plan_address(value, request)
        except ValueError as error:
            raise Invalid(problems=[Problem("body", f"/{name}", str(error))]) from None
        if address.elsewhere:
            most = self.options.max_archive_size if name == "pdp_uri" else self.options.max_plan_size
            content = self.downloads.get(address.elsewhere, most, SECONDS)
            return Posted(draft=self._brought(name, content, stack), told=told)
        if name == "pdp_uri" or not address.id:
            raise Invalid(problems=[Problem("body", f"/{name}", "is no plan of this service")])
        return Posted(plan_id=address.id, told=told)

    def _brought(self, name: str, content: bytes, stack: ExitStack) -> Draft:
        return self._package(content, stack) if name.startswith("pdp") else self._plan(content)

    def _plan(self, content: bytes) -> Draft:
        self.options.admit_plan(content)
        return self._draft(read_yaml(content))

    def _package(self, content: bytes, stack: ExitStack) -> Draft:
        if len(content) > self.options.max_archive_size:
            raise TooLarge(f"A package may have {self.options.max_archive_size} bytes.")
        if not Archive(content, 0).is_one:
            raise Malformed("This is no zip, no tar and no compressed tar.")
        most, most_of_plan = self.options.max_archive_size, self.options.max_plan_size
        package = stack.enter_context(opened(content, most, most_of_plan))
        return self._draft(package.plan, package)

    def _draft(self, document: Any, package: Package | None = None) -> Draft:
        for_camp(document)
        return Draft(document, package)

    @staticmethod
    def _told(body: Mapping[str, Any]) -> Told:
        given = {name: body[name] for name in OF_THE_NEW if body.get(name) is not None}
        if isinstance(given.get("tags"), str):
            given["tags"] = [tag.strip() for tag in given["tags"].split(",")]
        problems = list(unkeepable(given))
        if problems:
            raise Invalid(problems=problems)
        try:
            return msgspec.convert(given, Told)
        except msgspec.ValidationError as error:
            raise Invalid(f"What the new resource is called can't be read: {error}") from None
