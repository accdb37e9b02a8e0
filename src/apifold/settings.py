"""Settings: one frozen value, read once and passed on whole.

Each is a key of `apifold.yaml`, an environment variable (`APIFOLD_WORKERS`) and an option of `apifold serve`
(`--workers`); the later of these three wins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from apifold import extension_points
from apifold.errors import SettingsError
from apifold.marked import read_file

Mode = Literal["reject", "log", "off"]
Unknown = Literal["reject", "strip", "allow"]
Status = Literal["EXPERIMENTAL", "CURRENT", "SUPPORTED", "DEPRECATED", "RETIRED"]
Changes = Literal["off", "warn", "refuse"]


def _says(text: str) -> Meta:
    return Meta(description=text)


class ValidationModes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens to a message that breaks the contract, by direction."""

    request: Mode | None = None
    response: Mode | None = None


class UpstreamSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another service that upstream bindings send requests to."""

    url: Annotated[str, _says("its address")] = ""
    headers: Annotated[dict[str, str], _says("sent with every request")] = {}
    token: Annotated[str, _says("file with a token that is sent as `Authorization: Bearer`")] = ""
    keystone: Annotated[str, _says("Keystone's address: its catalogue has the addresses, by service type")] = ""
    user: Annotated[str, _says("for keystone: as whom to come")] = ""
    password: Annotated[str, _says("for keystone: file with that user's password")] = ""
    project: Annotated[str, _says("for keystone: the project, by id or name")] = ""
    domain: Annotated[str, _says("for keystone: the domain of user and project, by name")] = "Default"
    region: Annotated[str, _says("for keystone: the region of its catalogue; empty is the first")] = ""
    interface: Annotated[str, _says("for keystone: public, internal or admin addresses")] = "public"
    seconds: Annotated[float, _says("how long a request to it may take")] = 30.0
    retries: Annotated[int, _says("how often one is sent again where that does no harm")] = 2


class ShadowSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another implementation that gets a copy of an API's requests, so that its answers can be compared."""

    to: Annotated[str, _says("the other implementation, as `implementation` names it")]
    sample: Annotated[float, _says("the share of requests that are compared, from 0 to 1")] = 1.0
    unsafe: Annotated[
        tuple[str, ...], _says("operations, by operationId, of which unsafe requests are copied, too")
    ] = ()
    headers: Annotated[tuple[str, ...], _says("response headers that must be the same")] = ("Content-Type", "Location")
    noise: Annotated[
        tuple[str, ...], _says("JSON Pointers, `*` for any member or item, of what may differ in answers")
    ] = ()


class StatusRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What must be so before an API gets a status."""

    same: Annotated[int, _says("so many requests compared with the shadow, the last so many without a difference")] = 0
    succeeded: Annotated[str, _says("the API of which every operation names its `successor`, and that is served")] = ""


class Brownout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A while in which an API that will end answers 503, so that whoever still calls it takes notice."""

    begin: Annotated[str, _says("when it first begins, such as `2027-01-11T14:00:00Z`")]
    minutes: Annotated[float, _says("how long it lasts")]
    every_hours: Annotated[float, _says("after how many hours it comes again; 0 is never")] = 0.0


class OperationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a deployment changes about one operation of an API."""

    validation: Annotated[ValidationModes, _says("`{request: MODE, response: MODE}`")] = ValidationModes()


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a deployment changes about one API, whatever its description says."""

    enabled: Annotated[bool, _says("false: as if the file were not there")] = True
    base_path: Annotated[str | None, _says("serve it here instead")] = None
    status: Annotated[Status | None, _says("its status: EXPERIMENTAL, CURRENT, SUPPORTED, DEPRECATED or RETIRED")] = (
        None
    )
    deprecated: Annotated[str, _says("the date from which on new clients are not to use it")] = ""
    sunset: Annotated[str, _says("the date from which on it answers 410")] = ""
    brownouts: Annotated[
        tuple[Brownout, ...], _says("whiles in which it answers 503: `[{begin: DATE, minutes: N, every_hours: N}]`")
    ] = ()
    breaking_changes: Annotated[
        Changes | None, _says("changed files that break clients while it is CURRENT: `off`, `warn` or `refuse`")
    ] = None
    validation: Annotated[ValidationModes, _says("`{request: MODE, response: MODE}`")] = ValidationModes()
    operations: Annotated[
        dict[str, OperationSettings], _says("the same for single operations, by operationId: `{ID: {validation: ...}}`")
    ] = {}
    status_after: Annotated[
        StatusRule | None,
        _says(
            "that status once it is so: `{same: N}`, N requests in a row were answered alike by the shadow; "
            "`{succeeded: API}`, every operation of that API names its successor"
        ),
    ] = None
    implementation: Annotated[
        str | None,
        _says("who answers: `native`, `mock`, `wsgi:MODULE:NAME`, `asgi:MODULE:NAME`, `http://HOST`, or a binding"),
    ] = None
    shadow: Annotated[ShadowSettings | None, _says("`{to: IMPLEMENTATION}`: compare its answers")] = None
    record: Annotated[str, _says("file that requests are noted in for `compare`, without credentials")] = ""
    additions: Annotated[str, _says("directory of files that add operations to this API of a service")] = ""

    def __post_init__(self) -> None:
        for name in ("deprecated", "sunset"):
            moment(name, getattr(self, name))
        if self.status == "RETIRED" and self.status_after:
            raise ValueError("what ends an API is to be said by somebody: RETIRED takes no `status_after`")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a deployment decides."""

    listen: Annotated[str, _says("HOST:PORT, or unix:PATH")] = "127.0.0.1:8080"
    workers: Annotated[int, _says("worker processes; 0 is one for each core")] = 0
    threads: Annotated[int, _says("threads in each worker for handlers that may block")] = 16
    state: Annotated[str, _says("directory for what apifold keeps: database, parsed files, last good files")] = (
        ".apifold"
    )
    database: Annotated[str, _says("SQLAlchemy URL; empty is SQLite in the state directory")] = ""
    jobs: Annotated[
        str,
        _says("SQLAlchemy URL for long work; empty is `database` if PostgreSQL, else a file in the state directory"),
    ] = ""
    config: Annotated[str, _says("file with settings; empty is `apifold.yaml` in the served directory")] = ""
    dev: Annotated[bool, _says("roll the workers when code changes, too")] = False
    watch: Annotated[bool, _says("serve changed, new and removed files without a restart")] = True
    poll: Annotated[float, _says("seconds between looks at the files, beside file events")] = 1.0
    quarantine: Annotated[bool, _says("start although some files have errors, with the others")] = False
    implementation: Annotated[
        str, _says("who answers, where an API does not say otherwise: `native`, or `mock` for examples and schemas")
    ] = "native"
    apis: Annotated[dict[str, ApiSettings], _says("changes to single APIs, by their name")] = {}

    facts: Annotated[
        dict[str, Any], _says("what descriptions may require (`requires`), beside what services say of themselves")
    ] = {}
    breaking_changes: Annotated[
        Changes, _says("changed files that break clients of a CURRENT API: take them, warn, or refuse them")
    ] = "warn"
    use: Annotated[
        Literal["ending", "all", "off"], _says("count who calls what: operations that will end, all, or none")
    ] = "ending"
    services: Annotated[dict[str, dict[str, Any]], _says("settings of single services, by their name")] = {}
    upstreams: Annotated[dict[str, UpstreamSettings], _says("other services that upstream bindings name")] = {}
    outgoing: Annotated[
        tuple[str, ...], _says("hosts and networks that may be called beside those in settings, where data names them")
    ] = ("127.0.0.0/8", "::1")
    outgoing_ca: Annotated[
        str, _says("file with certificates (PEM) that called services are trusted by; empty is the system's")
    ] = ""

    handlers: Annotated[tuple[str, ...], _says("modules outside the served directory that operationIds may name")] = ()
    remote_references: Annotated[bool, _says("follow `$ref`s to http(s) addresses")] = False
    examples: Annotated[Literal["refuse", "off"], _says("examples and defaults that break their own schema")] = "refuse"
    validation_request: Annotated[Mode, _says("requests that break the contract, where the API says nothing")] = (
        "reject"
    )
    validation_response: Annotated[Mode, _says("responses that break the contract, where the API says nothing")] = "log"

    auth: Annotated[str, _says("who is asking: none, tokens, jwt, keystone, or an installed method")] = "none"
    insecure: Annotated[bool, _says("listen beyond loopback without authentication")] = False
    policy: Annotated[str, _says("file with policy rules that replace a service's own, rule by rule")] = ""
    tokens: Annotated[str, _says("for auth tokens: file of tokens and their callers")] = ""
    jwt_issuer: Annotated[str, _says("for auth jwt: the issuer that tokens must name")] = ""
    jwt_audience: Annotated[str, _says("for auth jwt: the audience that tokens must name")] = ""
    jwt_key: Annotated[
        str, _says("for auth jwt: file with the public key (PEM), the shared secret or the key set (JWKS)")
    ] = ""
    jwt_jwks: Annotated[str, _says("for auth jwt: address of the key set; empty asks the issuer (OpenID Connect)")] = ""
    jwt_algorithms: Annotated[tuple[str, ...], _says("for auth jwt: accepted signature algorithms")] = (
        "RS256",
        "ES256",
    )
    jwt_roles: Annotated[str, _says("for auth jwt: claim with the roles, dots for nesting")] = "roles"
    jwt_project: Annotated[str, _says("for auth jwt: claim with the project")] = "project_id"
    keystone_url: Annotated[str, _says("for auth keystone: its v3 address, such as http://host:5000/v3")] = ""
    keystone_user: Annotated[str, _says("for auth keystone: the user that checks tokens")] = ""
    keystone_password: Annotated[str, _says("for auth keystone: file with that user's password")] = ""
    keystone_project: Annotated[str, _says("for auth keystone: that user's project")] = "service"
    keystone_domain: Annotated[str, _says("for auth keystone: the domain of that user and project, by name")] = (
        "Default"
    )
    keystone_cache: Annotated[float, _says("for auth keystone: seconds that a checked token is believed")] = 60.0

    header_timeout: Annotated[float, _says("seconds a client has for the request line and headers")] = 10.0
    body_timeout: Annotated[float, _says("seconds a client has for each next part of a body")] = 30.0
    idle_timeout: Annotated[float, _says("seconds a connection may rest between requests")] = 75.0
    graceful_timeout: Annotated[float, _says("seconds that running requests have when a worker stops")] = 30.0
    max_header_bytes: Annotated[int, _says("bytes of request line and headers")] = 32768
    max_body_bytes: Annotated[int, _says("bytes of a request body")] = 8388608
    max_connections: Annotated[int, _says("connections of one worker; one more is told 503")] = 10000

    prefix: Annotated[str, _says("public path in front of everything, when a proxy takes it away")] = ""
    trusted_proxies: Annotated[
        tuple[str, ...], _says("addresses or networks whose X-Forwarded-* headers are believed")
    ] = ()
    cors_origins: Annotated[tuple[str, ...], _says("origins whose pages may call, or `*`")] = ()
    cors_credentials: Annotated[bool, _says("let those pages send cookies and credentials")] = False
    tls_certificate: Annotated[str, _says("file with the certificate chain (PEM); serve https")] = ""
    tls_key: Annotated[str, _says("file with its key (PEM)")] = ""
    compression: Annotated[bool, _says("compress larger answers for clients that take gzip")] = False
    rate_limit: Annotated[
        str, _says("requests for each client, as `100/s`, `600/m` or `5000/h`; empty is no limit")
    ] = ""
    access_log: Annotated[bool, _says("one log line for each request")] = True
    log_format: Annotated[Literal["auto", "text", "json"], _says("auto is text on a terminal, JSON otherwise")] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _says("the least that is logged")] = "info"

    @property
    def state_directory(self) -> Path:
        """The state directory, absolute."""
        return Path(self.state).absolute()

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL in force; without a state directory, a database that is gone when it is closed."""
        if self.database or not self.state:
            return self.database or "sqlite://"
        return f"sqlite:///{self.state_directory / 'apifold.db'}"

    @property
    def jobs_url(self) -> str:
        """The SQLAlchemy URL of jobs in force; "" where that is a file of the deployment's own."""
        if self.jobs or self.database.startswith("postgres"):
            return self.jobs or self.database
        return f"sqlite:///{self.state_directory / 'jobs.db'}" if self.state else ""

    @property
    def worker_count(self) -> int:
        """How many worker processes that makes."""
        return self.workers or len(os.sched_getaffinity(0))


