"""Real processes: workers that share a socket, are replaced, rolled and drained; files that change under load."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time

import pytest

from tests.servers import APIFOLD, free_port, until

pytestmark = pytest.mark.process

API = """
openapi: 3.1.0
info: {title: T, version: "1"}
servers: [{url: BASE}]
x-apifold: {handlers: slow_handlers}
paths:
  /fast: {get: {operationId: fast, responses: {"200": {description: ok}}}}
  /slow: {get: {operationId: slow, responses: {"200": {description: ok}}}}
  /block: {get: {operationId: block, responses: {"200": {description: ok}}}}
"""

HANDLERS = """
import asyncio
import os
import time

VERSION = 1

async def fast():
    return {"pid": os.getpid(), "version": VERSION}

async def slow():
    await asyncio.sleep(1)
    return {"pid": os.getpid()}

def block():
    time.sleep(1.5)
    return {"pid": os.getpid()}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "api.yaml").write_text(API.replace("BASE", "/t"))
    (tmp_path / "slow_handlers.py").write_text(HANDLERS)
    return tmp_path


class Load:
    """Clients that ask again and again over kept connections, and count what they get."""

    def __init__(self, server, path="/t/fast", clients=6):
        self.server = server
        self.path = path
        self.answers: dict[int, int] = {}
        self.lost = 0
        self.stopping = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        import http.client

        connection = None
        while not self.stopping:
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
                    connection.connect()
                connection.request("GET", self.path)
                answer = connection.getresponse()
                answer.read()
                with self.lock:
                    self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
                if answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.lost += 1
                connection.close()
                connection = None
        if connection:
            connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()


def test_workers_share_one_socket_and_tell_their_state(server, folder):
    started = server(folder, "--workers", 2)
    state = until(lambda: (found := started.get("/-/apis").json) and len(found["workers"]) == 2 and found)
    assert {one["pid"] for one in state["workers"]} == set(started.workers())
    assert {one["generation"] for one in state["workers"]} == {state["generation"]}
    assert "serving on http://127.0.0.1:" in started.log.read_text()
    assert started.stop() == 0


def test_a_killed_worker_is_replaced_and_loses_only_what_was_in_flight(server, folder):
    started = server(folder, "--workers", 2, "--no-access-log")
    before = started.workers()
    with Load(started, clients=6) as load:
        time.sleep(0.5)
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(started.workers()) == 2 and set(started.workers()) != set(before))
        time.sleep(0.7)
    assert load.lost <= 6
    assert set(load.answers) == {200}
    assert load.answers[200] > 100


def test_a_roll_loses_nothing_and_runs_new_code(server, folder):
    started = server(folder, "--workers", 2, "--no-access-log")
    with Load(started) as load:
        time.sleep(0.3)
        (folder / "slow_handlers.py").write_text(HANDLERS.replace("VERSION = 1", "VERSION = 2"))
        before = set(started.workers())
        started.signal(signal.SIGHUP)
        until(lambda: not before & set(started.workers()) and started.get("/t/fast").json["version"] == 2)
        time.sleep(0.3)
    assert (load.lost, set(load.answers)) == (0, {200})


def test_in_development_changed_code_is_served_at_once(server, folder):
    started = server(folder, "--workers", 2, "--dev")
    until(lambda: len(started.get("/-/apis").json["workers"]) == 2)
    (folder / "slow_handlers.py").write_text(HANDLERS.replace("VERSION = 1", "VERSION = 7"))
    until(lambda: all(started.get("/t/fast").json["version"] == 7 for _ in range(8)), 40)


def test_new_code_that_is_broken_does_not_end_the_server(server, folder):
    (folder / "other.yaml").write_text(
        API.replace("BASE", "/other")
        .replace("{operationId: fast,", "{x-apifold: {binding: mock},")
        .replace("operationId: slow,", "x-apifold: {binding: mock},")
        .replace("operationId: block,", "x-apifold: {binding: mock},")
    )
    started = server(folder, "--workers", 1)
    (folder / "slow_handlers.py").write_text("this is no Python\n")
    before = set(started.workers())
    started.signal(signal.SIGHUP)
    until(lambda: not before & set(started.workers()))
    assert until(lambda: started.get("/other/fast").status == 200)
    assert started.process.poll() is None


