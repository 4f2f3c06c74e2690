"""`fairlead replay` of the monitors: a live version's windows, folded once more from their counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fairlead.cli.session import FAILED, OK, Problem, print_json

if TYPE_CHECKING:
    from fairlead.cli.blocks import Block
    from fairlead.monitor.profile import Profile
    from fairlead.monitor.report import Report
    from fairlead.plan.deployment.monitors.askbook import Heard
    from fairlead.plan.deployment.monitors.book import Again

Json = dict[str, Any]
SHOWN = 60
"""Windows of the table: the last ones."""


def is_one(lines: list[str]) -> bool:
    """Whether lines are of such a ledger."""
    return head(lines) is not None


def head(lines: list[str]) -> Json | None:
    """The first line with what windows go by; None: it is another kind of ledger."""
    from fairlead.api import foreign
    from fairlead.plan.deployment.monitors.book import starts

    try:
        found = foreign.parse(next(filter(starts, lines), ""))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def tell(name: str, lines: list[str], body: bytes, output: str) -> int:
    """Print it. body: of the profile. Returns the exit code: 1 if anything differs. Raises Problem."""
    found, profile = replay(lines, body)
    if not found:
        raise Problem(f"{name}: no window of the monitors is recorded (yet)")
    heard = questions(lines)
    different = [f"t {one.at:.3f}: the state after it is another one now" for one in found if not one.same]
    different += [f"t {one.at:.3f}: question {one.number} is another one now" for one in heard if not one.same]
    skipped = sum(one.skipped for one in found)
    if output == "json":
        said = {"windows": [report(one) for one in found], "questions": [_heard(one) for one in heard]}
        print_json({"profile": profile.digest, **said, "skipped": skipped, "same": not different,
                    "different": different})  # fmt: skip
    else:
        from fairlead.cli.blocks import show

        show(blocks(name, found, heard, different))
    return FAILED if different else OK


def replay(lines: list[str], body: bytes) -> tuple[list[Again], Profile]:
    """All windows. Raises Problem for what can't be read."""
    from fairlead.monitor.profile import parse
    from fairlead.plan.deployment.monitors.book import replayed

    try:
        profile = parse(body)
        return list(replayed(profile, [line for line in lines if line])), profile
    except (ValueError, KeyError, TypeError) as bad:
        raise Problem(f"the ledger of the monitors can't be read: {bad}") from None


def questions(lines: list[str]) -> list[Heard]:
    """What real harm has asked, batch by batch. Raises Problem for what can't be read."""
    from fairlead.plan.deployment.monitors.askbook import replayed

    try:
        return list(replayed(line for line in lines if line))
    except (ValueError, KeyError, TypeError) as bad:
        raise Problem(f"the questions of the monitors can't be read: {bad}") from None


def _heard(one: Heard) -> Json:
    return {
        "t": one.at, "question": one.number, "against": one.against, "pairs": one.known.n,
        "refused": one.known.refused, "difference": one.known.difference, "logBetter": one.known.log_better,
        "logNotBetter": one.known.log_not_better, "result": one.result, "same": one.same,
    }  # fmt: skip


def report(one: Again) -> Json:
    """A window as JSON."""
    said = one.report
    return {
        "t": one.at, "rows": said.rows, "same": one.same, "unknown": said.unknown.reason if said.unknown else None,
        "drift": {name: _effects(each) for name, each in _distributions(said).items()},
        "data": {what: {"share": each.share, "state": each.state} for what, each in said.data.items()},
        "outliers": said.outliers.share if said.outliers else None,
        "losses": {name: {"mean": each.share, "state": each.state} for name, each in said.losses.items()},
        "alarms": [{"monitor": each.monitor, "what": each.what} for each in said.alarms],
    }  # fmt: skip


def _effects(one: Any) -> Json:
    return {"psi": one.psi, "tv": one.tv, "state": one.state}


def _distributions(said: Report) -> Mapping[str, Any]:
    return {**said.drift, **said.outputs}


def blocks(name: str, found: list[Again], heard: list[Heard], different: list[str]) -> list[Block]:
    """A table of the last windows, one of what was asked, and whether all are the same."""
    from fairlead.cli.blocks import Lines, Table, Title
    from fairlead.cli.text import count

    headers = ["WINDOW'S END", "ROWS", "ESTIMATED LOSS", "OUTLIERS", "MOST DIFFERENT", "PSI", "MOVED", "ALARMS"]
    rows = [_row(one) for one in found[-SHOWN:]]
    last = found[-1].report
    state = "Drifting" if any(each.state == "Drifting" for each in _distributions(last).values()) else "Ok"
    skipped = sum(one.skipped for one in found)
    rest = f"; {count(skipped)} more could not be judged, because lines before them are lost" if skipped else ""
    same = f"all {count(len(found))} windows give the same state, to the last bit{rest}"
    return [
        Title(f"replay {name}, its monitors", "Unknown" if last.unknown else state),
        Table(headers, rows), *([_asked(heard)] if heard else []), Lines(different[:20] or [same]),
    ]  # fmt: skip


def _asked(heard: list[Heard]) -> Block:
    from fairlead.cli.blocks import Table
    from fairlead.cli.text import count

    rows = [
        [
            time.strftime("%Y-%m-%d %H:%M", time.gmtime(one.at)), str(one.number), one.against, count(one.known.n),
            count(one.known.refused), f"{100 * one.known.difference:.1f}", f"{one.known.log_better:.1f}",
            f"{one.known.log_not_better:.1f}", one.result,
        ]
        for one in heard[-SHOWN:]
    ]  # fmt: skip
    headers = ["AT", "QUESTION", "AGAINST", "PAIRS", "UNANSWERED", "LOSS, POINTS WORSE", "BETTER", "NOT BETTER", "END"]
    return Table(headers, rows, caption="would the version before have lost less? (evidence in logarithms)")


def _row(one: Again) -> list[str]:
    from fairlead.cli.text import count

    said = one.report
    at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(one.at))
    if said.unknown:
        return [at, count(said.rows), "", "", said.unknown.reason, "", "", _alarms(said)]
    known = {name: each for name, each in _distributions(said).items() if each.psi is not None}
    worst = max(known, key=lambda name: known[name].psi, default="")
    loss = said.losses.get("estimated")
    return [
        at, count(said.rows), _percent(loss.share if loss else None),
        _percent(said.outliers.share if said.outliers else None), worst,
        f"{known[worst].psi:.2f}" if worst else "", _percent(known[worst].tv if worst else None), _alarms(said),
    ]  # fmt: skip


def _alarms(said: Report) -> str:
    return ", ".join(f"{each.monitor}: {each.what}" for each in said.alarms)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
