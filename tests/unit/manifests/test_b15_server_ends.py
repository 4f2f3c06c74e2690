"""A server that can't load its model ends with another exit code than 0, so that its log is kept; a told one with 0."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.manifests.presets import PRESETS

STARTED, TOLD = "started", "told to stop"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start the preset's command with this program in place of MLServer, and these words before its start. Whatever
    a test leaves is ended."""
    begun: list[subprocess.Popen[str]] = []

    def begin(program: str, before: str = "") -> subprocess.Popen[str]:
        fake = tmp_path / "mlserver"
        fake.write_text(f"#!/bin/sh\n{program}\n")
        fake.chmod(0o755)
        command = [one.replace("mlserver start", f"{before}mlserver start") for one in PRESETS["sklearn"].command]
        env = {"PATH": f"{tmp_path}:{os.defpath}"}
        begun.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return begun[-1]

    yield begin
    for one in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


PATIENCE, FOREVER = 60, "while :; do sleep 0.05; done"
AS_ASKED = '[ "$1 $2" = "start /tmp" ] || exit 9'


@pytest.mark.parametrize(("program", "code"), [("exit 0", 1), ("exit 3", 3), (AS_ASKED, 1)])
def test_b15_who_ends_without_being_told_to_has_failed(start: Any, program: str, code: int) -> None:
    assert start(program).wait(PATIENCE) == code


def test_a_server_that_is_told_while_it_begins_ends_too(start: Any) -> None:
    """A signal that comes while its process is made would be lost, and the pod would stay until it is killed."""
    for _ in range(2):
        told = start(f"trap 'exit 0' TERM; {FOREVER}", before="kill -TERM $$; ")
        assert told.wait(PATIENCE) in (0, 128 + signal.SIGTERM)


def test_a_server_that_is_told_to_stop_stops_in_order(start: Any) -> None:
    told = start(f"trap 'echo {TOLD}; exit 0' TERM; echo {STARTED}; {FOREVER}")
    assert told.stdout.readline().strip() == STARTED
    told.send_signal(signal.SIGTERM)
    assert told.wait(PATIENCE) == 0
    assert told.stdout.read().strip() == TOLD
