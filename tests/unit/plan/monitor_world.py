"""A tiny world in which recorders count by a profile: pods that come and go, begin anew, and fall silent."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.unit.plan.rollout_world import Json, Sim, spec

from fairlead.monitor.counts import ANSWERS, SCORES, Foreign, Tally, feature_key, slice_key
from fairlead.monitor.profile import Category, Number, Profile, Scores, Slice
from fairlead.plan.core import MODEL_VERSION, POD
from fairlead.plan.deployment.monitors.book import counts_of
from fairlead.plan.requests import Answer, CountsPage, Failed, ReadCounts, Request

KEY = "fairlead/team/models/m-1/profile.json"


CLEAR = (1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600)
"""Held-out rows by score bin."""


def profile(more: int = 0) -> Profile:
    """Of 32,000 rows: `a` is even over 0 to 99, `c` is x, y or z. Of the held-out rows scores are even over [0, 1], and
    as right as they say; from 0.5 on the answer is yes. more: makes it another one."""
    return Profile(
        task="classification", held_out=16000, positive="yes", quality={"accuracy": 0.75},
        prediction=Category(kind="category", name="answer", values=["no", "yes"], counts=[8000, 8000]),
        scores=Scores(
            edges=[index / 10 for index in range(1, 10)], counts=list(CLEAR), predicted=[0] * 5 + [1600] * 5,
            right=[round(1600 * (index + 0.5) / 10) for index in range(10)],
        ),
        slices=[Slice(by="c", values=["x", "y", "z"], counts=[8000, 4000, 4000])],
        rows=32000 + more,
        features=[
            Number(kind="number", name="a", edges=[10.0 * i for i in range(1, 10)], counts=[3200] * 10, low=0, high=99,
                   mean=49.5, sd=28.9),
            Category(kind="category", name="c", values=["x", "y", "z"], counts=[16000, 8000, 8000]),
        ],
    )  # fmt: skip


@dataclass
class Counting(Sim):
    """The world with recorders. `moved`: of `a`, how far its values lie from the reference's."""

    learnt: Profile = field(default_factory=profile)
    moved: float = 0.0
    unsure: float = 0.0
    """Share of the rows whose score lies near one half."""
    hard_on: str = ""
    """Rows with this `c` never get a yes."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By pod, what the process of its recorder has counted."""
    silent: set[str] = field(default_factory=set)
    """Pods whose recorder does not answer."""
    marks: dict[str, Tally] = field(default_factory=dict)
    """What recorders remember."""
    counts_by: str = ""
    """Digest of the profile that recorders count by; empty: of the right one."""
    trouble: str = ""
    """What recorders say of why they count nothing."""
    bent: Callable[[Tally], Tally] = lambda since: since
    """What becomes of a page's counts on their way."""
    asked_counts: int = 0

    def learns(self, version: str, learnt: Profile | None = None, body: str | None = None) -> None:
        """A version has a profile in the store. body: what lies there instead."""
        body = (learnt or self.learnt).dumped().decode() if body is None else body
        digest = hashlib.sha256(body.encode()).hexdigest()
        self.told.documents[f"{KEY}.{digest}"] = body
        raw = self.get(MODEL_VERSION, version)
        assert raw
        raw["status"]["evidence"]["profile"] = {"digest": digest, "uri": f"s3://fairlead/{KEY}.{digest}"}

    def rows(self, version: str, many: int, learnt: Profile | None = None) -> None:
        """So many rows reach a version's pods."""
        learnt, ready = learnt or self.learnt, [p["metadata"]["uid"] for p in self.answering(version)]
        found: dict[str, dict[str, Counter[int]]] = {uid: {} for uid in ready}
        number: Counter[str] = Counter()
        for _ in range(many):
            uid = self.random.choice(ready)
            number[uid] += 1
            row: Json = {"a": self.random.randrange(100) + self.moved, "c": self.random.choice("xxyz")}
            for one in learnt.features:
                found[uid].setdefault(feature_key(one.name), Counter())[one.place(row[one.name])] += 1
            if learnt.scores is not None and learnt.prediction is not None:
                score = 0.4 + 0.2 * self.random.random() if self.random.random() < self.unsure else self.random.random()
                yes = score >= 0.5 and row["c"] != self.hard_on
                found[uid].setdefault(SCORES, Counter())[2 * learnt.scores.place(score) + yes] += 1
                answer = learnt.prediction.place("yes" if yes else "no")
                for key in (ANSWERS, slice_key("c", row["c"], ANSWERS)):
                    found[uid].setdefault(key, Counter())[answer] += 1
        for uid, places in found.items():
            vectors = {key: tuple(counted[at] for at in range(_length(learnt, key))) for key, counted in places.items()}
            n = number[uid]
            more = Tally(learnt.digest, rows=n, requests=n, sampled=n, vectors=vectors)
            before = self.tallies.get(uid)
            self.tallies[uid] = before + more if before and before.profile == learnt.digest else more

    def passes(self, many: int = 2000, version: str = "", seconds: float = 600.0) -> None:
        """A window's requests come, and somebody looks when it is over."""
        live = version or self.status["live"]["version"]
        self.rows(live, many)
        self.now += seconds
        self.look()

    def begin_anew_counting(self, uid: str) -> None:
        """A recorder dies and begins anew."""
        self.boots[uid] = self.boots.get(uid, 0) + 1
        self.tallies.pop(uid, None)

    def _answer(self, request: Request) -> Answer:
        return self._counts(request) if isinstance(request, ReadCounts) else super()._answer(request)

    def _counts(self, request: ReadCounts) -> Answer:
        self.asked_counts += 1
        pod = next((p for p in self.select(POD) if f"http://{p['status']['podIP']}:" in request.url), None)
        if pod is None or pod["metadata"]["uid"] in self.silent:
            return Failed("Unreachable", "the recorder did not answer")
        uid = pod["metadata"]["uid"]
        tally = self.tallies.get(uid) or Tally(self._profile_of(pod["metadata"]["labels"]["fairlead.dev/version"]))
        mark = hashlib.sha256(json.dumps([uid, asdict(tally)], sort_keys=True).encode()).hexdigest()[:16]
        self.marks[mark] = tally
        return CountsPage(
            f"boot-{self.boots.get(uid, 0)}", self.counts_by or tally.profile, self.trouble, tally, mark,
            self._since(tally, self.marks.get(request.mark)),
        )  # fmt: skip

    def _since(self, tally: Tally, earlier: Tally | None) -> Tally | None:
        if earlier is None:
            return None
        try:
            return self.bent(tally.since(earlier))
        except Foreign:
            return None

    def _profile_of(self, version: str) -> str:
        """Digest of the profile with which a version's recorders began."""
        evidence = (self.get(MODEL_VERSION, version) or {"status": {"evidence": {}}})["status"]["evidence"]
        return str(evidence.get("profile", {}).get("digest", ""))

    # --- what is told ---

    @property
    def monitored(self) -> Json:
        """What the status says of the monitors."""
        found: Json = self.status["monitors"]
        return found

    def line(self, monitor: str) -> Json:
        """What one monitor says."""
        found: Json = next(one for one in self.monitored["lines"] if one["monitor"] == monitor)
        return found


