"""A program of a step on this machine: how it ends, and what ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from fairlead.local.program import Program

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans over")
STAYS = """
import os, signal, sys, time
{first}
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("pid", "w").write(str(os.getpid()))
        os.rename("pid", "left")
        time.sleep(600)
    os._exit(0)
while not os.path.exists("left"):
    time.sleep(0.01)
{then}
"""
"""Starts a daemon as daemons start: a child of a child, in a session of its own; `left` has its pid."""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Makes programs in a folder; a daemon that has outlived its test is ended."""

    def make(*words: str, grace: float = 30.0) -> Program:
        return Program(words, dict(os.environ), tmp_path, tmp_path / "log", grace=grace)

    yield make
    with suppress(OSError, ValueError):
        os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)


DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def daemon(first: str = "", then: str = "") -> tuple[str, ...]:
    """The words of a program that leaves a daemon behind."""
    return (sys.executable, "-c", STAYS.format(first=first, then=then))


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("words", "code", "said"), [
    (("sh", "-c", "echo out; echo err >&2"), 0, "out\nerr\n"),
    (("sh", "-c", "exit 3"), 3, ""),
    (("sh", "-c", "kill -SEGV $$"), 128 + signal.SIGSEGV, ""),
    (("sh", "-c", "yes | head -1"), 0, "y\n"),
    (("no-such-program",), 127, "no-such-program: No such file or directory\n"),
    (("/",), 126, "/: Permission denied\n"),
])  # fmt: skip
def test_its_exit_code_is_what_a_shell_would_give(
    made: Callable[..., Program], words: tuple[str, ...], code: int, said: str
) -> None:  # fmt: skip
    program = made(*words)
    assert (program.run(60), program.tail, program.log.read_text()) == (code, said, said)


def test_a_folder_that_is_gone_is_named(made: Callable[..., Program], tmp_path: Path) -> None:
    program = made("true")
    program.folder = tmp_path / "gone"
    assert program.run(60) == 127
    assert program.tail == f"{tmp_path}/gone: No such file or directory\n"


@LINUX
@pytest.mark.parametrize("first", ["", DEAF])
@pytest.mark.parametrize("then", ["", "sys.exit(5)"])
def test_a_daemon_that_it_has_started_ends_with_it(
    made: Callable[..., Program], tmp_path: Path, first: str, then: str
) -> None:  # fmt: skip
    assert made(*daemon(first, then)).run(60) == (5 if then else 0)
    assert not alive(int((tmp_path / "left").read_text()))


@LINUX
def test_one_that_will_not_end_is_killed_with_its_daemon(made: Callable[..., Program], tmp_path: Path) -> None:
    program, codes = made(*daemon(DEAF, "time.sleep(600)"), grace=0.2), list[int | None]()
    thread = Thread(target=lambda: codes.append(program.run(60)))
    thread.start()
    while not (tmp_path / "left").exists():
        time.sleep(0.01)
    program.stop()
    thread.join(30)
    assert codes == [128 + signal.SIGKILL]
    assert not alive(int((tmp_path / "left").read_text()))


@LINUX
def test_the_daemon_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Steps run beside each other."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    longer = Program(daemon(then="time.sleep(600)"), dict(os.environ), first, first / "log")
    thread = Thread(target=longer.run, args=(60,))
    thread.start()
    while not (first / "left").exists():
        time.sleep(0.01)
    assert Program(daemon(), dict(os.environ), second, second / "log").run(60) == 0
    kept = int((first / "left").read_text())
    assert alive(kept)
    longer.stop()
    thread.join(30)
    assert not alive(kept)


def test_it_is_asked_to_end_before_it_is_killed(made: Callable[..., Program]) -> None:
    program, codes = made("sh", "-c", "trap 'echo tidy; exit 4' TERM; echo on; while :; do sleep 0.05; done"), [0]
    said: list[str] = []
    program.heard = said.append
    thread = Thread(target=lambda: codes.append(program.run(60) or 0))
    thread.start()
    while "on" not in said:
        time.sleep(0.01)
    program.stop()
    thread.join(30)
    heard = [one for one in said if one != "Terminated"]  # a shell may tell that its sleep was ended
    assert (codes, heard) == ([0, 4], ["on", "tidy"])


def test_what_is_stopped_before_it_began_never_begins(made: Callable[..., Program]) -> None:
    program = made("touch", "begun")
    program.stop()
    assert program.run(60) is None
    assert not (program.folder / "begun").exists()


def test_the_engine_of_a_container_is_started_as_it_is(made: Callable[..., Program], tmp_path: Path) -> None:
    """What has left it looks after the container, and is not to be ended."""
    program = made("sh", "-c", "cat /proc/$PPID/cmdline > parent 2>/dev/null; true")
    program.reaped = False
    assert program.run(60) == 0
    mine = subprocess.run(["cat", f"/proc/{os.getpid()}/cmdline"], capture_output=True, check=False).stdout
    assert (tmp_path / "parent").read_bytes() == mine
