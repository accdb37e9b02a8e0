"""A Kubernetes cluster, by its HTTP API; the standard library does, where five verbs are all."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPSHandler, Request, build_opener

import msgspec
import orjson

from apifold import SettingsError
from apifold_services.platform.core.engines.engine import EngineFailed
from apifold_services.platform.core.redirects import NoRedirects

MANAGER = "apifold"
"""Whose the fields are that we set."""

SECRET, SERVICE, INGRESS, DEPLOYMENT, POD = "Secret", "Service", "Ingress", "Deployment", "Pod"
PLACES = {
    SECRET: ("/api/v1", "secrets"),
    SERVICE: ("/api/v1", "services"),
    POD: ("/api/v1", "pods"),
    DEPLOYMENT: ("/apis/apps/v1", "deployments"),
    INGRESS: ("/apis/networking.k8s.io/v1", "ingresses"),
}
"""Where objects of a kind are."""

JSON, APPLY, MERGE = "application/json", "application/apply-patch+yaml", "application/merge-patch+json"
ADDRESS = re.compile(r"https?://([\w.-]+|\[[0-9a-f:]+\])(:\d{1,5})?(/[\w./-]*)?", re.ASCII)
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
HERE = ("127.0.0.1", "::1", "localhost")
SECONDS = 10
NOT_FOUND, TOO_MANY, BROKEN = 404, 429, 500
MESSAGE = 1000

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Label = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$")]


class KubernetesOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of this engine.

    Attributes:
        url: of the API server; "" for the cluster whose pod we are in.
        token: file with the token for it, read for each request; "" for none, in a pod for its service account's.
        ca: file with the certificates it is known by; "" for the system's, in a pod for its service account's.
        namespace: where applications live. Of this platform alone: what it does not know there, it removes.
        domain: below which each application gets a host name, by an Ingress; "" for an address in the cluster only.
        ingress_class: of the Ingress; "" for the cluster's default.
        memory: that an instance may use, as Kubernetes writes it.
        cpu: likewise.
        start_seconds: until an application must answer.
        stop_seconds: until its pods must be gone.
    """

    url: str = ""
    token: str = ""
    ca: str = ""
    namespace: Label = "default"
    domain: Name = ""
    ingress_class: Name = ""
    memory: Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d*([KMGT]i|[kMGT])?$")] = "512Mi"
    cpu: Annotated[str, msgspec.Meta(pattern=r"^([1-9]\d*m?|\d+\.\d+)$")] = "500m"
    start_seconds: Seconds = 60.0
    stop_seconds: Seconds = 60.0


