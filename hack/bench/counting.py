"""The operator, with the function calls of its event loop counted between two signals: what is called in what it is
measured by `hack.bench.calls`, and takes the command line of `fairlead` after the name of a file for the counts.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEGIN, END = signal.SIGUSR1, signal.SIGUSR2
NATIVE = "native"
"""What is not written in Python."""
ROOMS = 3
"""So many folders below `operator/` are told apart: `fairlead/plan/deployment`."""


def room(file: str) -> str:
    """Where a function lives: a folder of Fairlead, a package, or a module of Python's library."""
    path = Path(file)
    for top, depth in (("operator", ROOMS), ("site-packages", 1)):
        if top in path.parts:
            below = path.parts[path.parts.index(top) + 1 :]
            return "/".join(below[: min(depth, len(below) - 1)] or below)
    return NATIVE if file == "~" else "python"


def counted(profile: cProfile.Profile) -> Counter[str]:
    """How often a function was called, by where it lives."""
    found = Counter[str]()
    stats: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, _), (_, calls, *_) in stats.items():
        found[room(file)] += calls
    return found


def main(arguments: list[str], run: Callable[[list[str]], int]) -> int:
    """Run the program, and count from BEGIN to END."""
    path, profile = Path(arguments[0]), cProfile.Profile()

    def end(*_: object) -> None:
        profile.disable()
        half = path.with_suffix(".half")
        half.write_text(json.dumps(counted(profile)))
        half.rename(path)

    signal.signal(BEGIN, lambda *_: profile.enable())
    signal.signal(END, end)
    return run(arguments[1:])


if __name__ == "__main__":
    from fairlead.cli.main import main as fairlead

    raise SystemExit(main(sys.argv[1:], fairlead))