def moment(name: str, text: str) -> datetime | None:
    """The moment that a text names, `2027-01-31` or `2027-01-31T12:00:00Z`, in UTC; None for an empty one.

    Raises:
        ValueError: it names none.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"`{name}: {text}` is no date; write it like 2027-01-31 or 2027-01-31T12:00:00Z") from None


_NAMES = tuple(field.encode_name for field in msgspec.structs.fields(Settings))


def load(directory: Path | None, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the file, the environment and the command line's options, each stronger than the last.

    Args:
        directory: where `apifold.yaml` may lie.
        options: those given on the command line, by setting name.
        environment: `APIFOLD_*` variables.

    Raises:
        SettingsError: an unknown key, a value of the wrong kind, a file that can't be read.
    """
    merged: dict[str, Any] = {}
    named = options.get("config") or environment.get("APIFOLD_CONFIG")
    file = Path(named) if named else directory / "apifold.yaml" if directory else None
    if file and (named or file.is_file()):
        merged = _from_file(file)
    merged = _over(_over(merged, _from_environment(environment)), options)
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{error}; `apifold settings` lists every setting") from None


def _over(merged: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Both, the stronger on top; mappings key by key."""
    both = {**merged, **stronger}
    for key in merged.keys() & stronger.keys():
        if isinstance(merged[key], dict) and isinstance(stronger[key], dict):
            both[key] = _over(merged[key], stronger[key])
    return both


def _from_file(file: Path) -> dict[str, Any]:
    try:
        content = read_file(file)
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    if not isinstance(content or {}, dict):
        raise SettingsError(f"{file}: settings are `key: value` lines")
    for key in content or {}:
        if key not in _NAMES:
            near = get_close_matches(str(key), _NAMES, 1)
            remedy = f"did you mean {near[0]!r}?" if near else "`apifold settings` lists every setting"
            raise SettingsError(f"{file}: there is no setting {key!r}; {remedy}")
    return content or {}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """`APIFOLD_X` for every setting X; lists are separated by commas, mappings are JSON."""
    found: dict[str, Any] = {}
    services: dict[str, dict[str, Any]] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(Settings)}
    for key, text in environment.items():
        if not key.startswith("APIFOLD_"):
            continue
        name = key.removeprefix("APIFOLD_").lower()
        if name in fields:
            found[name] = _value(key, text, fields[name])
            continue
        service = next((one for one in _services() if name.startswith(f"{one.replace('-', '_')}_")), "")
        if not service:
            raise SettingsError(f"environment variable {key}: there is no setting {name!r}")
        services.setdefault(service, {})[name[len(service) + 1 :]] = _mapping(key, text) if text[:1] == "{" else text
    return _over(found, {"services": services}) if services else found


def _services() -> tuple[str, ...]:
    """Installed services, the longest name first."""
    return tuple(sorted(extension_points.names("apifold.services"), key=len, reverse=True))


def _value(key: str, text: str, field: Any) -> Any:
    if isinstance(field.default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return _mapping(key, text) if field.default_factory is dict else text


def _mapping(key: str, text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise SettingsError(f"environment variable {key}: this is no JSON object: {error}") from None
