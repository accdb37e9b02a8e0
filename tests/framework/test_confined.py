"""Commands in child processes: what they may take, and that nothing is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apifold import Limits, run_confined
from tests.servers import until


def python(code: str, limits: Limits | None = None, **more):
    return run_confined([sys.executable, "-c", code], limits or Limits(), **more)


def test_what_it_writes_and_how_it_ends_is_told():
    outcome = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (outcome.status, outcome.output, outcome.errors, outcome.ok) == (3, "out\n", "err\n", False)
    assert python("pass").ok


@pytest.mark.parametrize(
    ("code", "limits", "cut"),
    [
        ("import time; time.sleep(30)", Limits(seconds=0.3), "time"),
        ("while True: print('x' * 1000)", Limits(seconds=10, output=5000), "output"),
        ("import sys\nwhile True: print('x' * 1000, file=sys.stderr)", Limits(seconds=10, output=5000), "output"),
    ],
)
def test_it_is_ended_where_it_takes_too_much(code, limits, cut):
    outcome = python(code, limits)
    assert (outcome.cut, outcome.ok) == (cut, False)
    assert outcome.seconds < 5
    assert len(outcome.output) <= max(limits.output, 5000)


def test_processor_time_and_memory_are_limited():
    assert not python("while True: pass", Limits(seconds=20, cpu_seconds=1)).ok
    greedy = python("b'x' * (1 << 30)", Limits(memory=512 << 20))
    assert "MemoryError" in greedy.errors


def test_it_is_stopped_when_told():
    began = time.monotonic()
    outcome = python("import time; time.sleep(30)", stop=lambda: time.monotonic() - began > 0.3)
    assert outcome.cut == "stopped"


def test_niceness_and_cores_are_as_told():
    cores = sorted(os.sched_getaffinity(0))
    told = python(
        "import os; print(os.nice(0), sorted(os.sched_getaffinity(0)))", Limits(niceness=7, cores=(cores[-1],))
    )
    assert told.output.strip() == f"7 [{cores[-1]}]"


def test_nothing_that_the_server_knows_is_in_its_environment(monkeypatch):
    monkeypatch.setenv("APIFOLD_DATABASE", "postgresql://user:secret@host/name")
    assert "secret" not in python("import os; print(dict(os.environ))").output


def test_what_a_command_is_told_only_the_command_hears():
    """A variable for the loader, say, is not heard by the program that takes the limits, which may be root's."""
    told = run_confined(["env"], Limits(), variables={"OWN": "a\nb" + "x" * 100_000, "LD_PRELOAD": "/nowhere.so"})
    assert f"OWN=a\nb{'x' * 100_000}\n" in told.output
    assert told.errors.count("/nowhere.so") <= 1


def test_what_it_writes_is_added_to_a_log_as_it_comes(tmp_path):
    log, seen = tmp_path / "log", []
    log.write_text("before\n")

    def stop():
        seen.append("out\n" in log.read_text())
        return False

    code = "import sys, time; print('out', flush=True); time.sleep(0.5); print('err', file=sys.stderr); open('/dev/stderr', 'w').write('aside')"
    outcome = python(code, log=log, stop=stop)
    assert (outcome.ok, outcome.output, outcome.errors) == (True, "", "")
    assert log.read_text() == "before\nout\nerr\naside"
    assert any(seen)
    outcome = python("while True: print('x' * 1000)", Limits(seconds=10, output=5000), log=log)
    assert outcome.cut == "output"
    assert log.stat().st_size < 3_000_000


def test_open_files_are_handed_on():
    reading, writing = os.pipe()
    outcome = run_confined(["sh", "-c", f"echo there > /dev/fd/{writing}"], Limits(), descriptors=(writing,))
    os.close(writing)
    with open(reading) as file:
        assert (outcome.ok, file.read()) == (True, "there\n")


def test_what_is_not_there_is_told():
    outcome = run_confined(["no-such-program"], Limits())
    assert outcome.errors == "no-such-program: No such file or directory\n"


def test_children_of_it_end_with_it(tmp_path):
    note = tmp_path / "pid"
    code = f"import subprocess, time; p = subprocess.Popen(['sleep', '60']); open({str(note)!r}, 'w').write(str(p.pid)); time.sleep(60)"
    python(code, Limits(seconds=1))
    until(lambda: not _runs(int(note.read_text())))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_it_dies_with_its_parent(tmp_path):
    note = tmp_path / "pid"
    code = (
        "from apifold import Limits, run_confined\n"
        f"run_confined(['sh', '-c', 'echo $$ > {note}; exec sleep 60'], Limits())"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    pid = until(lambda: note.exists() and note.read_text().strip() and int(note.read_text()))
    parent.kill()
    parent.wait()
    until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
