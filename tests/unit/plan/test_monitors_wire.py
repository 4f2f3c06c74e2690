"""What a recorder counts and says is what the plan reads and folds: one profile, keys and lengths on both sides."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.unit.plan.monitor_world import Counting, profile, watched

from fairlead.plan.core import POD
from fairlead.plan.requests import Answer, ReadCounts
from fairlead.signals import binned
from fairlead.worker.binning import Binner
from fairlead.worker.record.bins import Bins


@dataclass
class Wired(Counting):
    """The recorders are real ones, and their pages are read as the operator reads them."""

    recorders: dict[str, Bins] = field(default_factory=dict)

    def recorder(self, uid: str) -> Bins:
        """Of a pod; its profile has come."""
        found = self.recorders.get(uid)
        if found is None:
            found = self.recorders[uid] = Bins(f"boot-{uid}", self.learnt.digest, lambda: self.learnt)
            found._binner, found._reason, found._message = Binner(self.learnt), "", ""
        return found

    def sends(self, many: int) -> None:
        """So many requests of one row."""
        for _ in range(many):
            uid = self.random.choice([one["metadata"]["uid"] for one in self.pods("m-1")])
            recorder, score = self.recorder(uid), self.random.random()
            recorder.answered(1.0)
            recorder._sampled += 1
            assert recorder._binner
            row = {"a": [self.random.randrange(100) + self.moved], "c": [self.random.choice("xxyz")]}
            recorder._binner.add(row, ["yes" if score >= 0.5 else "no"], [score], requests=1)
        self.now += 600
        self.look()

    def _counts(self, request: ReadCounts) -> Answer:
        pod = next(one for one in self.select(POD) if f"http://{one['status']['podIP']}:" in request.url)
        return binned.parse(self.recorder(pod["metadata"]["uid"]).page(1.0, request.mark))


def wired() -> Wired:
    """m-1 is live and monitored."""
    sim = watched({"fairness": [{"by": "c", "max": "30%"}]}, pods=2, made=Wired)
    assert isinstance(sim, Wired)
    return sim


def test_what_recorders_count_is_what_the_monitors_know() -> None:
    sim = wired()
    for _ in range(3):
        sim.sends(3000)
    assert sim.monitored["rows"] == 3000
    assert {one["monitor"]: one["state"] for one in sim.monitored["lines"]} == {
        "quality": "Ok", "fairness": "Ok", "data": "Ok", "drift": "Ok", "outliers": "Ok", "skew": "Unknown",
    }  # fmt: skip
    sim.moved = 40.0
    for _ in range(3):
        sim.sends(3000)
    assert sim.line("drift")["state"] == "Drifting"
    assert sim.line("data")["reason"] == "OutOfRange"


def test_a_recorder_that_is_asked_again_says_the_same() -> None:
    sim = wired()
    sim.sends(2000)
    uid = sim.pods("m-1")[0]["metadata"]["uid"]
    mark = next(one["at"] for one in sim.monitored["marks"] if one["pod"] == uid)
    sim.sends(1000)
    pages = [json.loads(sim.recorder(uid).page(1.0, mark)) for _ in range(3)]
    assert len({one["since"]["rows"] for one in pages}) == 1
    assert profile().digest == pages[0]["profile"]
