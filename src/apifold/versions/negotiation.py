"""Which version of an API a request asks for, read from its headers; and how an answer says which one it got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apifold.description.extension import Microversions
from apifold.errors import Malformed, NotAcceptable
from apifold.http.response import Headers
from apifold.versions.history import Limits
from apifold.versions.version import Version

_SLOT = "{version}"


@dataclass(frozen=True, slots=True)
class VersionHeader:
    """A header that versions are asked for and told in.

    Attributes:
        name: as it is written.
        key: the same in lower case.
        word: what stands in front of the version; one header may name versions of several services, each with its word.
    """

    name: str
    key: str
    word: str

    def asked(self, headers: Mapping[str, str]) -> str:
        """The version that is asked for, as text; "" for none."""
        value = headers.get(self.key)
        if value is None:
            return ""
        if not self.word:
            return value.strip()
        for part in value.split(","):
            word, _, version = part.strip().partition(" ")
            if word.lower() == self.word:
                return version.strip()
        return ""

    def told(self, version: str) -> tuple[str, str]:
        """The header as an answer has it."""
        return self.name, f"{self.word} {version}" if self.word else version


@dataclass(frozen=True, slots=True)
class Negotiation:
    """Between which versions a client may choose, and by which headers.

    Attributes:
        usual: what a client gets that does not choose.
        headers: the first that names a version decides.
        vary: tells caches that the headers decide (RFC 9110, 12.5.5).
    """

    limits: Limits
    usual: Version
    headers: tuple[VersionHeader, ...]
    vary: tuple[str, str]

    @classmethod
    def of(cls, said: Microversions, limits: Limits) -> Negotiation:
        """The negotiation that a description asks for.

        Raises:
            ValueError: it makes no sense; the text says why.
        """
        usual = Version.parse(said.default) if said.default else limits.least
        if usual not in limits:
            raise ValueError(f"the default {usual} is not between {limits.least} and {limits.most}")
        written = said.headers if isinstance(said.headers, dict) else dict.fromkeys(said.headers, _SLOT)
        if not written:
            raise ValueError("`headers` names no header")
        headers = tuple(_header(name, form) for name, form in written.items())
        return cls(limits, usual, headers, ("Vary", ", ".join(written)))

    def asked(self, headers: Mapping[str, str]) -> str:
        """The text by which a request asks for a version; "" where it does not."""
        for header in self.headers:
            found = header.asked(headers)
            if found:
                return found
        return ""

    def version(self, asked: str) -> Version:
        """The version that a text asks for.

        Raises:
            Malformed: it is no version.
            NotAcceptable: there is no such version.
        """
        if not asked:
            return self.usual
        try:
            version = self.limits.named(asked)
        except ValueError as error:
            raise Malformed(f"{error}; or say `latest`.") from None
        if version not in self.limits:
            least, most = self.limits.least, self.limits.most
            detail = f"Version {version} is not supported by the API. Minimum is {least} and maximum is {most}."
            raise NotAcceptable((f"{least} to {most}",), detail)
        return version

    def told(self, version: str) -> Headers:
        """What every answer at a version has."""
        return (*(header.told(version) for header in self.headers), self.vary)


def _header(name: str, form: str) -> VersionHeader:
    word, slot, rest = form.partition(_SLOT)
    if not slot or rest or (word and not word.endswith(" ")):
        raise ValueError(f"the form {form!r} of {name} is neither `{_SLOT}` nor a word and `{_SLOT}`")
    return VersionHeader(name, name.lower(), word.strip().lower())
