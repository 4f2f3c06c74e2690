"""The ledger of the monitors: what they go by, then each window's counts and what was found.

From these lines and the profile the same windows can be folded once more, to the last bit (`replayed`). They go to the
store as a watch's do; without one the last few are kept. Now and then a line has the state itself, packed: from there
on it can be judged anew though lines before are lost, or nobody wants to read all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from fairlead.api import foreign
from fairlead.api.ledger import LINE, Ledger
from fairlead.api.monitors import Monitored, Truth
from fairlead.monitor.counts import Tally
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Profile
from fairlead.monitor.report import Report
from fairlead.monitor.series import fold
from fairlead.monitor.state import State
from fairlead.monitor.watched import Rule, Settings
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.context import State as Course
from fairlead.plan.deployment.evidence import backlog, ledger
from fairlead.plan.deployment.monitors import askbook
from fairlead.plan.deployment.monitors.budget import told
from fairlead.plan.deployment.monitors.packing import digest, packed, unpacked
from fairlead.plan.deployment.serving import recording
from fairlead.plan.store import ledger_folder

SUFFIX = "-monitors"
FEW, SEGMENT = 4, 6
"""Windows from one state to the next where there is no store (as many are kept at least), and lines of a segment: they
are long."""
EACH = 24
"""Windows from one state to the next in the store: its lines take a few percent more."""
MOST = 2 * FEW + 2
"""Lines at most where there is no store."""
_FIRST = 48
"""Characters of a line's beginning: a time, and the member that says what the line is."""
LATEST = 253_402_300_800
"""Seconds: the year 10,000."""
HEAD, ANEW, LOST = "monitors", "anew", askbook.LOST
"""Members that only the ledger's first line has, one with a state, and one that stands for lines that are lost."""


def mark(settings: Settings, labels: Truth | None) -> str:
    """Names what a state goes by. With other labels another truth is counted."""
    own = {"labels": labels.model_dump(by_alias=True)} if labels is not None else {}
    return digest(dumped(settings) | own)


def opened(look: Look, kept: Monitored, settings: Settings) -> Monitored:
    """The monitors with the first line of a new ledger."""
    name = f"{kept.version}-{look.stamp.replace(':', '').replace('-', '')}{SUFFIX}"
    folder = ledger_folder(look.world.config, look.namespace, look.name, name)
    first = _line(_basis(look, kept, settings, {HEAD: f"{look.namespace}/{look.name}"}))
    kept = kept.model_copy(update={"ledger": Ledger(name=name, uri=folder.uri() if folder else "", lines=[first])})
    return askbook.asked(look, kept) if kept.question and kept.question.state in askbook.OPEN else kept


def _basis(look: Look, kept: Monitored, settings: Settings, begins: Mapping[str, str]) -> dict[str, Any]:
    """What windows go by, and where they begin."""
    learnt = recording.profiled(look, kept.version)
    return {
        "t": look.now, **begins, "version": kept.version, "profile": kept.profile,
        "uri": learnt.at.uri if learnt else "", "settings": dumped(settings),
    }  # fmt: skip


@dataclass(frozen=True)
class Closed:
    """A window."""

    settings: Settings
    before: State
    """What was known before it,"""
    tally: Tally
    labels: LabelledWindow | None
    """those that it took in,"""
    state: State
    """and what is known after it."""
    part: str = ""
    """Of the budget of false alarms, as the status has it."""


def window(look: Look, kept: Monitored, closed: Closed) -> Monitored:
    """The monitors with a window's line."""
    line = {"t": look.now, "counts": packed(_counts(closed.tally)), "state": digest(closed.state.dumped())}
    came = {"labels": packed(closed.labels.dumped())} if closed.labels is not None else {}
    fresh = [_line(line | came | ({"part": closed.part} if closed.part else {}))]
    if _again(kept.ledger, closed.before.windows):
        begins = _line(_basis(look, kept, closed.settings, {ANEW: packed(closed.before.dumped())}))
        fresh = [begins, *fresh] if len(begins) <= LINE else fresh
    return kept.model_copy(update={
        "ledger": ledger.appended(kept.ledger, fresh, _few(kept.ledger, fresh), ledger.KEPT)
    })  # fmt: skip