def test_a_stop_lets_requests_finish(server, folder):
    started = server(folder, "--workers", 2)
    found = []
    threads = [
        threading.Thread(target=lambda path=path: found.append(started.get(path).status))
        for path in ("/t/slow", "/t/block")
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert started.stop() == 0
    for thread in threads:
        thread.join()
    assert found == [200] * 8
    assert time.monotonic() - began < 8


def test_files_come_change_and_go_under_load(server, folder):
    started = server(folder, "--workers", 2, "--no-access-log", "--poll", 0.1)
    with Load(started) as load, Load(started, "/more/fast", clients=2) as more:
        for version in "0123":
            (folder / "more.yaml").write_text(
                API.replace("BASE", "/more").replace('version: "1"', f'version: "{version}"')
            )
            seen_by_all(started, lambda wanted=version: version_of(started) == wanted)
        (folder / "more.yaml").write_text("openapi: [")
        until(lambda: started.get("/-/apis").json["errors"])
        assert started.get("/more/fast").status == 200
        (folder / "more.yaml").unlink()
        seen_by_all(started, lambda: started.get("/more/fast").status == 404)
    assert (load.lost, set(load.answers)) == (0, {200})
    assert (more.lost, set(more.answers)) == (0, {200, 404})


MODEL = """
model: host
path: /inventory/hosts
fields: {name: {type: string}}
"""


def test_an_api_goes_in_every_worker_within_a_second_and_lets_its_requests_finish(server, folder):
    started = server(folder, "--workers", 3, "--no-access-log")

    def both_answer(status):
        return {started.get(path).status for path in ("/inventory/hosts", "/more/fast")} == {status}

    seconds = []
    with Load(started) as load:
        for _ in range(5):
            (folder / "hosts.yaml").write_text(MODEL)
            (folder / "more.yaml").write_text(API.replace("BASE", "/more"))
            added = same_generation(started, lambda: both_answer(200))
            assert {one["name"] for one in started.get("/-/apis").json["apis"]} == {"api", "hosts", "more"}
            in_flight = []
            slow = threading.Thread(target=lambda: in_flight.append(started.get("/more/slow").status))  # noqa: B023
            slow.start()
            time.sleep(0.3)
            (folder / "hosts.yaml").unlink()
            (folder / "more.yaml").unlink()
            began = time.monotonic()
            removed = same_generation(started, lambda: both_answer(404))
            seconds.append(time.monotonic() - began)
            assert added != removed
            assert [started.get("/more/fast").status for _ in range(9)] == [404] * 9
            slow.join()
            assert in_flight == [200]
    assert (load.lost, set(load.answers)) == (0, {200})
    assert sorted(seconds)[len(seconds) // 2] < 1.0, seconds  # the machine may be busy once


def same_generation(started, condition):
    """The generation that every worker serves, once a condition holds in each and they then say the same one."""

    def reached():
        if not all(condition() for _ in range(9)):
            return None
        workers = started.get("/-/apis").json["workers"]
        generations = {worker["generation"] for worker in workers}
        return generations.pop() if len(workers) == 3 and len(generations) == 1 else None

    return until(reached)


def version_of(started):
    found = started.get("/more/openapi.json")
    return found.json["info"]["version"] if found.status == 200 else None


def seen_by_all(started, condition):
    """Until many requests in a row, which reach every worker, see something."""
    began = time.monotonic()
    until(lambda: all(condition() for _ in range(12)))
    assert time.monotonic() - began < 6


def test_metrics_are_summed_over_workers_and_never_run_back(server, folder):
    started = server(folder, "--workers", 2, "--no-access-log")
    pids = set()
    for count in range(1, 60):
        pids.add(started.get("/t/fast").json["pid"])
        if len(pids) == 2 and count >= 20:
            break

    def counted():
        text = started.get("/-/metrics").body.decode()
        found = re.search(r'apifold_request_seconds_count{api="api",operation="fast",status="200"} ([\d.]+)', text)
        return float(found.group(1)) if found else 0

    until(lambda: counted() == count)
    time.sleep(1.2)  # what a killed worker counted in its last second is lost, as the documentation says
    os.kill(started.workers()[0], signal.SIGKILL)
    until(lambda: len(started.workers()) == 2)
    until(lambda: counted() == count)


def test_workers_count_a_client_together(server, folder):
    started = server(folder, "--workers", 2, "--rate-limit", "20/h", "--no-access-log")
    answers = [started.get("/t/fast") for _ in range(40)]
    statuses = [answer.status for answer in answers]
    assert 15 <= statuses.count(200) <= 21, "some went to asking whether it is ready"
    assert set(statuses) == {200, 429}
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600


def test_a_first_start_with_errors_is_told_once_and_refused(folder):
    (folder / "broken.yaml").write_text("openapi: [")
    line = [
        APIFOLD,
        "serve",
        folder,
        "--listen",
        f"127.0.0.1:{free_port()}",
        "--workers",
        "3",
        "--state",
        folder / "state",
    ]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stderr.count("this is not YAML") == 3 or ended.stderr.count("not started") == 1
    assert "broken.yaml:1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_restart_serves_the_last_good_version_of_a_broken_file(server, folder, tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    first = server(folder, environment={"APIFOLD_STATE": str(state)})
    # `--state` of the fixture is the stronger one; the second start shares it.
    shared = first.log.parent / "state"
    first.stop()
    (folder / "api.yaml").write_text("openapi: [")
    port = free_port()
    process = subprocess.Popen(
        [APIFOLD, "serve", folder, "--listen", f"127.0.0.1:{port}", "--state", shared],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        first.port, first.process = port, process
        first.wait()
        assert first.get("/t/fast").status == 200
        assert first.get("/-/apis").json["errors"]
    finally:
        process.terminate()
        process.wait(10)


def test_a_port_that_is_taken_is_told(server, folder):
    started = server(folder)
    ended = subprocess.run(
        [APIFOLD, "serve", folder, "--listen", f"127.0.0.1:{started.port}"],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=started.log.parent,
    )
    assert ended.returncode == 2
    assert "is something else serving there?" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_does_not_listen_to_strangers_without_authentication(folder):
    line = [APIFOLD, "serve", folder, "--listen", f"0.0.0.0:{free_port()}"]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "--insecure" in ended.stderr


def test_it_may_listen_to_strangers_with_authentication_or_when_told(server, folder, tmp_path):
    (tmp_path / "tokens").write_text("- {token: t, user: u}\n")
    started = server(folder, "--auth", "tokens", "--tokens", tmp_path / "tokens", wait=False)
    until(lambda: _answers(started))
    assert started.get("/t/fast").status == 401
    assert started.get("/t/fast", headers={"authorization": "Bearer t"}).status == 200
    assert "Bearer t" not in started.log.read_text()


def _answers(started):
    try:
        return started.get("/-/live").status == 200
    except OSError:
        return False


def test_slow_clients_are_let_go_and_others_are_not_held_up(server, folder):
    import socket

    started = server(folder, "--workers", 1, "--header-timeout", 3)
    slow = [socket.create_connection(("127.0.0.1", started.port)) for _ in range(50)]
    for one in slow:
        one.send(b"GET /t/fast HTTP/1.1\r\n")
    began = time.monotonic()
    assert started.get("/t/fast").status == 200
    assert time.monotonic() - began < 2
    for one in slow:
        one.settimeout(8)
        assert b"408" in one.recv(1000)
        one.close()


def test_a_blocking_handler_does_not_hold_up_others(server, folder):
    started = server(folder, "--workers", 1)
    threads = [threading.Thread(target=started.get, args=("/t/block",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    began = time.monotonic()
    assert started.get("/t/fast").status == 200
    assert time.monotonic() - began < 1
    for thread in threads:
        thread.join()


def test_a_unix_socket_and_tls(server, folder, tmp_path):
    import socket
    import ssl
    import urllib.request

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    import datetime

    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    started = server(folder, "--tls-certificate", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem", wait=False)
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))

    def secure():
        try:
            with urllib.request.urlopen(f"https://localhost:{started.port}/", context=context, timeout=3) as answer:
                return answer.read()
        except OSError:
            return b""

    assert b'"base":"https://localhost:' in until(secure)

    path = tmp_path / "socket"
    process = subprocess.Popen(
        [APIFOLD, "serve", folder, "--listen", f"unix:{path}", "--state", tmp_path / "state"], stderr=subprocess.DEVNULL
    )
    try:

        def ask():
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(str(path))
                except OSError:
                    return b""
                client.send(b"GET /t/fast HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                client.settimeout(5)
                return client.recv(100)

        assert b"200 OK" in until(ask)
    finally:
        process.terminate()
        process.wait(10)
