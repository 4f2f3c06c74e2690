"""A server that can't load its model ends with another exit code than 0, so that its log is kept; a told one with 0."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead.manifests.presets import PRESETS

STARTED, TOLD = "started", "told to stop"


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], subprocess.Popen[str]]:
    """Start the preset's command with this program in place of MLServer."""

    def begin(program: str) -> subprocess.Popen[str]:
        fake = tmp_path / "mlserver"
        fake.write_text(f"#!/bin/sh\n{program}\n")
        fake.chmod(0o755)
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.Popen(PRESETS["sklearn"].command, env=path, stdout=subprocess.PIPE, text=True)

    return begin


AS_ASKED = '[ "$1 $2" = "start /tmp" ] || exit 9'


@pytest.mark.parametrize(("program", "code"), [("exit 0", 1), ("exit 3", 3), (AS_ASKED, 1)])
def test_b15_who_ends_without_being_told_to_has_failed(start: Any, program: str, code: int) -> None:
    assert start(program).wait(10) == code


def test_a_server_that_is_told_to_stop_stops_in_order(start: Any) -> None:
    told = start(f"trap 'echo {TOLD}; exit 0' TERM; echo {STARTED}; while :; do sleep 0.05; done")
    assert told.stdout.readline().strip() == STARTED
    told.send_signal(signal.SIGTERM)
    assert told.wait(10) == 0
    assert told.stdout.read().strip() == TOLD
