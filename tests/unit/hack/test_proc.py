"""Processes: told apart by start time, stopped for sure, found by their mark."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hack.cluster import owners, proc

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


def test_the_name_in_stat_may_hold_anything() -> None:
    rest = " ".join(["S", *["0"] * 18, "4711", *["0"] * 20])
    assert proc.parse_stat(f"12 (a) b) {rest}") == ("S", 4711)


def test_a_recycled_pid_is_not_taken_for_ours() -> None:
    mine = proc.identify(os.getpid())
    assert mine
    assert mine.alive()
    assert not replace(mine, started=mine.started + 1).alive()
    assert not replace(mine, boot="another").alive()


def test_spawn_writes_a_pid_file_and_marks_the_process(tmp_path: Path) -> None:
    pid_file = tmp_path / "pids" / "x.json"
    identity = proc.spawn("x", SLEEPER, state=tmp_path, log=tmp_path / "x.log", pid_file=pid_file)
    try:
        assert proc.read_pid(pid_file) == identity
        found = [mark for mark in proc.marked() if mark.state == tmp_path]
        assert [(mark.component, mark.identity.pid, mark.shim) for mark in found] == [("x", identity.pid, False)]
        assert tmp_path in owners.others(Path("/another"))
        assert tmp_path not in owners.others(tmp_path)
    finally:
        proc.stop(identity)
    assert not identity.alive()


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel has no autogroups")
def test_a_session_gets_a_niceness(tmp_path: Path) -> None:
    identity = proc.spawn("x", SLEEPER, state=tmp_path, log=tmp_path / "x.log", pid_file=tmp_path / "x.json")
    try:
        proc.hurry(identity, 5)
        assert Path(f"/proc/{identity.pid}/autogroup").read_text().endswith(" nice 5\n")
    finally:
        proc.stop(identity)
    proc.hurry(identity, 5)  # it has ended, and nobody minds


@pytest.mark.parametrize("text", ["", "{}", '{"pid": 1}', "[1]", "garbage"])
def test_a_torn_pid_file_names_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    assert proc.read_pid(tmp_path / "pid") is None


def test_what_ignores_the_first_signal_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        identity = proc.identify(process.pid)
        assert identity
        proc.stop(identity, grace=0.2)
        assert process.wait(5) == -signal.SIGKILL


def test_stop_leaves_a_recycled_pid_alone() -> None:
    with subprocess.Popen(SLEEPER) as process:
        identity = proc.identify(process.pid)
        assert identity
        proc.stop(replace(identity, started=identity.started - 5))
        assert process.poll() is None
        process.kill()


def test_environ_block() -> None:
    assert proc.parse_environ(b"A=1\0B=x=y\0broken\0") == {"A": "1", "B": "x=y"}


def mark(state: str, *, shim: bool) -> proc.Marked:
    return proc.Marked(proc.Identity(1, 1, "b"), Path(state), "containerd", shim)


def test_a_cluster_of_which_only_shims_are_left_is_dead() -> None:
    alive, dead = owners.owners([mark("/a", shim=False), mark("/a", shim=True), mark("/b", shim=True)])
    assert alive == {Path("/a")}
    assert dead == {Path("/b")}


def test_identity_survives_json() -> None:
    identity = proc.Identity(7, 8, "boot")
    assert proc.Identity(**json.loads(json.dumps(asdict(identity)))) == identity
