"""The way of a look through the files of the brain, in one tree: run by its path with a tree on PYTHONPATH, so that the
same program walks through an earlier one. Prints JSON. The worlds are those of that tree's tests.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

ROOMS = ("plan", "verdict", "manifests")
LOOKS = 300
"""Each from the status that was there before it."""


@dataclass
class Trip:
    """What was entered below `root`, in folders of these names. Whatever lies elsewhere is walked through unseen."""

    root: Path
    rooms: tuple[str, ...] = ROOMS
    calls: Counter[str] = field(default_factory=Counter)
    """By file."""
    functions: set[tuple[str, str]] = field(default_factory=set)
    """(file, qualified name), each once."""
    changes: int = 0
    """How often execution went on in another file: by a call or a return."""
    milliseconds: float | None = None
    """CPU time of a look without the walking, where it was measured."""
    read: list[str] = field(default_factory=list)
    """The files that somebody turns to who reads each function when it is called for the first time, and goes back to
    the one that called it."""
    _stack: list[tuple[str, bool]] = field(default_factory=list)
    """The files of the frames that are open now, and whether each function is read for the first time."""
    _files: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def walking(self) -> Iterator[None]:
        """While this holds, calls are counted."""
        before = sys.getprofile()
        sys.setprofile(self._seen)
        try:
            yield
        finally:
            sys.setprofile(before)
            self._stack.clear()

    def _seen(self, frame: FrameType, event: str, _what: object) -> None:
        if event not in ("call", "return"):
            return
        code = frame.f_code
        file = self._file(code.co_filename)
        if not file:
            return
        if event == "call":
            key = (file, code.co_qualname)
            new = key not in self.functions
            self.functions.add(key)
            self.calls[file] += 1
            self.changes += bool(self._stack) and self._stack[-1][0] != file
            self._stack.append((file, new))
            self._turn(file, new)
        elif self._stack:
            _, new = self._stack.pop()
            if self._stack:
                self.changes += self._stack[-1][0] != file
                self._turn(self._stack[-1][0], new)

    def _turn(self, file: str, new: bool) -> None:
        if new and (not self.read or self.read[-1] != file):
            self.read.append(file)

    def _file(self, name: str) -> str:
        """Below the root, empty: not counted."""
        if name not in self._files:
            path = Path(name)
            inside = path.relative_to(self.root) if path.is_relative_to(self.root) else Path()
            self._files[name] = str(inside) if inside.parts[:1] and inside.parts[0] in self.rooms else ""
        return self._files[name]

    def figures(self) -> dict[str, Any]:
        """All that is told of it."""
        functions = sum(not name.endswith(">") for _, name in self.functions)  # a comprehension is none
        return {
            "files": len(self.calls), "functions": functions, "stays": len(self.read),
            "returns": len(self.read) - len(self.calls), "changes": self.changes, "calls": self.calls.total(),
            "milliseconds": self.milliseconds,
            "read": dict(Counter(self.read).most_common()), "called": dict(self.calls.most_common()),
        }  # fmt: skip


# --- four ways --------------------------------------------------------------------------------------------------------


def canary(trip: Trip) -> None:
    """One look at a Deployment whose candidate has had two windows: guards of errors, latency and outcomes."""
    from tests.unit.plan.rollout_world import OUTCOMES, Sim, spec

    latency = {"metric": "latency", "threshold": "100ms"}
    sim = Sim(spec({"metric": "errors"}, latency, OUTCOMES))
    sim.go_live()
    sim.begin()
    sim.tick(100)
    sim.tick(100)
    assert sim.candidate["weight"] == 10
    sim.traffic(100)
    sim.now += 1.0
    with trip.walking():
        found = sim.plan()
    assert found.status.model_dump(by_alias=True)["candidate"] is not None
    trip.milliseconds = fastest(sim.plan)


def fastest(look: Callable[[], object]) -> float:
    """CPU milliseconds of a look: the fastest of LOOKS, which a busy machine disturbs least."""
    found = []
    for _ in range(LOOKS):
        began = time.process_time()
        look()
        found.append(time.process_time() - began)
    return 1000 * min(found)


def listing(trip: Trip) -> None:
    """A Dataset from a new listing to its version: all looks."""
    from tests.unit.plan.littleworld import LittleWorld, stopped

    where, kind = LittleWorld(), spec_of("Dataset")
    source = {"s3": {"bucket": "src", "prefix": "rides/"}}
    every = {"every": "60s", "settle": "10s"}
    where.put({"kind": "Dataset", "metadata": {"name": "rides"},
               "spec": {"source": source, "format": "parquet", "watch": every}})  # fmt: skip
    (request,) = kind.observe(where.subject(kind, "rides"), where, where.now)
    where.answers[request] = listed()
    with trip.walking():
        where.settle(kind, "rides")
        where.now += 10
        where.settle(kind, "rides")
        (job,) = where.jobs(dataset="rides")
    version = {"version": "v", "digest": "d" * 64, "manifest": "s3://store/v.json", "at": "2026-03-02T09:00:00Z",
               "rows": 3, "files": 1}  # fmt: skip
    said = json.dumps({"snapshot": {"version": version}})
    where.pod(job, "Succeeded", containerStatuses=[stopped("snapshot", 0, said)])
    with trip.walking():
        where.settle(kind, "rides")
    assert where.objects["Dataset", "rides"]["status"]["current"]["version"] == "v"


def listed() -> Any:
    """What a listing has found."""
    try:
        from fairlead.plan.requests import Listed
    except ModuleNotFoundError:  # it once stood in core
        from fairlead.plan.core import Listed  # type: ignore[attr-defined, no-redef]
    return Listed("a" * 64, 2, 10)


def trigger(trip: Trip) -> None:
    """A Pipeline from a Dataset's new version to the run: all looks."""
    from tests.unit.plan.littleworld import LittleWorld

    where, kind = LittleWorld(), spec_of("Pipeline")
    version = {"version": "v", "digest": "d" * 64, "manifest": "s3://store/m", "at": "2026-01-01T00:00:00Z"}
    where.put({"kind": "Dataset", "metadata": {"name": "flights"},
               "spec": {"source": {"s3": {"bucket": "src"}}, "format": "parquet"},
               "status": {"current": version, "versions": [version]}})  # fmt: skip
    steps = [{"name": "train", "image": "i", "inputs": {"rows": {"dataset": "flights"}}}]
    where.put({"kind": "Pipeline", "metadata": {"name": "p"},
               "spec": {"steps": steps, "triggers": [{"dataset": {"name": "flights"}}]}})  # fmt: skip
    with trip.walking():
        where.settle(kind, "p")
    assert where.created == [("PipelineRun", "p-1")]