class ClusterFailed(EngineFailed):
    """The cluster did not do what it was asked.

    Args:
        status: of its answer; 0 where there was none.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status

    @property
    def is_passing(self) -> bool:
        """Whether it may answer otherwise in a moment."""
        return self.status in (0, TOO_MANY) or self.status >= BROKEN


class Cluster:
    """One namespace of a cluster. All that can be asked of it may be asked again.

    Args:
        options: where it is, and how it is reached.

    Raises:
        SettingsError: they can't be used; from its methods, ClusterFailed.
    """

    def __init__(self, options: KubernetesOptions) -> None:
        account = "" if options.url else ACCOUNT
        self.namespace = options.namespace
        self.url = _checked(options.url) if options.url else _around()
        self.token = _file("token", options.token or (account and f"{account}/token"))
        ca = _file("ca", options.ca or (account and f"{account}/ca.crt"))
        try:
            self._opener = build_opener(
                NoRedirects(), HTTPSHandler(context=ssl.create_default_context(cafile=ca or None))
            )
        except OSError:
            raise _wrong(f"ca: {ca} holds no certificates; write them as PEM") from None

    def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Have an object be as it is said, whether it is there or not; what it is then."""
        path = self._path(manifest["kind"], manifest["metadata"]["name"])
        return self._answer("PATCH", path, manifest, APPLY, fieldManager=MANAGER, force="true")

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object; None where there is none of that name."""
        with _perhaps_missing():
            return self._answer("GET", self._path(kind, name))
        return None

    def all(self, kind: str, selector: str) -> list[dict[str, Any]]:
        """The objects of a kind whose labels a selector fits."""
        return list(self._answer("GET", self._path(kind), labelSelector=selector).get("items") or ())

    def scale(self, name: str, replicas: int) -> None:
        """Have a Deployment, where it is there, run so many pods."""
        path = f"{self._path(DEPLOYMENT, name)}/scale"
        with _perhaps_missing():
            self._answer("PATCH", path, {"spec": {"replicas": replicas}}, MERGE, fieldManager=MANAGER)

    def delete(self, kind: str, name: str) -> None:
        """Remove an object. A Deployment is there until nothing is left of what it ran."""
        policy = "Foreground" if kind == DEPLOYMENT else "Background"
        with _perhaps_missing():
            self._answer("DELETE", self._path(kind, name), propagationPolicy=policy)

    def log(self, pod: str, container: str, lines: int, most: int) -> str:
        """The last lines that a container of a pod wrote, each with its time; the end of them, in bytes at most."""
        path, tail = f"{self._path(POD, pod)}/log", b""
        with self._asked("GET", path, container=container, tailLines=lines, timestamps="true") as answer:
            while piece := answer.read(65536):
                tail = (tail + piece)[-most:]
        return tail.decode("utf-8", "replace")

    def _path(self, kind: str, name: str = "") -> str:
        version, places = PLACES[kind]
        return f"{version}/namespaces/{self.namespace}/{places}" + (f"/{quote(name, safe='')}" if name else "")

    def _answer(self, method: str, path: str, body: Any = None, form: str = JSON, **query: Any) -> dict[str, Any]:
        with self._asked(method, path, body, form, **query) as answer:
            said: dict[str, Any] = orjson.loads(answer.read())
        return said

    @contextmanager
    def _asked(self, method: str, path: str, body: Any = None, form: str = JSON, **query: Any) -> Iterator[Any]:
        address = f"{self.url}{path}?{urlencode(query)}".rstrip("?")
        headers = {"Accept": f"{JSON}, */*", "User-Agent": MANAGER, "Content-Type": form, **self._known()}
        data = None if body is None else orjson.dumps(body)
        request = Request(address, data, headers, method=method)  # noqa: S310  # checked
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                yield answer
        except HTTPError as error:
            with error:
                raise ClusterFailed(f"Kubernetes answers {error.code}{_message(error)}", error.code) from None
        except (OSError, HTTPException) as error:
            raise ClusterFailed(f"the cluster can't be asked: {getattr(error, 'reason', error)}") from None
        except ValueError:
            raise ClusterFailed("the cluster's answer can't be read: it is no JSON") from None

    def _known(self) -> dict[str, str]:
        """Who we are. The token is read each time: it is changed for another now and then."""
        if not self.token:
            return {}
        try:
            token = Path(self.token).read_text("ascii").strip()
        except (OSError, ValueError):
            token = ""
        if not re.fullmatch(r"[!-~]+", token):  # or the error about the header would show it
            raise ClusterFailed("the cluster can't be asked: its token file holds no token")
        return {"Authorization": f"Bearer {token}"}


def _checked(url: str) -> str:
    if not ADDRESS.fullmatch(url):
        raise _wrong("url: this is no address of an API server; such as https://10.0.0.1:6443")
    if url.startswith("http:") and urlsplit(url).hostname not in HERE:
        raise _wrong("url: http would show the token to others; write an https address")
    return url.rstrip("/")


def _around() -> str:
    """The API server of the cluster whose pod we are in."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not host:
        raise _wrong("url: is missing, and this is no pod of a cluster; write the address of its API server")
    return _checked(f"https://{f'[{host}]' if ':' in host else host}:{port or 443}")


def _file(setting: str, path: str) -> str:
    if path and not Path(path).is_file():
        raise _wrong(f"{setting}: there is no file {path}")
    return path


def _wrong(text: str) -> SettingsError:
    return SettingsError(f"services: platform: kubernetes: {text}")


@contextmanager
def _perhaps_missing() -> Iterator[None]:
    try:
        yield
    except ClusterFailed as error:
        if error.status != NOT_FOUND:
            raise


def _message(error: HTTPError) -> str:
    """What the API's Status says; "" where the answer is none."""
    try:
        said = str(orjson.loads(error.read())["message"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return ""
    return f": {said[:MESSAGE]}"
