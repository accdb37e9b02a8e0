"""The engine `process`, by calls: applications that run, and what happens when they misbehave."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from apifold_services.platform.core.engines.engine import EngineFailed, Unit
from tests.servers import until
from tests.services.platform.rig import (
    APP,
    IS_ROOT,
    QUIET,
    WALLS,
    command_of,
    get,
    marked,
    never,
    pids,
    sh,
)

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="it is for Linux")

# --- how it is kept running


def test_an_application_runs(rig):
    unit = rig.app()
    assert rig.engine.state(unit.id).alive is False
    address = rig.run(unit)
    assert urlsplit(address).port == rig.engine.ports.of(unit.id)[0]
    assert get(address) == (200, "1")
    state = until(lambda: (found := rig.engine.state(unit.id)).memory > 1_000_000 and found)
    assert (state.alive, state.ready, state.restarts) == (True, 1, 0)
    assert abs(state.started - time.time()) < 30
    assert set(rig.engine.logs(unit.id)) == {"build", "application"}
    assert rig.log(unit).count("web.1: begins") == 1
    rig.engine.stop(unit.id)
    assert rig.engine.state(unit.id).alive is False
    assert marked(unit.id) == rig.listening() == rig.of_our_users() == []
    assert rig.engine.folder(unit.id).exists()
    assert rig.engine.start(unit) == address
    rig.engine.settle(unit, never)
    assert get(address) == (200, "1")


def test_everything_may_be_said_again(rig):
    unit = rig.app()
    for call in (rig.engine.stop, rig.engine.remove, rig.engine.state, rig.engine.logs):
        call(unit.id)
    assert rig.engine.log(unit.id, "application", 100) == rig.engine.log(unit.id, "../../etc", 100) == ""
    with pytest.raises(EngineFailed, match="it was not built"):
        rig.engine.start(unit)
    rig.made(unit)
    rig.made(unit)
    address = rig.engine.start(unit)
    supervisor = rig.supervisor(unit)
    assert rig.engine.start(unit) == address
    rig.engine.settle(unit, never)
    assert rig.supervisor(unit) == supervisor
    assert rig.log(unit).count("begins") == 1
    rig.made(unit)
    assert rig.engine.state(unit.id).alive is False, "what is fetched anew does not run meanwhile"
    for _ in range(2):
        rig.engine.stop(unit.id)
    for _ in range(2):
        rig.engine.remove(unit.id)
    assert rig.leftovers() == []


def supervisors(unit):
    return [pid for pid in pids() if f"{unit.id}/supervisor.pid" in command_of(pid)]


def test_what_is_stopped_while_it_is_started_does_not_run(rig):
    """As when whoever started it was killed, and the next one is told to stop it."""
    unit = rig.app()
    rig.made(unit)
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(rig.engine.start, unit)
        (pid,) = until(lambda: supervisors(unit))
        os.kill(pid, signal.SIGSTOP)
        assert rig.supervisor(unit) == 0
        rig.engine.stop(unit.id)
        assert isinstance(starting.exception(20), EngineFailed)
    assert supervisors(unit) == marked(unit.id) == []


def test_one_that_is_started_twice_at_once_runs_once(rig):
    unit = rig.app()
    rig.made(unit)
    with ThreadPoolExecutor() as pool:
        addresses = set(pool.map(lambda _: rig.engine.start(unit), range(4)))
    assert len(addresses) == 1
    rig.engine.settle(unit, never)
    until(lambda: supervisors(unit) == [rig.supervisor(unit)])
    assert get(addresses.pop()) == (200, "1")


def test_units_that_start_at_once_have_nothing_in_common(rig):
    units = [rig.app() for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        addresses = list(pool.map(rig.run, units))
    assert len(set(addresses)) == 4
    rows = rig.rows()
    assert len({row.port for row in rows}) == len(rows) == 8
    users = {sh(address, "id -u").strip() for address in addresses}
    assert len(users) == (4 if IS_ROOT else 1)
    assert "0" not in users or not IS_ROOT


def test_there_are_only_so_many_ports(rig):
    units = [rig.app(instances=9) for _ in range(3)]
    for unit in units[:2]:
        rig.made(unit)
        rig.engine.ports.take(unit.id, 10)
    with pytest.raises(EngineFailed, match="there are no more ports between"):
        rig.engine.ports.take(units[2].id, 1)
    rig.engine.remove(units[0].id)
    assert len(rig.engine.ports.take(units[2].id, 10)) == 10


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_applications_answer_where_they_are_told_to(rigs, host):
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
            )
        except OSError:
            pytest.skip(f"this machine has no {host}")
        rig = rigs(host=host)
        taken = rig.engine.ports.first + 1
        stack.enter_context(socket.create_server(("127.0.0.1", taken)))
        unit = rig.app()
        address = rig.run(unit)
        assert urlsplit(address).hostname == host
        assert get(address) == (200, "1")
        assert taken not in rig.engine.ports.of(unit.id)


def test_what_crashes_is_started_again(rig):
    unit = rig.app()
    address = rig.run(unit)
    for count in (1, 2):
        with pytest.raises((http.client.HTTPException, OSError)):
            get(address, "/crash")
        until(lambda count=count: rig.engine.state(unit.id).restarts == count, 10)
        until(lambda: rig.engine.state(unit.id).ready == 1, 10)
        assert get(address) == (200, "1")
    assert rig.log(unit).count("begins") == 3
    assert "web.1: ended with 7" in rig.log(unit)


def test_what_crashes_at_once_is_started_again_more_and_more_slowly(rigs):
    rig = rigs(start_seconds=4)
    unit = rig.unit({"Procfile": "web: echo I crash; exit 5"})
    rig.made(unit)
    rig.engine.start(unit)
    with pytest.raises(EngineFailed, match=r"it did not answer within 4 seconds: .*I crash"):
        rig.engine.settle(unit, never)
    until(lambda: rig.engine.state(unit.id).restarts >= 2, 20)
    began = [line.split()[0] for line in rig.log(unit).splitlines() if "started as process" in line]
    passed = datetime.fromisoformat(began[2]) - datetime.fromisoformat(began[0])
    assert passed.total_seconds() >= 2, "one second, then two; in whole seconds"


def test_what_never_answers_is_told_with_its_last_words(rigs):
    rig = rigs(start_seconds=1.5)
    unit = rig.unit({"app.py": QUIET, "Procfile": "web: python3 app.py"})
    rig.made(unit)
    address = rig.engine.start(unit)
    assert get(address) == (503, "No instance answers for now.")
    with pytest.raises(EngineFailed, match=r"it did not answer within 1.5 seconds: .*I listen nowhere"):
        rig.engine.settle(unit, never)


def test_what_can_not_be_run_is_told(rigs):
    rig = rigs(start_seconds=1.5)
    unit = rig.unit({"Procfile": "web: no-such-program"})
    rig.made(unit)
    rig.engine.start(unit)
    with pytest.raises(EngineFailed, match=r"no-such-program: not found"):
        rig.engine.settle(unit, never)


def test_what_does_not_answer_any_more_is_started_again(rig):
    """It still has its port, and is sick; or it hangs whole."""
    unit = rig.app(health={"path": "/health", "accepted": [200]})
    address = rig.run(unit)
    assert get(address, "/sick") == (200, "sick")
    until(lambda: rig.engine.state(unit.id).restarts == 1, 30)
    until(lambda: rig.engine.state(unit.id).ready == 1, 10)
    assert "did not answer 3 times" in rig.log(unit)
    assert get(address, "/health")[0] == 200


@pytest.mark.parametrize(
    ("health", "web"),
    [
        ({"path": "/nothing"}, "python3 -m http.server --bind 127.0.0.1 $PORT"),
        ({"tcp": True}, "python3 lines.py"),
    ],
)
def test_what_counts_as_an_answer_is_for_the_plan_to_say(rig, health, web):
    lines = """
    import os, socket
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        while True:
            server.accept()[0].close()
    """
    rig.run(rig.unit({"Procfile": f"web: {web}", "lines.py": lines}, health=health))


def test_a_flood_instead_of_an_answer_is_none(rigs):
    rig = rigs(start_seconds=1.5)
    flood = """
    import os, socket
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        while True:
            client = server.accept()[0]
            try:
                while True:
                    client.sendall(b"x" * 100000)
            except OSError:
                pass
    """
    unit = rig.unit({"Procfile": "web: python3 flood.py", "flood.py": flood})
    rig.made(unit)
    rig.engine.start(unit)
    with pytest.raises(EngineFailed, match="did not answer"):
        rig.engine.settle(unit, never)
    supervisor = (rig.home / unit.id / "logs" / "supervisor.log").read_text()
    assert supervisor == ""


POLITE = """
import os, signal, sys, threading, time
def bye(*_):
    time.sleep(0.3)
    print("." * 200_000 + "\\nsaid goodbye", flush=True)
    open(os.environ["DATA_FOLDER"] + "/goodbye", "w").write("goodbye")
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
"""


def test_an_application_is_asked_before_it_is_killed(rigs, walls):
    """SIGTERM first; what it says then is in its log, however much."""
    rig = rigs(stop_seconds=20)
    unit = rig.unit({"app.py": POLITE + APP, "Procfile": "web: python3 app.py"})
    rig.run(unit)
    began = time.monotonic()
    rig.engine.stop(unit.id)
    assert time.monotonic() - began < 15
    assert (rig.home / unit.id / "data" / "goodbye").read_text() == "goodbye"
    assert "said goodbye" in rig.log(unit)


def test_an_application_that_does_not_listen_is_killed(rigs, walls):
    rig = rigs(stop_seconds=1)
    ignoring = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    unit = rig.unit({"app.py": ignoring + APP, "Procfile": "web: python3 app.py"})
    rig.run(unit)
    began = time.monotonic()
    rig.engine.stop(unit.id)
    assert 0.9 < time.monotonic() - began < 6
    assert marked(unit.id) == rig.of_our_users() == rig.listening() == []


DAEMONS = """
import os, sys, time
for hidden in (False, True):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        print("daemon", flush=True)
        if hidden:
            os.execve("/bin/sleep", ["sleep", "600"], {})
        time.sleep(600)