def watched(
    monitors: Json | None = None, pods: int = 1, learnt: bool = True, made: type[Counting] | None = None, **more: Any
) -> Counting:
    """m-1 is live and monitored; its recorders were read for the first time."""
    wanted = spec(monitors={} if monitors is None else monitors, replicas={"min": pods}, **more)
    sim = (made or Counting)(wanted, store=True)
    sim.version("m-1", age=1000)
    if learnt:
        sim.learns("m-1")
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    return sim


def _length(learnt: Profile, key: str) -> int:
    if key == SCORES:
        assert learnt.scores
        return 2 * len(learnt.scores.counts) + 1
    feature = learnt.prediction if key.endswith(ANSWERS) else learnt.feature(key.removeprefix("feature/"))
    assert feature
    return feature.length


def lines(sim: Counting) -> list[Json]:
    """All that the ledgers of the monitors say: in the store, on their way there, and in the status."""
    saved = [body for key, body in sorted(sim.documents.items()) if "-monitors/" in key]
    books = [*sim.status.get("unsaved", []), sim.status.get("monitors", {}).get("ledger", {})]
    kept = [line for book in books if book.get("name", "").endswith("-monitors") for line in book.get("lines", [])]
    return [json.loads(line) for line in [*"".join(saved).splitlines(), *kept]]


def counted(sim: Counting) -> list[Tally]:
    """What went into each window, as the ledgers have it."""
    return [counts_of(line["counts"]) for line in lines(sim) if "counts" in line]
