"""The engine `kubernetes`, held against its contract: the schemas of Kubernetes, and a stand-in of its API that keeps to
the documented rules. There is no cluster here; nothing in this file says that a real one runs what it is told to."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import kubernetes_validate
import pytest

from apifold import Deployment, Settings, SettingsError
from apifold_services.platform.core.engines import manifests
from apifold_services.platform.core.engines.engine import EngineFailed, Unit, UnitState
from apifold_services.platform.core.engines.kubernetes import Kubernetes, KubernetesOptions
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.plan_file import Artifact, Content, Health
from tests.services.platform.conftest import CAMP

ID, OTHER, THIRD = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")
ASSEMBLY = "f" * 8 + "-0000-4000-8000-000000000000"
IMAGE = "docker://registry.example.org/shop/web:1.4"
TOKEN, SECRET_VALUE = "token-s3cret", "postgresql://user:pa55@host/name"
MOMENT = "2026-01-02T03:04:05Z"
VERSIONS = ("1.30", "1.34", kubernetes_validate.latest_version())


def unit(id=ID, href=IMAGE, *, instances=1, variables=None, **artifact):
    made = Artifact(**{"name": "Web shop", "content": Content(href=href), **artifact})
    told = {"DATABASE_URL": SECRET_VALUE} if variables is None else variables
    return Unit(id, ASSEMBLY, "renamed since", made, variables=told, instances=instances)


def never():
    return False


# The stand-in


class Refusal(Exception):
    def __init__(self, status, message):
        self.status, self.message = status, message


class Cluster:
    """Kubernetes' API, as far as the engine uses it. Its controllers do their part whenever somebody looks.

    Attributes:
        lag: looks between any two things that controllers do.
        lingers: whether pods stay that should go.
        refuses: what is answered to a method and a kind of objects.
        raw: sent as it is, instead of any answer: status, headers, body.
    """

    def __init__(self, certificate=None):
        self.token, self.lag, self.lingers = TOKEN, 0, False
        self.objects, self.looks, self.refuses, self.asked, self.logs, self.raw = {}, {}, {}, [], {}, None
        self.number, self.lock = 0, threading.Lock()
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                with cluster.lock:
                    cluster.answer(self)

            do_GET = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def of(self, kind):
        """The objects of a kind, by name."""
        return {one["metadata"]["name"]: one for one in self.objects.values() if one["kind"] == kind}

    def the(self, kind):
        (one,) = self.of(kind).values()
        return one

    def answer(self, request):
        parts = urlsplit(request.path)
        query = {name: value for name, (value,) in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        media = request.headers.get("Content-Type")
        self.asked.append((request.command, parts.path, query, media))
        try:
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                raise Refusal(401, "Unauthorized")
            status, said = 200, self.said(request.command, unquote(parts.path), query, media, body)
        except Refusal as refusal:
            status = refusal.status
            said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": refusal.message}
        headers = {"Content-Type": "text/plain" if isinstance(said, str) else "application/json"}
        sent = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        if self.raw:
            status, headers, sent = self.raw
        request.send_response(status)
        for name, value in {**headers, "Content-Length": len(sent)}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(sent)

    def said(self, method, path, query, media, body):
        found = re.fullmatch(
            r"(/api/v1|/apis/apps/v1|/apis/networking\.k8s\.io/v1)/namespaces/apps/([a-z]+)(?:/([^/]+)(?:/([a-z]+))?)?",
            path,
        )
        known = {
            "/api/v1": ("secrets", "services", "pods"),
            "/apis/apps/v1": ("deployments",),
            "/apis/networking.k8s.io/v1": ("ingresses",),
        }
        if not found or found[2] not in known[found[1]]:
            raise Refusal(404, "the server could not find the requested resource")
        version, kind, name, part = found.groups()
        if refused := self.refuses.get((method, kind)):
            raise Refusal(*refused)
        if method == "GET" and kind in ("deployments", "pods") and not part:
            self.control()
        place = path.removesuffix(f"/{part}") if part else path
        if method == "PATCH" and media == "application/apply-patch+yaml" and not part:
            return self.apply(path, version, name, query, json.loads(body))
        if name is None and method == "GET":
            inside = [one for at, one in self.objects.items() if at.rpartition("/")[0] == path]
            return {"kind": "List", "items": [one for one in inside if selected(one, query["labelSelector"])]}
        if place not in self.objects:
            raise Refusal(404, f'{kind} "{name}" not found')
        return self.one(method, place, part, query, media, body)

    def one(self, method, place, part, query, media, body):
        one = self.objects[place]
        if (method, part) == ("GET", None):
            return one
        if (method, part) == ("DELETE", None):
            if one["kind"] != "Deployment":
                assert query["propagationPolicy"] == "Background"
                return self.objects.pop(place)
            assert query["propagationPolicy"] == "Foreground"
            one["metadata"]["deletionTimestamp"] = MOMENT
            self.looks[place] = 0
            return one
        if (method, part) == ("PATCH", "scale"):
            if media != "application/merge-patch+json":
                raise Refusal(415, f"the body of the request was in an unknown format - {media}")
            one["spec"]["replicas"] = json.loads(body)["spec"]["replicas"]
            self.changed(place)
            return {"kind": "Scale", "spec": one["spec"]}
        if (method, part) == ("GET", "log"):
            return self.log(one, query)
        raise Refusal(415 if method == "PATCH" else 405, f"the server does not allow this: {method} {media}")

    def apply(self, path, version, name, query, given):
        """As the documentation of server-side apply has it for the one who owns all fields."""
        if query != {"fieldManager": "apifold", "force": "true"}:
            raise Refusal(400, "fieldManager is required for apply patch")
        if given["apiVersion"] != version.removeprefix("/apis/").removeprefix("/api/"):
            raise Refusal(400, f"does not match the expected API version {version}")
        if given["metadata"]["name"] != name:
            raise Refusal(400, "the name of the object does not match the name on the URL")
        try:
            kubernetes_validate.validate(given, VERSIONS[-1], strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Refusal(422, error.message) from None
        before = self.objects.get(path)
        kept = {"uid": path, "creationTimestamp": MOMENT, "generation": 0, "resourceVersion": ""}
        if before:
            kept = {key: value for key, value in before["metadata"].items() if key in (*kept, "deletionTimestamp")}
            same = {**given, "metadata": {**given["metadata"], **kept}}
            if same == {key: value for key, value in before.items() if key != "status"}:
                return before
            if given["kind"] == "Deployment" and given["spec"]["selector"] != before["spec"]["selector"]:
                raise Refusal(422, "spec.selector: Invalid value: field is immutable")
        status = {"status": before["status"]} if before and "status" in before else {}
        self.objects[path] = {**given, "metadata": {**given["metadata"], **kept}, **status}
        self.changed(path)
        return self.objects[path]

    def changed(self, path):
        self.number += 1
        self.objects[path]["metadata"]["resourceVersion"] = str(self.number)
        self.objects[path]["metadata"]["generation"] += 1
        self.looks[path] = 0

    def control(self):
        """What controllers do, after as many looks as they are slow."""
        for path, one in list(self.objects.items()):
            if one["kind"] != "Deployment":
                continue
            self.looks[path] += 1
            pods = {at: pod for at, pod in self.objects.items() if pod["kind"] == "Pod" and pod["of"] == path}
            if self.looks[path] > self.lag:
                is_going = "deletionTimestamp" in one["metadata"]
                self.roll(path, one, pods, 0 if is_going else one["spec"]["replicas"])
                if is_going and not any(pod["of"] == path for pod in self.of("Pod").values()):
                    del self.objects[path]

    def roll(self, path, one, pods, wanted):
        template = one["spec"]["template"]
        fresh = {at: pod for at, pod in pods.items() if pod["template"] == template}
        conditions = []
        for _ in range(wanted - len(fresh)):
            self.number += 1
            pod = pod_of(f"{one['metadata']['name']}-{self.number:010x}-abcde", path, template)
            if pod is None:
                message = "pods is forbidden: exceeded quota: small"
                conditions.append({"type": "ReplicaFailure", "status": "True", "message": message})
                break
            at = f"/api/v1/namespaces/apps/pods/{pod['metadata']['name']}"
            self.objects[at] = fresh[at] = pod
        well = [pod for pod in fresh.values() if pod["fate"] in ("web", "")]
        if self.looks[path] > 2 * self.lag:
            for pod in well:
                pod["status"]["containerStatuses"][0]["ready"] = True
        if not self.lingers:
            old = [at for at in pods if at not in fresh] if all(map(is_ready, fresh.values())) else []
            extra = list(fresh)[wanted:] if wanted < len(fresh) else []
            for at in (*old, *extra):
                del self.objects[at]
        left = [pod for pod in self.of("Pod").values() if pod["of"] == path]
        one["status"] = {
            "observedGeneration": one["metadata"]["generation"],
            "replicas": len(left),
            "updatedReplicas": sum(pod["template"] == template for pod in left),
            "readyReplicas": sum(map(is_ready, left)),
            "conditions": conditions,
        }

    def log(self, pod, query):
        assert query.keys() == {"container", "tailLines", "timestamps"}
        if query["container"] not in [one["name"] for one in pod["template"]["spec"]["containers"]]:
            raise Refusal(400, f"container {query['container']} is not valid for pod")
        if pod["fate"] in ("missing", "unscheduled"):
            raise Refusal(400, "container is waiting to start: trying and failing to pull image")
        lines = self.logs.get(pod["metadata"]["name"], () if pod["fate"] != "crashes" else (f"{MOMENT} no such table",))
        return "".join(f"{line}\n" for line in lines[-int(query["tailLines"]) :])


def pod_of(name, path, template):
    """A pod, and what becomes of it: its image's name says that. None where there can be none."""
    fate = re.search(r"/([a-z]+)[:@]", template["spec"]["containers"][0]["image"])[1]
    running = {"ready": False, "restartCount": 2, "state": {"running": {}}}
    pulling = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "registry.example.org/missing:1"'}
    again = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    ended = {"terminated": {"exitCode": 3, "reason": "Error"}}
    of_container = {
        "missing": {"ready": False, "restartCount": 0, "state": {"waiting": pulling}},
        "crashes": {"ready": False, "restartCount": 3, "state": {"waiting": again}, "lastState": ended},
        "creating": {"ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}},
    }.get(fate, running)
    status = {"phase": "Running", "containerStatuses": [of_container]}
    if fate == "unscheduled":
        message = "0/3 nodes are available: 3 Insufficient memory."
        status = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": message}]}
    metadata = {"name": name, "labels": template["metadata"]["labels"], "creationTimestamp": MOMENT}
    pod = {"kind": "Pod", "metadata": metadata, "status": status, "of": path, "template": template, "fate": fate}
    return None if fate == "quota" else pod


def is_ready(pod):
    return any(one["ready"] for one in pod["status"].get("containerStatuses", ()))


def selected(one, selector):
    labels = one["metadata"].get("labels", {})
    pairs = [part.partition("=") for part in selector.split(",")]
    return all(labels.get(name) == value if equals else name in labels for name, equals, value in pairs)


@pytest.fixture
def cluster():
    made = Cluster()
    yield made
    made.close()


@pytest.fixture
def engine(cluster, tmp_path):
    return engine_for(cluster, tmp_path)


def engine_for(cluster, folder, **settings):
    return made_of(**reached(cluster, folder), **settings)


def reached(cluster, folder):
    (folder / "token").write_text(f"{TOKEN}\n")
    return {"url": cluster.url, "token": str(folder / "token"), "namespace": "apps"}


def made_of(**settings):
    return Kubernetes(Deployment(Settings(state="")), settings, Options())


# What is written


UNITS = {
    "plain": unit(),
    "a command": unit(run_cmd="exec web --port $PORT"),
    "tcp": unit(health=Health(tcp=True), ports={"https": 8443, "admin": 9000}),
    "a path": unit(health=Health(path="/health?deep=1"), ports=(80, 81)),
    "no port": unit(ports=()),
    "no variables, no name": unit(variables={}, name=""),
    "another script": unit(name="Магазин", variables={"GREETING": "Здравствуйте", "EMPTY": ""}),
    "a long name": unit(name="-" + "long-" * 40, instances=7),
    "by digest": unit(href=f"oci://127.0.0.1:5000/web@sha256:{'0' * 64}"),
}
PLACED = KubernetesOptions(namespace="apps", domain="apps.example.org", ingress_class="nginx")


def objects_of(one, options=PLACED):
    return [
        manifests.secret(one),
        manifests.service(one),
        manifests.ingress(one, options),
        manifests.deployment(one, options, "17"),
    ]


def container_of(one, options=PLACED):
    return manifests.deployment(one, options, "17")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("one", UNITS.values(), ids=UNITS)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_object_is_what_its_schema_says(one, version):
    for found in objects_of(one):
        kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("one", UNITS.values(), ids=UNITS)
def test_names_and_labels_are_what_kubernetes_takes(one):
    label = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
    for found in objects_of(one):
        metadata = found["metadata"]
        # A pod's name is its Deployment's with 17 characters more, and a label, too.
        assert label.fullmatch(metadata["name"] + "-0123456789-abcde")
        assert metadata["labels"].keys() == {
            "app.kubernetes.io/name", "app.kubernetes.io/managed-by", "apifold.org/unit", "apifold.org/assembly"
        }  # fmt: skip
        assert all(map(label.fullmatch, metadata["labels"].values()))
        assert metadata["labels"]["apifold.org/unit"] == ID
        assert metadata["labels"]["apifold.org/assembly"] == ASSEMBLY
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "apifold"
    host = objects_of(one)[2]["spec"]["rules"][0]["host"]
    assert all(map(label.fullmatch, host.split(".")))
    assert host.endswith("-aaaaaaaa.apps.example.org")


def test_two_units_share_nothing():
    names = {found["metadata"]["name"] for id in (ID, OTHER) for found in objects_of(unit(id))}
    assert len(names) == 2
    assert manifests.address_of(unit(ID), PLACED) != manifests.address_of(unit(OTHER), PLACED)


def test_selectors_find_the_pods_and_the_service_finds_the_port():
    _, service, ingress, deployment = objects_of(unit())
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (service["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    (port,) = service["spec"]["ports"]
    assert [one["name"] for one in container_of(unit())["ports"]] == [port["targetPort"]]
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}


def test_variables_are_in_the_secret_and_nowhere_else():
    secret, *others = objects_of(unit())
    assert secret["data"] == {"DATABASE_URL": "cG9zdGdyZXNxbDovL3VzZXI6cGE1NUBob3N0L25hbWU="}
    assert SECRET_VALUE not in json.dumps(others)
    assert "DATABASE_URL" not in json.dumps(others)
    assert container_of(unit())["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]


def test_the_pod_may_do_little():
    pod = manifests.deployment(unit(), PLACED, "17")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["resources"] == {"limits": {"memory": "512Mi", "cpu": "500m"}}
    # Port 80 is what plans have by default.
    assert pod["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]


def test_limits_are_the_settings():
    options = KubernetesOptions(memory="2Gi", cpu="1.5")
    assert container_of(unit(), options)["resources"] == {"limits": {"memory": "2Gi", "cpu": "1.5"}}


@pytest.mark.parametrize(
    ("ports", "port"), [(80, 80), ((5000, 5001), 5000), ({"web": 3000, "admin": 9}, 3000), ((), 8080)]
)
def test_the_first_port_is_the_one(ports, port):
    container = container_of(unit(ports=ports))
    assert container["ports"] == [{"name": "web", "containerPort": port, "protocol": "TCP"}]
    assert container["env"] == [{"name": "PORT", "value": str(port)}]


def test_a_command_reaches_the_shell_as_it_was_written():
    # `$$` stands for `$` there; `$(NAME)` alone would be replaced by Kubernetes.
    assert container_of(unit(run_cmd="run $(date) $PORT $$"))["command"] == [
        "/bin/sh",
        "-c",
        "run $$(date) $$PORT $$$$",
    ]
    assert "command" not in container_of(unit())


@pytest.mark.parametrize(
    ("health", "handler"),
    [
        (Health(), {"httpGet": {"path": "/", "port": "web", "scheme": "HTTP"}}),
        (Health(path="/up"), {"httpGet": {"path": "/up", "port": "web", "scheme": "HTTP"}}),
        (Health(tcp=True), {"tcpSocket": {"port": "web"}}),
    ],
)
def test_probes_ask_what_the_plan_says(health, handler):
    container = container_of(unit(health=health), KubernetesOptions(start_seconds=301))
    probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    assert all(handler.items() <= probe.items() for probe in probes)
    # Nobody is ended for being slow to start before the time for it is over.
    assert probes[0]["periodSeconds"] * probes[0]["failureThreshold"] >= 301


def test_an_ingress_has_a_class_where_one_is_set():
    assert objects_of(unit())[2]["spec"]["ingressClassName"] == "nginx"
    assert "ingressClassName" not in manifests.ingress(unit(), KubernetesOptions(domain="example.org"))["spec"]


# What is taken


REFUSED = {
    "no content": ({"content": Content()}, "docker://REGISTRY/NAME:TAG"),
    "content in the plan": ({"content": Content(data="aGk=")}, "docker://REGISTRY/NAME:TAG"),
    "a repository": ({"content": Content(href="https://example.org/web.git")}, "docker://REGISTRY/NAME:TAG"),
    "a path": ({"content": Content(href="web.zip")}, "docker://REGISTRY/NAME:TAG"),
    "no scheme": ({"content": Content(href="registry.example.org/web:1")}, "docker://REGISTRY/NAME:TAG"),
    "no registry": ({"content": Content(href="docker://web:1")}, "docker://REGISTRY/NAME:TAG"),
    "no tag": ({"content": Content(href="docker://registry.example.org/web")}, "docker://REGISTRY/NAME:TAG"),
    "capitals": ({"content": Content(href="docker://registry.example.org/Web:1")}, "docker://REGISTRY/NAME:TAG"),
    "more": ({"content": Content(href="docker://registry.example.org/web:1 x")}, "docker://REGISTRY/NAME:TAG"),
    "a line": ({"content": Content(href="docker://registry.example.org/web:1\n")}, "docker://REGISTRY/NAME:TAG"),
    "half a digest": ({"content": Content(href="docker://r.example.org/web@sha256:12")}, "docker://REGISTRY/NAME:TAG"),
    "an image by name": (
        {"artifact_type": "org.opencontainers:image", "content": Content(href="web:1")}, "docker://REGISTRY/NAME:TAG",
    ),
    "tests": ({"unittest_cmd": "pytest"}, "`unittest_cmd`"),
    "a build": ({"build_cmd": "make"}, "`build_cmd`"),
    "a language pack": ({"language_pack": "python-pack"}, "leave `language_pack` out"),
    "codes": ({"health": Health(accepted=(404,))}, "health: {tcp: true}"),
}  # fmt: skip


@pytest.mark.parametrize(("artifact", "remedy"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("packaged", [True, False])
def test_what_can_t_run_is_refused_with_what_to_write(engine, artifact, remedy, packaged):
    said = engine.check(Artifact(**{"content": Content(href=IMAGE), **artifact}), packaged=packaged)
    assert remedy in said


@pytest.mark.parametrize(
    "href",
    [
        IMAGE,
        "oci://registry.example.org/web:1",
        "docker://127.0.0.1:5000/a/b/c_d__e-f.g:v1.0_x-Y",
        f"docker://r.example.org/web@sha256:{'a' * 64}",
        f"docker://r.example.org/web:1@sha256:{'a' * 64}",
    ],
)
@pytest.mark.parametrize("kind", ["org.opencontainers:image", "heroku"])
@pytest.mark.parametrize("pack", ["auto", False, True])
def test_images_are_taken(engine, href, kind, pack):
    artifact = Artifact(artifact_type=kind, content=Content(href=href), language_pack=pack, run_cmd="x")
    assert engine.check(artifact, packaged=False) == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "url: is missing, and this is no pod of a cluster"),
        ({"url": "10.0.0.1:6443"}, "url: this is no address"),
        ({"url": "https://"}, "url: this is no address"),
        ({"url": "https://user:password@host"}, "url: this is no address"),
        ({"url": "https://host:port"}, "url: this is no address"),
        ({"url": "https://host/?x"}, "url: this is no address"),
        ({"url": "ftp://host"}, "url: this is no address"),
        ({"url": "http://10.0.0.1:8080"}, "write an https address"),
        ({"url": "https://host", "token": "/nowhere/token"}, "token: there is no file /nowhere/token"),
        ({"url": "https://host", "ca": "/nowhere/ca"}, "ca: there is no file /nowhere/ca"),
        ({"url": "https://host", "ca": __file__}, "holds no certificates; write them as PEM"),
        ({"url": "https://host", "namespace": "No_Name"}, "$.namespace"),
        ({"url": "https://host", "namespace": ""}, "$.namespace"),
        ({"url": "https://host", "domain": ".example.org"}, "$.domain"),
        ({"url": "https://host", "memory": "much"}, "$.memory"),
        ({"url": "https://host", "cpu": "0"}, "$.cpu"),
        ({"url": "https://host", "start_seconds": 0}, "$.start_seconds"),
        ({"url": "https://host", "colour": "red"}, "colour"),
    ],
)
def test_bad_settings_are_refused_when_it_is_made(settings, said, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError, match=r"services: platform: kubernetes: ") as refused:
        made_of(**settings)
    assert said in str(refused.value)
    assert "password" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://localhost:8001", "http://[::1]:8001/", "https://host/clusters/c-1"])
def test_a_proxy_of_this_machine_needs_no_token(url):
    made_of(url=url)


# In a pod of the cluster


def test_in_a_pod_the_service_account_s_files_are_used(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(SettingsError, match=r"no file /var/run/secrets/kubernetes.io/serviceaccount/token$"):
        made_of()


@pytest.fixture
def certificate(tmp_path):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "ca.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    return tmp_path / "ca.crt", tmp_path / "key"


def test_in_a_pod_the_cluster_is_found_and_known_by_its_certificate(monkeypatch, certificate, tmp_path):
    cluster = Cluster(certificate)
    try:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
        files = {"token": reached(cluster, tmp_path)["token"], "ca": str(certificate[0])}
        made_of(**files, namespace="apps").start(unit())
        assert cluster.of("Deployment")
        asked = len(cluster.asked)
        with pytest.raises(EngineFailed, match="certificate verify failed"):
            made_of(url=cluster.url, token=files["token"], namespace="apps").start(unit())
        assert len(cluster.asked) == asked
    finally:
        cluster.close()


# What is done


def test_nothing_is_fetched_tested_or_built(engine, cluster):
    assert engine.runtimes() == {}
    assert engine.prepare(unit(), never) == engine.build(unit(), never) == {}
    assert engine.test(unit(), never) is None
    assert engine.folder(ID) is None
    assert cluster.asked == []


def test_it_starts_and_answers_in_the_cluster(engine, cluster):
    assert engine.start(unit()) == f"http://apifold-{ID}.apps.svc"
    assert sorted(one["kind"] for one in cluster.objects.values()) == ["Deployment", "Secret", "Service"]
    engine.settle(unit(), never)
    assert engine.state(ID) == UnitState(alive=True, ready=1, restarts=2, started=1767323045.0)


def test_it_answers_everybody_where_there_is_a_domain(cluster, tmp_path):
    engine = engine_for(cluster, tmp_path, domain="example.org")
    assert engine.start(unit()) == "http://web-shop-aaaaaaaa.example.org"
    assert cluster.the("Ingress")["spec"]["rules"][0]["host"] == "web-shop-aaaaaaaa.example.org"
    # Once there is none any more, nobody gets there that way.
    engine_for(cluster, tmp_path).start(unit())
    assert not cluster.of("Ingress")


def test_what_is_started_again_stays_as_it_is(engine, cluster):
    for _ in range(2):
        engine.start(unit())
        engine.settle(unit(), never)
    assert cluster.the("Deployment")["metadata"]["generation"] == 1
    assert len(cluster.of("Pod")) == 1


def test_pods_get_new_variables(engine, cluster):
    engine.start(unit())
    engine.settle(unit(), never)
    before = set(cluster.of("Pod"))
    engine.start(unit(variables={"DATABASE_URL": "another"}))
    engine.settle(unit(), never)
    assert before.isdisjoint(cluster.of("Pod"))
    assert cluster.the("Secret")["data"] == {"DATABASE_URL": "YW5vdGhlcg=="}


def test_it_waits_until_all_instances_answer(engine, cluster):
    cluster.lag = 2
    engine.start(unit(instances=3))
    engine.settle(unit(instances=3), never)
    assert engine.state(ID).ready == 3
    assert engine.state(ID).restarts == 6


def test_instances_of_before_do_not_count(engine, cluster):
    engine.start(unit())
    engine.settle(unit(), never)
    cluster.lag = 1  # first its controller knows of nothing new, then only the one of before is ready
    engine.start(unit(href="docker://registry.example.org/web:2"))
    engine.settle(unit(), never)
    (pod,) = cluster.of("Pod").values()
    assert pod["template"]["spec"]["containers"][0]["image"].endswith(":2")
    assert is_ready(pod)


def test_it_runs_with_more_and_with_fewer(engine, cluster):
    for instances in (1, 3, 2):
        engine.start(unit(instances=instances))
        engine.settle(unit(instances=instances), never)
        assert (engine.state(ID).ready, len(cluster.of("Pod"))) == (instances, instances)


FAILURES = {
    "missing": 'ImagePullBackOff: Back-off pulling image "registry.example.org/missing:1" | it wrote nothing',
    "crashes": r"CrashLoopBackOff: back-off 10s .* \| it ended with 3 \(Error\) \| apifold-.*-abcde: no such table$",
    "unscheduled": "0/3 nodes are available: 3 Insufficient memory",
    "quota": "pods is forbidden: exceeded quota: small",
    "creating": "within 0.1 seconds: it wrote nothing$",
    "silent": "within 0.1 seconds: it wrote nothing$",
}


@pytest.mark.parametrize(("image", "said"), FAILURES.items())
def test_why_it_does_not_answer_is_told(cluster, tmp_path, image, said):
    engine = engine_for(cluster, tmp_path, start_seconds=0.1)
    failing = unit(href=f"docker://registry.example.org/{image}:1", instances=2)
    engine.start(failing)
    with pytest.raises(EngineFailed, match=said) as failed:
        engine.settle(failing, never)
    assert str(failed.value).startswith("it did not answer within 0.1 seconds: ")
    # The same of both instances is said once.
    assert str(failed.value).count("Back-off pulling") <= 1
    assert engine.state(ID).ready == 0


def test_a_deployment_that_somebody_removes_is_missed(cluster, tmp_path):
    with pytest.raises(EngineFailed, match="its Deployment is gone"):
        engine_for(cluster, tmp_path, start_seconds=0.1).settle(unit(), never)


def test_nobody_waits_for_what_is_not_wanted_any_more(engine, cluster):
    engine.settle(unit(), lambda: True)
    assert cluster.asked == []


def test_a_moment_without_answer_is_waited_out(engine, cluster):
    engine.start(unit())
    cluster.raw = 503, {"Retry-After": "1"}, b"upstream connect error"
    threading.Timer(0.7, setattr, (cluster, "raw", None)).start()
    engine.settle(unit(), never)
    assert engine.state(ID).ready == 1


def test_a_refusal_is_not_waited_out(engine, cluster):
    engine.start(unit())
    cluster.refuses["GET", "deployments"] = 403, "deployments.apps is forbidden"
    with pytest.raises(EngineFailed, match=r"Kubernetes answers 403: deployments\.apps is forbidden"):
        engine.settle(unit(), never)


def test_it_stops_and_starts_again(engine, cluster):
    engine.start(unit(instances=2))
    engine.settle(unit(instances=2), never)
    cluster.lag = 1
    engine.stop(ID)
    assert cluster.of("Pod") == {}
    assert engine.state(ID) == UnitState()
    assert cluster.of("Deployment")
    engine.stop(ID)
    engine.start(unit(instances=2))
    engine.settle(unit(instances=2), never)
    assert engine.state(ID).ready == 2


def test_what_is_not_there_stops_and_goes(engine):
    engine.stop(ID)
    engine.remove(ID)
    assert engine.state(ID) == UnitState()
    assert engine.logs(ID) == {}
    assert engine.log(ID, "application", 1000) == ""


def test_nothing_is_left_of_what_is_removed(cluster, tmp_path):
    engine = engine_for(cluster, tmp_path, domain="example.org")
    for id in (ID, OTHER):
        engine.start(unit(id))
        engine.settle(unit(id), never)
    cluster.lag = 1
    engine.remove(ID)
    assert {one["metadata"]["labels"]["apifold.org/unit"] for one in cluster.objects.values()} == {OTHER}
    assert len(cluster.objects) == 5
    engine.remove(ID)
    engine.remove(OTHER)
    assert cluster.objects == {}


@pytest.mark.parametrize("what", ["stop", "remove"])
def test_pods_that_do_not_go_are_told(cluster, tmp_path, what):
    engine = engine_for(cluster, tmp_path, stop_seconds=0.1)
    engine.start(unit())
    engine.settle(unit(), never)
    cluster.lingers = True
    with pytest.raises(EngineFailed, match=r"not gone after 0.1 seconds: apifold-aaaaaaaa.*-abcde"):
        getattr(engine, what)(ID)
    cluster.lingers = False
    getattr(engine, what)(ID)


def test_a_pod_that_was_evicted_does_not_keep_it_from_stopping(engine, cluster):
    engine.start(unit())
    engine.settle(unit(), never)
    cluster.the("Pod")["status"]["phase"] = "Failed"
    cluster.lingers = True
    engine.stop(ID)


def test_a_sqlite_database_is_refused_since_nothing_would_keep_it(engine, cluster):
    with pytest.raises(EngineFailed, match=r"DATABASE_URL is for a folder that stays.*org\.postgresql:postgresql"):
        engine.start(unit(variables={"DATABASE_URL": "sqlite:///$DATA_FOLDER/database.sqlite"}))
    assert cluster.asked == []


def test_logs_are_those_of_all_instances_in_their_order(engine, cluster):
    engine.start(unit(instances=2))
    engine.settle(unit(instances=2), never)
    one, two = cluster.of("Pod")
    cluster.logs[one] = [f"2026-01-02T03:04:0{second}.000000001Z line {second}" for second in (1, 3)]
    cluster.logs[two] = ["2026-01-02T03:04:02.500000000Z line \u2028 2", "2026-01-02T03:04:04.987654321Z "]
    assert engine.logs(ID) == {"application": "2026-01-02T03:04:04.987654"}
    text = engine.log(ID, "application", 100_000)
    assert text == (
        f"2026-01-02T03:04:01.000000001Z {one}: line 1\n"
        f"2026-01-02T03:04:02.500000000Z {two}: line \u2028 2\n"
        f"2026-01-02T03:04:03.000000001Z {one}: line 3\n"
        f"2026-01-02T03:04:04.987654321Z {two}: \n"
    )
    assert engine.log(ID, "application", 7) == text[-7:]
    assert len(engine.log(ID, "application", 50).encode()) <= 50
    assert engine.log(ID, "build", 1000) == ""


def test_of_a_long_log_there_is_the_end(engine, cluster):
    engine.start(unit())
    engine.settle(unit(), never)
    (pod,) = cluster.of("Pod")
    cluster.logs[pod] = [f"{MOMENT} {number} {'x' * 1000}" for number in range(3000)]
    lines = engine.log(ID, "application", 10_000).splitlines()
    assert f"{pod}: 2999 xxx" in lines[-1]
    assert 5 < len(lines) < 11
    assert ("GET", {"container": "application", "tailLines": "2000", "timestamps": "true"}) in [
        (method, query) for method, _, query, _ in cluster.asked
    ]


def test_a_log_without_lines_is_as_old_as_its_pod(engine):
    engine.start(unit())
    engine.settle(unit(), never)
    assert engine.logs(ID) == {"application": "2026-01-02T03:04:05.000000"}
    assert engine.log(ID, "application", 1000) == ""


def test_only_what_is_known_stays(cluster, tmp_path):
    engine = engine_for(cluster, tmp_path, domain="example.org")
    for id in (ID, OTHER):
        engine.start(unit(id))
        engine.settle(unit(id), never)
    foreign = "/apis/apps/v1/namespaces/apps/deployments/foreign"
    labels = {"app.kubernetes.io/managed-by": "somebody", "apifold.org/unit": "x"}
    metadata = {"name": "foreign", "labels": labels, "generation": 1}
    spec = {"replicas": 0, "template": {"metadata": {"labels": {}}}}
    cluster.objects[foreign] = {"kind": "Deployment", "metadata": metadata, "spec": spec}
    cluster.looks[foreign] = 0

    def known():
        engine.start(unit(THIRD))  # it was not there when it was looked for what there is
        return {ID}

    engine.forget_all_but(known)
    left = {one["metadata"]["labels"].get("apifold.org/unit") for one in cluster.objects.values()}
    assert {ID, THIRD, "x"} <= left
    assert set(cluster.of("Service")) == {f"apifold-{ID}", f"apifold-{THIRD}"}
    assert engine.state(OTHER) == UnitState()
    assert f"apifold-{OTHER}" not in cluster.of("Deployment")
    assert len(cluster.of("Ingress")) == len(cluster.of("Secret")) == 2


# How it is asked


def test_each_request_is_what_the_api_takes(cluster, tmp_path):
    engine = engine_for(cluster, tmp_path, domain="example.org")
    engine.start(unit())
    engine.stop(ID)
    engine.remove(ID)
    media = {(method, path.rpartition("/")[2] == "scale"): media for method, path, _, media in cluster.asked}
    assert media["PATCH", False] == "application/apply-patch+yaml"
    assert media["PATCH", True] == "application/merge-patch+json"
    written = [path.split("/")[-2] for method, path, query, _ in cluster.asked if "force" in query]
    assert written == ["secrets", "services", "ingresses", "deployments"]
    removed = [path.split("/")[-2] for method, path, *_ in cluster.asked if method == "DELETE"]
    assert removed[-1] == "deployments"
    assert sorted(removed) == ["deployments", "ingresses", "secrets", "services"]


def test_the_token_is_read_again(engine, cluster, tmp_path):
    engine.start(unit())
    cluster.token = "another"
    (tmp_path / "token").write_text("another")
    engine.start(unit())


def doings(engine):
    return {
        "start": lambda: engine.start(unit()),
        "settle": lambda: engine.settle(unit(), never),
        "stop": lambda: engine.stop(ID),
        "remove": lambda: engine.remove(ID),
        "forget": lambda: engine.forget_all_but(set),
    }


def break_token(cluster, file):
    cluster.token = "another"


def break_file(cluster, file):
    file.write_text(f"{TOKEN}\nX-Injected: {TOKEN}")


def break_letters(cluster, file):
    file.write_text(f"{TOKEN}é")


def break_empty(cluster, file):
    file.write_text("\n")


def break_missing(cluster, file):
    file.unlink()


def break_right(cluster, file):
    for method in ("GET", "PATCH", "DELETE"):
        for kind in ("secrets", "services", "ingresses", "deployments", "pods"):
            cluster.refuses[method, kind] = 403, f'{kind} is forbidden: User "apifold" cannot do that'


def break_answer(cluster, file):
    cluster.raw = 200, {}, b"<h1>Welcome</h1>"


def break_gateway(cluster, file):
    cluster.raw = 502, {}, b"<h1>Bad gateway</h1>"


def break_length(cluster, file):
    cluster.raw = 200, {"Transfer-Encoding": "chunked"}, b"ffff\r\n{"


def break_all(cluster, file):
    cluster.close()


BREAKS = {
    break_token: "Kubernetes answers 401: Unauthorized",
    break_file: "its token file holds no token",
    break_letters: "its token file holds no token",
    break_empty: "its token file holds no token",
    break_missing: "its token file holds no token",
    break_right: 'is forbidden: User "apifold" cannot do that',
    break_answer: "it is no JSON",
    break_gateway: "Kubernetes answers 502",
    break_length: "can't be asked",
    break_all: "can't be asked: .*refused",
}


@pytest.mark.parametrize("what", doings(None))
@pytest.mark.parametrize(("broken", "said"), BREAKS.items(), ids=[one.__name__ for one in BREAKS])
def test_what_can_t_be_done_says_why_and_never_the_token(tmp_path, caplog, what, broken, said):
    cluster = Cluster()
    engine = engine_for(cluster, tmp_path, start_seconds=0.1)
    try:
        broken(cluster, tmp_path / "token")
        with pytest.raises(EngineFailed, match=said) as failed:
            doings(engine)[what]()
        # Whoever only looks is told that nothing is known, which is no reason to start it again.
        assert engine.state(ID) == UnitState(alive=True)
        assert engine.logs(ID) == {}
        assert engine.log(ID, "application", 1000) == ""
    finally:
        cluster.close()
    for text in (str(failed.value), caplog.text):
        assert TOKEN not in text
        assert SECRET_VALUE not in text


def test_no_redirect_takes_the_token_elsewhere(engine, cluster):
    elsewhere = Cluster()
    try:
        cluster.raw = 307, {"Location": f"{elsewhere.url}/api/v1/namespaces/apps/pods"}, b""
        for do in doings(engine).values():
            with pytest.raises(EngineFailed, match="Kubernetes answers 307"):
                do()
        assert elsewhere.asked == []
    finally:
        elsewhere.close()


def test_a_long_message_is_cut(engine, cluster):
    cluster.refuses["PATCH", "secrets"] = 422, "x" * 100_000
    with pytest.raises(EngineFailed) as failed:
        engine.start(unit())
    assert len(str(failed.value)) < 1100


# The whole service


PLAN = """
camp_version: CAMP 1.1
name: {name}
parameters: {{GREETING: hello}}
artifacts:
  - name: web
    artifact_type: org.opencontainers:image
    content: {{href: "%s"}}
"""


@pytest.fixture
def hosted(platforms, cluster, tmp_path):
    settings = {**reached(cluster, tmp_path), "domain": "apps.example.org", "start_seconds": 2}
    return platforms(engine="kubernetes", kubernetes=settings)


def test_a_plan_becomes_an_application_in_the_cluster(hosted, cluster):
    assembly = hosted.assembly(text=PLAN % IMAGE)
    assert assembly["status"] == "DEPLOYMENT_COMPLETE"
    (component,) = (hosted.get(one["href"]).json for one in assembly["components"])
    id = cluster.the("Deployment")["metadata"]["labels"]["apifold.org/unit"]
    assert assembly["application_uri"] == f"http://web-{id[:8]}.apps.example.org"
    assert cluster.the("Ingress")["spec"]["rules"][0]["host"] in assembly["application_uri"]
    assert component["artifact"] == IMAGE
    assert cluster.the("Secret")["data"] == {"GREETING": "aGVsbG8="}

    # The cluster loses it, and it is there again.
    cluster.objects.clear()
    hosted.core.care(never)
    hosted.core.care(never)
    assert cluster.the("Deployment")["status"]["readyReplicas"] == 1

    assert hosted.delete(assembly["uri"]).status == 204
    hosted.settle()
    assert hosted.get(assembly["uri"]).status == 404
    assert cluster.objects == {}


def test_a_plan_whose_image_is_not_there_says_so(hosted, cluster):
    assembly = hosted.assembly(text=PLAN % "docker://registry.example.org/missing:1")
    assert assembly["status"] == "ERROR_CODE_DEPLOYMENT"
    assert "ImagePullBackOff" in json.dumps(assembly)
    assert cluster.of("Pod") == {}
    assert hosted.delete(assembly["uri"]).status == 204
    hosted.settle()
    assert cluster.objects == {}


def test_a_plan_with_sources_is_refused_at_once(hosted, cluster):
    plan = hosted.plan(text=PLAN % "https://example.org/web.git")
    refused = hosted.post(f"{CAMP}/assemblies", {"plan_uri": plan["uri"]})
    assert refused.status == 400
    assert "docker://REGISTRY/NAME:TAG" in refused.text
    assert cluster.asked == []