"""


@pytest.mark.skipif(not IS_ROOT and not WALLS, reason="nothing holds a daemon that hides")
def test_nothing_is_left_of_daemons(rig, walls):
    """Two of them: in sessions of their own, orphans, one without its environment; and they hold the log open."""
    unit = rig.app("web: python3 daemons.py; exec python3 app.py", {"daemons.py": DAEMONS})
    address = rig.run(unit)
    until(lambda: rig.log(unit).count("daemon") == 2)
    with pytest.raises((http.client.HTTPException, OSError)):
        get(address, "/crash")
    until(lambda: rig.engine.state(unit.id).restarts == 1, 10)
    until(lambda: rig.engine.state(unit.id).ready == 1, 10)
    rig.engine.stop(unit.id)
    assert marked(unit.id) == rig.of_our_users() == []


def test_nothing_is_left_of_daemons_of_a_build(rig, walls):
    if not IS_ROOT and walls == "bare":
        pytest.skip("nothing holds a daemon that hides")
    unit = rig.app(files={"daemons.py": DAEMONS}, build_cmd="python3 daemons.py", unittest_cmd="python3 daemons.py")
    rig.made(unit)
    assert marked(unit.id) == rig.of_our_users() == []


@pytest.mark.parametrize("hidden", [False, True])
def test_what_runs_dies_with_its_supervisor_and_comes_back(rig, walls, hidden):
    if hidden and not IS_ROOT and walls == "bare":
        pytest.skip("nothing holds a daemon that hides")
    unit = rig.app("web: python3 daemons.py; exec python3 app.py", {"daemons.py": DAEMONS}) if hidden else rig.app()
    address = rig.run(unit)
    before = rig.engine.state(unit.id).started
    os.kill(rig.supervisor(unit), signal.SIGKILL)
    until(lambda: not rig.engine.state(unit.id).alive)
    if not hidden and walls == "walls":
        until(lambda: marked(unit.id) == rig.listening() == [])
    assert rig.engine.start(unit) == address
    assert rig.engine.state(unit.id).started > before, "what it was before it died is not what it is"
    rig.engine.settle(unit, never)
    assert get(address) == (200, "1")
    if hidden:
        assert len(rig.of_our_users()) <= 8
    os.kill(rig.supervisor(unit), signal.SIGKILL)
    rig.engine.remove(unit.id)
    assert rig.leftovers() == []


def test_a_supervisor_that_can_not_begin_says_why(rig):
    unit = rig.app()
    rig.made(unit)
    port = rig.engine.ports.take(unit.id, 1)[0]
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(EngineFailed, match=r"it can't be supervised: .*in use"),
    ):
        rig.engine.start(unit)
    assert marked(unit.id) == []
    rig.engine.start(unit)
    rig.engine.settle(unit, never)


def test_logs_rotate(rig):
    unit = rig.app()
    address = rig.run(unit)
    said = "[print('x' * 1000, n) for n in range(6000)]"
    sh(address, f'python3 -c "{said}" > /proc/$PPID/fd/1')
    until(lambda: "x 5999\n" in rig.log(unit))
    files = list((rig.home / unit.id / "logs").glob("application.log*"))
    assert len(files) == 4
    assert all(file.stat().st_size <= 1_000_000 for file in files)
    assert len(rig.engine.log(unit.id, "application", 1_500_000)) == 1_500_000, "the end of a log goes over its files"


# --- one address for all instances


def answers_of(address: str, count: int = 60) -> set[str]:
    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(lambda _: get(address, "/slow?seconds=0.01"), range(count)))


def test_more_and_fewer_instances_without_losing_anybody(rig):
    unit = rig.app()
    address = rig.run(unit)
    failed, done, ended = [], [], threading.Event()

    def ask():
        while not ended.is_set():
            try:
                done.append(get(address, "/slow?seconds=0.05")[1])
            except (http.client.HTTPException, OSError) as error:
                failed.append(repr(error))

    with ThreadPoolExecutor() as pool:
        for _ in range(4):
            pool.submit(ask)
        try:
            for instances in (3, 1, 2):
                scaled = Unit(unit.id, unit.assembly_id, unit.name, unit.artifact, instances=instances)
                assert rig.engine.start(scaled) == address
                rig.engine.settle(scaled, never)
                until(lambda instances=instances: rig.engine.state(unit.id).ready == instances)
                done.clear()
                until(lambda: len(done) > 40, 20)
                assert set(done[10:]) == {str(number + 1) for number in range(instances)}
        finally:
            ended.set()
    assert failed == []
    assert answers_of(address) == {(200, "1"), (200, "2")}
    assert rig.engine.state(unit.id).restarts == 0


def test_large_and_slow_bodies(rig):
    address = rig.run(rig.app())
    status, text = get(address, f"/big?bytes={30 << 20}", timeout=30)
    assert (status, len(text)) == (200, 30 << 20)
    parts = urlsplit(address)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)) as connection:
        for size in (5 << 20, 0, 1000):  # one connection, kept
            connection.request("POST", "/", b"x" * size)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, str(size).encode())
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", "10")
        connection.endheaders()
        for _ in range(10):
            connection.send(b"x")
            time.sleep(0.05)
        assert connection.getresponse().read() == b"10"
    with contextlib.closing(socket.create_connection((parts.hostname, parts.port))) as client:
        client.sendall(f"GET /big?bytes={10 << 20} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.5)  # somebody who reads late
        got = 0
        while got < 10 << 20:
            got += len(client.recv(1 << 20))


def test_connections_that_become_something_else(rig):
    """What follows an upgrade goes both ways, and ends both ways."""
    address = rig.run(rig.app())
    parts = urlsplit(address)
    with contextlib.closing(socket.create_connection((parts.hostname, parts.port), timeout=10)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        assert b"101" in client.recv(4096)
        for word in (b"hello", b"again"):
            client.sendall(word)
            assert client.recv(100) == word.upper()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""


def test_clients_that_go_away(rig):
    unit = rig.app()
    address = rig.run(unit)
    parts = urlsplit(address)
    for _ in range(30):
        client = socket.create_connection((parts.hostname, parts.port))
        client.sendall(f"GET /big?bytes={20 << 20} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.recv(10)
        client.close()
    assert get(address) == (200, "1")
    supervisor = rig.supervisor(unit)
    until(lambda: len(list(Path(f"/proc/{supervisor}/fd").iterdir())) < 30, 10)
    assert (rig.home / unit.id / "logs" / "supervisor.log").read_text() == ""


def test_clients_of_an_instance_that_dies_are_told(rig):
    address = rig.run(rig.app())
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(get, address, "/slow?seconds=60", 10)
        time.sleep(0.3)
        began = time.monotonic()
        with pytest.raises((http.client.HTTPException, OSError)):
            get(address, "/crash")
        with pytest.raises((http.client.HTTPException, OSError)):
            waiting.result()
        assert time.monotonic() - began < 5


def test_an_instance_that_died_is_not_asked(rig):
    unit = rig.app(instances=2)
    address = rig.run(unit)
    with pytest.raises((http.client.HTTPException, OSError)):
        get(address, "/crash")
    until(lambda: "ended with 7" in rig.log(unit))
    assert {get(address)[0] for _ in range(20)} == {200}


def test_many_connections_at_once(rig):
    """More than a process may have files open where nothing is said."""
    app = """
    import asyncio, os
    async def serve(reader, writer):
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\nwell")
        writer.close()
    async def main():
        async with await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=1000) as server:
            await server.serve_forever()
    asyncio.run(main())
    """
    unit = rig.unit({"app.py": app, "Procfile": "web: python3 app.py"})
    address = rig.run(unit)
    parts = urlsplit(address)
    with contextlib.ExitStack() as stack:
        for _ in range(700):
            stack.enter_context(contextlib.closing(socket.create_connection((parts.hostname, parts.port))))
        assert get(address) == (200, "well")
    assert rig.engine.state(unit.id).restarts == 0
