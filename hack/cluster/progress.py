"""Live progress: what is being done, for how long, and how long it took the last time."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


class Progress:
    """Prints steps as they start, go on and end; several threads may have one open each."""

    def __init__(self, durations: Path, out: TextIO | None = None) -> None:
        self._durations = durations
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._known: dict[str, float] = _read(durations)
        self._open: dict[str, tuple[float, float | None]] = {}

    def expected(self, name: str, default: float | None = None) -> float | None:
        """How long this took here the last time, else the default."""
        return self._known.get(name, default)

    def say(self, text: str) -> None:
        """One line of its own."""
        with self._lock:
            self._clear()
            print(text, file=self._out, flush=True)

    @contextmanager
    def step(self, name: str, expected: float | None = None) -> Iterator[None]:
        """Show a step; when it ends well its duration is remembered."""
        begin = time.monotonic()
        usual = self.expected(name, expected)
        stop = threading.Event()
        with self._lock:
            self._open[name] = (begin, usual)
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
        begin, usual = self._open[name]
        now = time.monotonic()
        return f"[{clock(now - self._start):>12}]  …  {name}: {clock(now - begin)}" + (
            f" of about {clock(usual)}" if usual else ""
        )

    def _line(self) -> str:
        now = time.monotonic()
        parts = [
            f"{name} {clock(now - begin)}" + (f"/{clock(usual)}" if usual else "")
            for name, (begin, usual) in self._open.items()
        ]
        return f"\r\x1b[K[{clock(now - self._start):>12}]  …  {' · '.join(parts)}"

    def _clear(self) -> None:
        if self._out.isatty():
            print("\r\x1b[K", file=self._out, end="")

    def _remember(self, name: str, took: float) -> None:
        with self._lock:
            self._known[name] = round(took, 1)
            self._durations.parent.mkdir(parents=True, exist_ok=True)
            scratch = self._durations.with_suffix(".tmp")
            scratch.write_text(json.dumps(self._known, indent=1, sort_keys=True))
            scratch.replace(self._durations)


def _read(path: Path) -> dict[str, float]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(k): float(v) for k, v in data.items()} if isinstance(data, dict) else {}
