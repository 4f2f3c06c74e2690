"""What a person sees: a live panel on a terminal, timestamped lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hack.demo.durations import Durations

BEAT = 15.0
"""Seconds between two signs of life where there is no terminal."""
PLAIN_WIDTH = 180
"""Columns of tables where there is no terminal."""
STYLES = (("ROLLED BACK", "bold red"), ("is live", "bold green"), ("✗", "red"), ("✓", "green"), ("    ", "dim"))


def clock(seconds: float) -> str:
    """`4:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@dataclass
class Part:
    """A part of the demo: waiting, running, or ended."""

    key: str
    title: str
    expected: float
    began: float | None = None
    took: float | None = None
    mark: str = ""

    def elapsed(self) -> float:
        """Seconds since it began, or that it took."""
        if self.took is not None:
            return self.took
        return time.monotonic() - self.began if self.began is not None else 0.0


class View:
    """Shows parts with elapsed and expected time, and what is told meanwhile."""

    def __init__(self, durations: Durations) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=PLAIN_WIDTH)
        self._durations = durations
        self._begin = time.monotonic()
        self._parts: list[Part] = []
        self._live: Live | None = None
        self._reached: set[str] = set()
        self._detail: Callable[[], str] = str

    @property
    def tty(self) -> bool:
        """Whether somebody looks at a terminal."""
        return self.console.is_terminal and sys.stdin.isatty()

    def plan(self, parts: list[tuple[str, str, float]]) -> None:
        """Announce the parts: key, title, expected seconds."""
        self._parts = [Part(key, title, self._durations.expected(key, usual)) for key, title, usual in parts]

    def expect(self, seconds: Mapping[str, float]) -> None:
        """How long parts will take, by key, where more is known of it than how long they took the last time."""
        for part in self._parts:
            part.expected = seconds.get(part.key, part.expected)

    def say(self, text: str, style: str | None = None) -> None:
        """A line of the story."""
        chosen = style or next((found for word, found in STYLES if word in text), "")
        line = Text(f"[{clock(time.monotonic() - self._begin):>6}] ", style="dim").append(text, style=chosen)
        self.console.print(line, soft_wrap=True)

    def reached(self, what: str) -> None:
        """Say, once, how long it took from the start until something was seen."""
        if what not in self._reached:
            self._reached.add(what)
            self.say(f"{what} was seen {clock(time.monotonic() - self._begin)} after the start")

    @contextmanager
    def live(self) -> Iterator[None]:
        """Keep the panel at the bottom while this lasts (on a terminal)."""
        if not self.tty:
            yield
            return
        with Live(get_renderable=self._panel, console=self.console, refresh_per_second=4) as self._live:
            yield

    @contextmanager
    def part(self, key: str, detail: Callable[[], str] = str) -> Iterator[Part]:
        """One part while it runs; a good end is remembered for the next time."""
        part = next(p for p in self._parts if p.key == key)
        part.began, self._detail = time.monotonic(), detail
        self.say(f"▶ {part.title} (about {clock(part.expected)})", "bold")
        stop = threading.Event()
        beat = threading.Thread(target=self._beat, args=(part, stop), daemon=True)
        beat.start()
        try:
            yield part
            part.mark = part.mark or "✓"
        except BaseException:
            part.mark = "✗"
            raise
        finally:
            stop.set()
            part.took = time.monotonic() - part.began
            if part.mark == "✓":
                self._durations.remember(key, part.took)
            self.say(f"{part.mark} {clock(part.took)} of about {clock(part.expected)}")

    def skip(self, key: str, why: str) -> None:
        """A part that has happened already."""
        part = next(p for p in self._parts if p.key == key)
        part.took, part.mark = 0.0, "–"
        self.say(f"– {part.title}: {why}", "dim")

    def _beat(self, part: Part, stop: threading.Event) -> None:
        while not stop.wait(BEAT):
            if self._live is None:
                detail = self._detail()
                self.say(
                    f"… {clock(part.elapsed())} of about {clock(part.expected)}" + (f"; {detail}" if detail else "")
                )

    def _panel(self) -> Group:
        table = Table.grid(expand=True, padding=(0, 1))
        table.add_column(width=1)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(width=20)
        table.add_column(width=13, justify="right")
        for part in self._parts:
            running = part.began is not None and part.took is None
            bar = ProgressBar(total=max(part.expected, part.elapsed(), 1), completed=part.elapsed(), width=20)
            style = "bold" if running else "dim"
            times = f"{clock(part.elapsed())} / {clock(part.expected)}"
            table.add_row(part.mark or ("▶" if running else " "), Text(part.title, style=style), bar, times)
        left = sum(max(0.0, part.expected - part.elapsed()) for part in self._parts if part.took is None)
        total = f"elapsed {clock(time.monotonic() - self._begin)}, about {clock(left)} left"
        return Group(Text(""), table, Text(self._detail(), style="cyan"), Text(total, style="dim"))
