"""The recorder is kept running."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from fairlead.worker.record import __main__ as watching
from fairlead.worker.record.__main__ import Watch


def start(watch: Watch) -> tuple[threading.Thread, list[int]]:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(watch.run()), daemon=True)
    thread.start()
    return thread, codes


def lines(path: Path, count: int) -> list[str]:
    """The lines that were written, once there are so many."""
    deadline = time.monotonic() + 20
    while len(found := path.read_text().split() if path.exists() else []) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def command(path: Path, then: str) -> list[str]:
    return [sys.executable, "-S", "-c", f"open({str(path)!r}, 'a').write('began\\n')\n{then}"]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(watching, "MISSES", 2)


def test_one_that_ends_is_started_again_until_it_is_told_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "log"
    watch = Watch(command(path, "raise SystemExit(3)"), 9)
    thread, codes = start(watch)
    lines(path, 2)
    watch.stop()
    thread.join(20)
    assert codes in ([3], [-15]), "its own status, or of the signal when it had just been started again"


def test_one_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    watch = Watch(command(path, "import time; time.sleep(60)"), 9, check=0.05)
    thread, _ = start(watch)
    lines(path, 2)
    watch.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_its_last_status_is_the_containers(tmp_path: Path) -> None:
    path = tmp_path / "log"
    ends = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
    said = f"{ends}open({str(path)!r}, 'a').write('ready\\n'); time.sleep(60)"
    watch = Watch(command(path, said), 9)
    thread, codes = start(watch)
    lines(path, 2)
    watch.stop()
    thread.join(20)
    assert codes == [0]
