"""A program that runs in a process group of its own, its output in a file, and ends with all that it has started: on
Linux wherever that has gone to (see `reaper`), elsewhere what has stayed in the group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread, Timer

from fairlead.local import reaper
from fairlead.local.reaper import NOT_EXECUTABLE, NOT_FOUND

LOG_LIMIT = 64 << 20
"""Bytes of a log that are kept; a program may write more."""
LINE = 16 << 10
"""Bytes of a line that are shown at once."""
TAIL_LINES, TAIL = 80, 2048
"""What Kubernetes keeps of a log's end as a message: lines, bytes."""
PIPE_PATIENCE = 2.0
"""Seconds that a pipe is read for after its program has ended: what has left the group may hold it open for ever."""


@dataclass
class Program:
    """One run of a program.

    Args:
        words: The command.
        env: All its variables.
        folder: Where it runs.
        log: The file for what it prints.
        grace: Seconds between the request to end (SIGTERM) and the end (SIGKILL).
        heard: Called with each line that it prints.
        also: Called when it is to be stopped: a container is not in the process group.
        reaped: Whether all that it has started ends with it; not that of an engine of containers, which goes on.
    """

    words: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    log: Path
    grace: float = 30.0
    heard: Callable[[str], None] = lambda _: None
    also: Callable[[], None] = lambda: None
    reaped: bool = True
    late: bool = False
    """It ran longer than it may."""
    _lock: Lock = field(default_factory=Lock)
    _stopped: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    _ended: Event = field(default_factory=Event)

    @property
    def tail(self) -> str:
        """The end of what it printed."""
        return b"".join(self._tail)[-TAIL:].decode(errors="replace")

    @property
    def _before(self) -> list[str]:
        """What it is started by."""
        reaps = self.reaped and sys.platform == "linux"
        return [sys.executable, "-I", "-S", reaper.__file__] if reaps else []

    def run(self, seconds: float | None) -> int | None:
        """Run it to its end: the exit code as shells give it (128 and the signal), or None if it was stopped before it
        began. seconds: after which it is stopped; None: as long as it takes."""
        with self._lock:
            if self._stopped:
                return None
            try:
                self._process = process = subprocess.Popen(
                    [*self._before, *self.words], cwd=self.folder, env=dict(self.env), stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                return self._unstarted(error)
        reader = Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        timer = Timer(max(0.0, seconds), self._overdue) if seconds is not None else None
        if timer:
            timer.daemon = True
            timer.start()
        code = process.wait()
        self._ended.set()
        if timer:
            timer.cancel()
        self._kill()  # what it has left behind ends with it, as in a container
        reader.join(PIPE_PATIENCE)
        return code if code >= 0 else 128 - code

    def _unstarted(self, error: OSError) -> int:
        missing = isinstance(error, FileNotFoundError) and not Path(self.folder).is_dir()
        what = self.folder if missing else self.words[0]
        line = f"{what}: {error.strerror}\n".encode()
        self._tail.append(line)
        self.log.write_bytes(line)
        self.heard(line.decode().rstrip())
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE

    def stop(self, *, now: bool = False) -> None:
        """Ask it to end, and see to it that it does. now: without asking."""
        with self._lock:
            self._stopped = True
            if self._process is None or self._ended.is_set():
                return
        if not now:
            self._signal(signal.SIGTERM)
            self.also()
            killer = Timer(self.grace, self.stop, kwargs={"now": True})
            killer.daemon = True
            killer.start()
            return
        self._kill()
        self.also()

    def _overdue(self) -> None:
        self.late = True
        self.stop()

    def _kill(self) -> None:
        if not self._before:
            return self._signal(signal.SIGKILL)
        assert self._process is not None
        return self._process.send_signal(reaper.ALL)  # unless it has ended, and nothing is left

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError, PermissionError):  # all of it has ended
            os.killpg(self._process.pid, number)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        kept, left_out = 0, 0
        with self.log.open("wb") as log, process.stdout as pipe:
            while line := pipe.readline(LINE):
                self._tail.append(line)
                if kept + len(line) <= LOG_LIMIT:
                    log.write(line)
                    log.flush()
                    kept += len(line)
                else:
                    left_out += len(line)
                self.heard(line.decode(errors="replace").rstrip("\r\n"))
            if left_out:
                log.write(f"\n… {left_out} bytes more were printed, and are not kept\n".encode())