def approval(trip: Trip) -> None:
    """A ModelVersion from its first look to its approval, by gates: all looks."""
    from tests.unit.plan.littleworld import CONFIG, LittleWorld, stopped

    runtimes = {"images": {"worker": "worker:1", "runtimes": {"sklearn": "sklearn:1"}}}
    where, kind = (
        LittleWorld(config=type(CONFIG).model_validate(CONFIG.model_dump() | runtimes)),
        spec_of("ModelVersion"),
    )
    evaluation = {
        "features": ["x"], "target": "y", "metrics": ["mae"], "gates": [{"metric": "mae", "max": "20"}],
        "data": {"artifact": {"uri": "s3://store/test/", "sha256": "b" * 64}},
    }  # fmt: skip
    artifact = {"uri": "s3://store/d/", "sha256": "a" * 64}
    where.put({"kind": "ModelVersion", "metadata": {"name": "d"},
               "spec": {"model": "delay", "artifact": artifact, "evaluation": evaluation}})  # fmt: skip
    with trip.walking():
        where.settle(kind, "d")
    (job,) = where.jobs(modelversion="d")
    gate = {"gate": "mae at most 20", "verdict": "Passed", "value": "10", "message": "mae is 10"}
    said = {"digest": "c" * 64, "report": "s3://store/r.json", "rows": 9, "data": "b" * 64, "gates": [gate],
            "scores": [{"subject": "challenger", "version": "d", "values": {"mae": "10"}}]}  # fmt: skip
    fetched, server = stopped("fetch", 0, '{"fetched": 12}'), stopped("challenger", 137)
    where.pod(job, "Succeeded", initContainerStatuses=[fetched, server],
              containerStatuses=[stopped("evaluate", 0, json.dumps({"evaluate": said}))])  # fmt: skip
    with trip.walking():
        where.settle(kind, "d")
    assert where.objects["ModelVersion", "d"]["status"]["phase"] == "Approved"


def spec_of(kind: str) -> Any:
    """A kind as the kernel knows it."""
    from fairlead.engine.registry import SPECS

    return next(one for one in SPECS if one.kind.kind == kind)


WAYS: dict[str, Callable[[Trip], None]] = {
    "one look in mid-canary": canary, "a listing to its version": listing, "a trigger to its run": trigger,
    "a version to its approval": approval,
}  # fmt: skip


def main() -> None:
    """Print the figures of each."""
    import fairlead

    assert fairlead.__file__
    found = {}
    for name, way in WAYS.items():
        trip = Trip(Path(fairlead.__file__).parent)
        way(trip)
        found[name] = trip.figures()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
