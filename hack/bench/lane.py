"""One Deployment under open-loop traffic, through which versions are sent one after the other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from hack.bench.load import Answer, Load
from hack.testbed.cluster import Json, Team
from hack.testbed.serving import deploy, is_live, make_version, turn_bad

ENDS = 300.0
"""Seconds that a rollout may take."""
SETTLE = 2.0
"""Seconds of traffic after the end, to see whether the version still gets requests."""


@dataclass
class Outcome:
    """What became of one candidate, as users and as the status saw it."""

    version: str
    result: str = ""
    reason: str = ""
    reaction: float = 0.0
    """Seconds from the first request that the candidate got to the last one."""
    hits: int = 0
    """Requests that the candidate answered."""
    failed: int = 0
    """Failed ones among them."""
    lost: int = 0
    """Requests that no version answered: the gateway's errors and broken connections."""
    lost_codes: dict[str, int] = field(default_factory=dict)
    """These by status code, or by what broke."""
    verdict: float = 0.0
    """Seconds from the candidate's first request to the end that the status records."""
    effect: float = 0.0
    """Seconds from there to its last request."""
    start: float = 0.0
    """Seconds from the version's creation to its first request."""
    windows: int = 0
    """Windows of the errors guard."""
    message: str = ""

    def row(self) -> Json:
        """As plain JSON."""
        return asdict(self)


@dataclass
class Lane:
    """A Deployment `name` of the model `name`."""

    team: Team
    name: str
    number: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    def begin(self, error_rate: float, **rollout: Any) -> None:
        """The first version goes live, without evidence: there is nothing to compare it with."""
        version = self.next_version(error_rate)
        self.configure(**rollout)
        self.team.wait("deployment", self.name, is_live(version), 180, f"live with {version}")

    def configure(self, **rollout: Any) -> None:
        """Apply the Deployment with this rollout."""
        deploy(self.team, self.name, self.name, **rollout)

    def next_version(self, error_rate: float, **settings: Any) -> str:
        """Make the next version of the model."""
        version = f"{self.name}-{self.number}"
        self.number += 1
        make_version(self.team, version, self.name, errorRate=error_rate, **settings)
        return version

    def settle(self, load: Load) -> None:
        """Wait until the gateway knows the route: a second of answers from a version."""
        deadline = time.monotonic() + 30
        while not load.answers or not all(a.version for a in load.answers[-max(1, int(load.rate)) :]):
            if time.monotonic() > deadline:
                raise AssertionError(f"no version answers at {load.path}; last: {load.answers[-1:]}")
            time.sleep(1)

    def rollout(
        self, load: Load, error_rate: float, during: Callable[[str], None] | None = None, ends: float = ENDS
    ) -> Outcome:
        """Send a version through, under this load; `during` is called once it gets traffic."""
        first, made = len(load.answers), time.time()
        version = self.next_version(error_rate)
        if during is not None:
            self.team.wait("deployment", self.name, lambda o: _weight(o, version) > 0, ends, f"sending {version}")
            during(version)
        done = self.team.wait("deployment", self.name, lambda o: record(o, version) is not None, ends, "decided")
        time.sleep(SETTLE)
        found = _seen(version, load.answers[first:], made, record(done, version) or {})
        self.outcomes.append(found)
        return found

    def after_promotion(self, load: Load, error_rate: float) -> Outcome:
        """A version goes live without a fault, the one before it drains, and then it turns bad. Everything is counted
        from that moment on: its reaction is how long it still answers."""
        version = self.next_version(0.0)
        drained = is_live(version)
        self.team.wait(
            "deployment", self.name, lambda o: drained(o) and not o["status"].get("retiring"), ENDS, f"alone: {version}"
        )
        first, turned = len(load.answers), time.time()
        turn_bad(self.team, version, error_rate, name=self.name)
        done = self.team.wait("deployment", self.name, lambda o: _taken_back(o, version), ENDS, "taken back")
        time.sleep(SETTLE)
        found = _seen(version, load.answers[first:], turned, record(done, version) or {})
        self.outcomes.append(found)
        return found

    def shadowed(self, load: Load, errorRate: float, **settings: Any) -> Outcome:  # noqa: N803 - the server's setting
        """Send a version that gets copies. Its reaction: from the beginning of the step to the end of the rollout."""
        first, made = len(load.answers), time.time()
        version = self.next_version(errorRate, **settings)
        began = self.team.wait("deployment", self.name, lambda o: _copying(o, version), ENDS, f"copying to {version}")
        done = self.team.wait("deployment", self.name, lambda o: record(o, version) is not None, ENDS, "decided")
        ended = record(done, version) or {}
        since = _epoch(began["status"]["candidate"]["stepSince"])
        reaction = _epoch(ended["endedAt"]) - since
        found = replace(
            _seen(version, load.answers[first:], made, ended), reaction=reaction, verdict=reaction, start=since - made
        )
        self.outcomes.append(found)
        return found


def _copying(obj: Json, version: str) -> bool:
    candidate = obj.get("status", {}).get("candidate") or {}
    return candidate.get("version") == version and bool(candidate.get("shadow"))


def _taken_back(obj: Json, version: str) -> bool:
    return (record(obj, version) or {}).get("result") == "RolledBack"


def record(obj: Json, version: str) -> Json | None:
    """The rollout record of a version, once it has ended."""
    history = obj.get("status", {}).get("history", [])
    return next((entry for entry in history if entry["version"] == version), None)


def _epoch(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def _weight(obj: Json, version: str) -> int:
    candidate = obj.get("status", {}).get("candidate") or {}
    return int(candidate.get("weight", 0)) if candidate.get("version") == version else 0


def _seen(version: str, answers: list[Answer], made: float, ended: Json) -> Outcome:
    """What the client saw of a version."""
    mine = [answer for answer in answers if answer.version == version]
    sent = [answer.sent for answer in mine]
    guards = ended.get("guards", [])
    lost = Counter(answer.error or str(answer.code) for answer in answers if not answer.version)
    decided = _epoch(ended["endedAt"]) if ended and sent else 0.0
    return Outcome(
        version=version, result=ended.get("result", ""), reason=ended.get("reason", ""),
        reaction=max(sent) - min(sent) if sent else 0.0, hits=len(mine),
        failed=sum(answer.code != 200 for answer in mine), lost=lost.total(), lost_codes=dict(lost),
        start=min(sent) - made if sent else 0.0, windows=guards[0].get("windows", 0) if guards else 0,
        verdict=decided - min(sent) if decided else 0.0, effect=max(sent) - decided if decided else 0.0,
        message=ended.get("message", ""),
    )  # fmt: skip
