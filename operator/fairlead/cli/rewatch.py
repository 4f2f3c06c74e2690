"""`fairlead replay` of a watch after a promotion: the detectors' evidence window by window, once more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fairlead.api.units import many
from fairlead.cli.session import FAILED, OK, Problem, print_json

if TYPE_CHECKING:
    from fairlead.cli.blocks import Block
    from fairlead.plan.deployment.watch.rewatch import Rewatched
    from fairlead.verdict.trace import Ended

Json = dict[str, Any]
WIDEST = 12
LOWEST = -5.0
"""Below it the chart shows nothing of interest: a detector begins at minus infinity."""


def replay(lines: list[str]) -> tuple[list[Rewatched], Ended | None]:
    """All windows, and how it ended. Raises Problem for what can't be read."""
    from fairlead.plan.deployment.watch.rewatch import Rewatched, judge
    from fairlead.verdict.watchtrace import read

    windows: list[Rewatched] = []
    ended: Ended | None = None
    try:
        for found in judge(read(lines)):
            if isinstance(found, Rewatched):
                windows.append(found)
            else:
                ended = found
    except ValueError as bad:
        raise Problem(f"the ledger can't be read: {bad}") from None
    return windows, ended


def differences(windows: list[Rewatched]) -> list[str]:
    """Where the evidence is not, bit for bit, what was found at the time."""
    return [
        f"t {one.t:.3f}, {name}: {one.guards[name].log_evidence} now, {then} then"
        for one in windows
        for name, then in one.told.items()
        if name in one.guards and one.guards[name].log_evidence != then
    ]


def tell(name: str, lines: list[str], output: str) -> int:
    """Print it. Returns the exit code: 1 if anything differs."""
    windows, ended = replay(lines)
    if not windows:
        raise Problem(f"{name}: no window of the watch is recorded (yet)")
    different = differences(windows)
    if output == "json":
        print_json(report(windows, ended, different))
    else:
        from fairlead.cli.blocks import show

        show(blocks(name, windows, ended, different))
    return FAILED if different else OK


def report(windows: list[Rewatched], ended: Ended | None, different: list[str]) -> Json:
    """As JSON. Log evidence is a string: at its start it is minus infinity, which JSON has no number for."""
    return {
        "windows": [
            {"t": one.t, "alarm": one.alarm, "guards": {
                name: {
                    "logEvidence": guard.log_evidence, "bound": guard.bound, "windows": guard.windows,
                    "live": guard.live.model_dump(), "previous": guard.previous.model_dump(),
                }
                for name, guard in one.guards.items()
            }}
            for one in windows
        ],
        "alarm": windows[-1].alarm,
        "ended": {"result": ended.result, "reason": ended.reason} if ended else None,
        "same": not different, "different": different,
    }  # fmt: skip


def blocks(name: str, windows: list[Rewatched], ended: Ended | None, different: list[str]) -> list[Block]:
    """A table of the windows, a chart of each guard's evidence, how it ended, and whether it is the same."""
    from fairlead.cli.blocks import Lines, Table, Title
    from fairlead.cli.chart import chart

    last = windows[-1]
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(windows[0].t))
    headers = ["T", *(f"{guard.upper()} (BOUND {float(one.bound):.2f})" for guard, one in last.guards.items()), "ALARM"]
    shown: list[Block] = [
        Title(f"replay {name}, after the promotion", "harm" if last.alarm else "continue", f"from {when}"),
        Table(
            headers,
            [_row(one, list(last.guards)) for one in windows],
            caption="log evidence that it is worse, window by window",
        ),
    ]
    for guard, one in last.guards.items():
        series = [max(LOWEST, float(window.guards[guard].log_evidence)) for window in windows if guard in window.guards]
        shown.append(Lines([f"{guard}: log evidence over {many(len(series), 'window')}, bound ─",
                            *chart(series, float(one.bound))]))  # fmt: skip
    if ended:
        shown.append(Title("at the time", ended.result, f"{ended.reason}: {ended.message}"))
    same = f"all {len(windows)} windows give the same evidence, to the last bit"
    return [*shown, Lines(different[:20] or [same])]


def _row(one: Rewatched, names: list[str]) -> list[str]:
    from fairlead.cli.text import bar

    cells = [
        f"{bar(max(0.0, float(guard.log_evidence)) / float(guard.bound), WIDEST)} {float(guard.log_evidence):8.3f}"
        if (guard := one.guards.get(name))
        else ""  # a question that has not begun yet
        for name in names
    ]
    return [f"{one.t:.1f}", *cells, one.alarm]
