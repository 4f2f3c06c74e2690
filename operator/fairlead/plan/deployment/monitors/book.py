"""The ledger of the monitors: what they go by, then each window's counts and what was found.

From these lines and the profile the same windows can be folded once more, to the last bit (`replayed`). They go to the
store as a watch's do; without one the last few are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from fairlead.api import foreign
from fairlead.api.ledger import Ledger
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
from fairlead.plan.deployment.monitors.packing import digest, packed, unpacked
from fairlead.plan.deployment.serving import recording
from fairlead.plan.store import ledger_folder

SUFFIX = "-monitors"
FEW, SEGMENT = 3, 6
"""Lines that are kept where there is no store, and lines of a segment: they are long."""


def mark(settings: Settings, labels: Truth | None) -> str:
    """Names what a state goes by. With other labels another truth is counted."""
    own = {"labels": labels.model_dump(by_alias=True)} if labels is not None else {}
    return digest(dumped(settings) | own)


def opened(look: Look, kept: Monitored, settings: Settings) -> Monitored:
    """The monitors with the first line of a new ledger."""
    name = f"{kept.version}-{look.stamp.replace(':', '').replace('-', '')}{SUFFIX}"
    folder = ledger_folder(look.world.config, look.namespace, look.name, name)
    learnt = recording.profiled(look, kept.version)
    first = _line({
        "t": look.now, "monitors": f"{look.namespace}/{look.name}", "version": kept.version,
        "profile": kept.profile, "uri": learnt.at.uri if learnt else "", "settings": dumped(settings),
    })  # fmt: skip
    return kept.model_copy(update={"ledger": Ledger(name=name, uri=folder.uri() if folder else "", lines=[first])})


def window(look: Look, kept: Monitored, tally: Tally, labels: LabelledWindow | None, state: State) -> Monitored:
    """The monitors with a window's line. labels: those that it took in."""
    came = {"labels": packed(labels.dumped())} if labels is not None else {}
    line = _line({"t": look.now, "counts": packed(_counts(tally)), **came, "state": digest(state.dumped())})
    return kept.model_copy(update={"ledger": ledger.appended(kept.ledger, [line], FEW, ledger.KEPT)})


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
    report: Report
    same: bool
    """Whether the state after it is the one that was written, bit by bit."""


def replayed(profile: Profile, lines: Iterable[str]) -> Iterator[Again]:
    """The windows of a ledger. Raises ValueError for lines that are no ledger of monitors, or of another profile."""
    state, settings = State(profile.digest), None
    for line in lines:
        said = foreign.parse(line)
        if "monitors" in said:
            if said["profile"] != profile.digest:
                raise ValueError(f"the ledger is of the profile {said['profile'][:12]}, not {profile.digest[:12]}")
            settings = _settings(said["settings"])
            state = State(profile.digest)
        elif "counts" in said:
            if settings is None:
                raise ValueError("the ledger does not begin with what its windows go by")
            labels = LabelledWindow.parsed(unpacked(said["labels"])) if "labels" in said else None
            state, report = fold(profile, settings, state, counts_of(said["counts"]), labels, said["t"])
            yield Again(said["t"], report, digest(state.dumped()) == said["state"])
        elif "dropped" in said:
            raise ValueError(f"{said['dropped']} lines of it are nowhere any more, for the store did not take them: "
                             "what came after them can't be judged")  # fmt: skip


def _counts(tally: Tally) -> dict[str, Any]:
    return {one.name: getattr(tally, one.name) for one in fields(tally)}


def _settings(said: Mapping[str, Any]) -> Settings:
    rules = tuple(Rule(**one) for one in said["fairness"])
    return Settings(**{**said, "off": frozenset(said["off"]), "fairness": rules})


def counts_of(text: str) -> Tally:
    """A window's counts. Raises ValueError."""
    found = unpacked(text)
    vectors = {key: tuple(map(int, values)) for key, values in found.pop("vectors").items()}
    sums = {key: tuple(map(float, values)) for key, values in found.pop("sums").items()}
    return Tally(**found, vectors=vectors, sums=sums)