def _again(book: Ledger, windows: int) -> bool:
    """Whether the state should be told: it is some time since it was, or lines since are lost."""
    lost = book.lines[:1] and book.lines[0].startswith(f'{{"{LOST}":') and not any(map(starts, book.lines))
    return bool(windows) and (windows % (EACH if ledger.lasting(book) else FEW) == 0 or bool(lost))


def _few(book: Ledger, fresh: Sequence[str]) -> int:
    """Lines that are kept where nothing takes them: those from the last state but one on."""
    lines = [*book.lines, *fresh]
    states = [at for at, line in enumerate(lines) if starts(line)]
    return min(len(lines) - states[max(0, len(states) - 2)] if states else MOST, MOST) + bool(book.uri)


def starts(line: str) -> bool:
    """Whether windows can be judged from this line on."""
    return any(f'"{member}":' in line[:_FIRST] for member in (HEAD, ANEW))


def dumped(settings: Settings) -> dict[str, Any]:
    """As JSON has it."""
    return {**asdict(settings), "off": sorted(settings.off)}


def left(state: Course, kept: Monitored) -> Course:
    """The ledger is over: what is not saved yet waits for the store."""
    return backlog.waiting(state, kept.ledger) if kept.ledger.lines else state


def settled(look: Look, state: Course) -> Course:
    """The state after the store's answer."""
    kept = state.status.monitors
    if kept is None or not kept.ledger.name:
        return state
    book = ledger.moved_on(look, kept.ledger, whole=len(kept.ledger.lines) >= SEGMENT)
    return state if book is kept.ledger else state.having(monitors=kept.model_copy(update={"ledger": book}))


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# --- once more -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Again:
    """A window of a ledger, folded once more."""

    at: float
    tally: Tally
    report: Report
    same: bool
    """Whether the state after it is the one that was written, bit by bit."""
    skipped: int = 0
    """Windows right before it that could not be judged, because lines are lost."""


def replayed(profile: Profile, lines: Iterable[str]) -> Iterator[Again]:
    """The windows of a ledger. After lines that are lost it goes on from the next one with a state. Raises ValueError
    for lines that are no ledger of monitors, of another profile, or without such a line."""
    state, settings, skipped, lost = State(profile.digest), None, 0, 0
    for line in lines:
        said = foreign.parse(line)
        if HEAD in said or (ANEW in said and settings is None):
            if said["profile"] != profile.digest:
                raise ValueError(f"the ledger is of the profile {said['profile'][:12]}, not {profile.digest[:12]}")
            settings = _settings(said["settings"])
            state = State.parsed(unpacked(said[ANEW]), profile) if ANEW in said else State(profile.digest)
        elif "counts" in said and settings is None:
            skipped += 1
        elif "counts" in said and settings is not None:
            tally = counts_of(said["counts"])
            labels = LabelledWindow.parsed(unpacked(said["labels"])) if "labels" in said else None
            part = told(said.get("part", ""))
            at = _time(said["t"])
            state, report = fold(profile, settings, state, tally, labels, at, part)
            yield Again(at, tally, report, digest(state.dumped()) == said["state"], skipped)
            skipped = 0
        elif LOST in said:
            settings, lost = None, said[LOST]
    if settings is None and lost:
        raise ValueError(f"{lost} lines of it are nowhere any more, for the store did not take them: "
                         "what came after them can't be judged")  # fmt: skip
    if settings is None and skipped:
        raise ValueError("the ledger does not begin with what its windows go by")


def _time(at: Any) -> float:
    """When a window was closed. Raises ValueError for what no calendar has."""
    if type(at) not in (int, float) or not 0 <= at < LATEST:
        raise ValueError(f"a window was closed at {str(at)[:40]}")
    return float(at)


def _counts(tally: Tally) -> dict[str, Any]:
    return {one.name: getattr(tally, one.name) for one in fields(tally)}


def _settings(said: Mapping[str, Any]) -> Settings:
    rules = tuple(Rule(**one) for one in said["fairness"])
    return Settings(**{**said, "off": frozenset(said["off"]), "fairness": rules})


def counts_of(text: str) -> Tally:
    """A window's counts. Raises ValueError."""
    found = unpacked(text)
    if not all(isinstance(found.get(key), dict) for key in ("vectors", "sums", "unread")):
        raise ValueError("a window's counts are none")
    vectors = {key: tuple(map(int, values)) for key, values in found.pop("vectors").items()}
    sums = {key: tuple(map(float, values)) for key, values in found.pop("sums").items()}
    return Tally(**found, vectors=vectors, sums=sums)
