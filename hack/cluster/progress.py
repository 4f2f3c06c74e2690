"""Live progress: what is being done, for how long, and how long it took the last time."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

HEARTBEAT_S = 20.0
TTY_HEARTBEAT_S = 0.5


def clock(seconds: float) -> str:
    """Seconds as a person reads them: 4.2 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def outlook(usual: float | None, elapsed: float, done: float) -> float | None:
    """Seconds to expect in all: at first what it usually takes, later more and more what is seen. `done` is the share
    of the work that is known to be done, from 0 to 1. None when nothing is known, or what was expected is over."""
    if done > 0:
        seen = elapsed / done
        return done * seen + (1 - done) * (seen if usual is None else max(usual, elapsed))
    return usual if usual is not None and usual >= elapsed else None


@dataclass(frozen=True)
class Open:
    """A step that goes on."""

    begin: float
    usual: float | None
    done: Callable[[], float] | None

    def so_far(self, now: float, joint: str) -> str:
        """`4 min 10 s of about 9 min 00 s`."""
        elapsed = now - self.begin
        whole = outlook(self.usual, elapsed, self.done() if self.done else 0.0)
        if whole is not None:
            return f"{clock(elapsed)}{joint}{clock(whole)}"
        return clock(elapsed) + (f", longer than the usual {clock(self.usual)}" if self.usual else "")


class Progress:
    """Prints steps as they start, go on and end; several threads may have one open each."""

    def __init__(self, durations: Path, out: TextIO | None = None) -> None:
        self._durations = durations
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._known: dict[str, float] = _read(durations)
        self._open: dict[str, Open] = {}

    def expected(self, name: str, default: float | None = None) -> float | None:
        """How long this took here the last time, else the default."""
        return self._known.get(name, default)

    def say(self, text: str) -> None:
        """One line of its own."""
        with self._lock:
            self._clear()
            print(text, file=self._out, flush=True)

    @contextmanager
    def step(self, name: str, expected: float | None = None, done: Callable[[], float] | None = None) -> Iterator[None]:
        """Show a step; when it ends well its duration is remembered. `done` says which share of it is done (0 to 1)."""
        begin = time.monotonic()
        usual = self.expected(name, expected)
        stop = threading.Event()
        with self._lock:
            self._open[name] = Open(begin, usual, done)
        if not self._out.isatty():
            self.say(f"[{clock(begin - self._start):>12}]  …  {name}" + (f" (usually {clock(usual)})" if usual else ""))
        beat = threading.Thread(target=self._beat, args=(name, stop), daemon=True)
        beat.start()
        mark = "✗"
        try:
            yield
            mark = "✓"
        finally:
            stop.set()
            beat.join()
            took = time.monotonic() - begin
            with self._lock:
                del self._open[name]
            self.say(f"[{clock(time.monotonic() - self._start):>12}]  {mark}  {name}: {clock(took)}")
            if mark == "✓":
                self._remember(name, took)

    def _beat(self, name: str, stop: threading.Event) -> None:
        tty = self._out.isatty()
        while not stop.wait(TTY_HEARTBEAT_S if tty else HEARTBEAT_S):
            with self._lock:
                line = self._line() if tty else self._still(name)
                print(line, file=self._out, end="" if tty else "\n", flush=True)

    def _still(self, name: str) -> str:
        now = time.monotonic()
        return f"[{clock(now - self._start):>12}]  …  {name}: {self._open[name].so_far(now, ' of about ')}"

    def _line(self) -> str:
        now = time.monotonic()
        parts = [f"{name} {one.so_far(now, '/')}" for name, one in self._open.items()]
        return f"\r\x1b[K[{clock(now - self._start):>12}]  …  {' · '.join(parts)}"

    def _clear(self) -> None:
        if self._out.isatty():
            print("\r\x1b[K", file=self._out, end="")

    def _remember(self, name: str, took: float) -> None:
        with self._lock:
            self._known = _read(self._durations) | {name: round(took, 1)}  # images may be built beside
            self._durations.parent.mkdir(parents=True, exist_ok=True)
            scratch = self._durations.with_suffix(f".{os.getpid()}.tmp")
            scratch.write_text(json.dumps(self._known, indent=1, sort_keys=True))
            scratch.replace(self._durations)


def _read(path: Path) -> dict[str, float]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(k): float(v) for k, v in data.items()} if isinstance(data, dict) else {}
