"""Runs that take results of each other, under everything that can happen: a hit is always what the program would make.

What a pod leaves in this world follows from what its program can see, and from nothing else. So each step that took a
result can be checked: it must be the one that its own program would have made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.plan.cache_world import A, B, CacheWorld, made, program
from tests.unit.plan.littleworld import Crash

from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.plan.core import PIPELINE_RUN, Json
from fairlead.plan.pipeline import ending, run
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.pipeline.types.base import Order
from fairlead.worker import digests

MOST = 6
TAKEN = ("Hit", "Resumed")


class Runs(RuleBasedStateMachine):
    """Up to six runs of a pipeline that people change."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.world: CacheWorld = made(self.patch)
        self.over: dict[tuple[str, str], Json] = {}
        self.checked: set[tuple[str, str]] = set()

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.world.select(PIPELINE_RUN)]

    def steps(self, name: str) -> list[Json]:
        found: list[Json] = self.world.status(PIPELINE_RUN, name).get("steps", [])
        return found

    def ended(self) -> list[str]:
        return [one for one in self.names() if self.world.status(PIPELINE_RUN, one).get("phase") in ending.TERMINAL]

    @precondition(lambda self: len(self.names()) < MOST)
    @rule(horizon=st.sampled_from(["24", "48"]), version=st.sampled_from(["v1", "v2"]), goes_on=st.booleans(),
          data=st.data())  # fmt: skip
    def start(self, horizon: str, version: str, goes_on: bool, data: Any) -> None:
        spec: Json = {"pipeline": "delay", "params": {"horizon": horizon}, "datasets": {"flights": version}}
        if goes_on and (before := self.ended()):
            spec |= {"resumeFrom": data.draw(st.sampled_from(before))}
            spec |= data.draw(st.sampled_from([{}, {"edit": {"step": "train", "args": ["x"]}}]))
        name = f"delay-{len(self.names())}"
        self.world.put({"kind": "PipelineRun", "metadata": {"name": name}, "spec": spec})

    @rule(image=st.sampled_from([A, B]), cache=st.booleans(), audit=st.sampled_from(["0%", "50%"]))
    def the_pipeline_is_changed(self, image: str, cache: bool, audit: str) -> None:
        self.world.pipeline(train__image=f"r/app@{image}", prepare__cache=cache, cache={"audit": audit})

    @rule(data=st.data(), crash=st.sampled_from([None, None, 0, 1]))
    def look(self, data: Any, crash: int | None) -> None:
        if names := self.names():
            try:
                self.world.look(run.SPEC, data.draw(st.sampled_from(names)), crash)
            except Crash:
                return

    @rule()
    def all_are_looked_at(self) -> None:
        for name in self.names():
            self.world.look(run.SPEC, name)

    @rule(data=st.data(), fails=st.sampled_from([False, False, False, True]))
    def a_pod_ends(self, data: Any, fails: bool) -> None:
        live = [job for name in self.names() for job in self.world.live(name)]
        if live:
            job = data.draw(st.sampled_from(live))
            self.world.fail(job) if fails else self.world.succeed(job)

    @rule(data=st.data(), how=st.sampled_from(["erased", "other bytes"]))
    def something_is_done_to_the_store(self, data: Any, how: str) -> None:
        keys = sorted(self.world.bucket.objects)
        if keys:
            key = data.draw(st.sampled_from(keys))
            if how == "erased":
                del self.world.bucket.objects[key]
            else:
                self.world.bucket.objects[key] = bytes(len(self.world.bucket.objects[key]))

    @rule(seconds=st.sampled_from([0.1, 2.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @precondition(lambda self: len(self.names()) > 2)
    @rule(data=st.data(), really=st.integers(0, 5))
    def a_run_is_cancelled(self, data: Any, really: int) -> None:
        if really == 0:
            name = data.draw(st.sampled_from(self.names()))
            self.world.objects["PipelineRun", name]["spec"]["cancel"] = "now"

    @invariant()
    def no_job_is_made_twice(self) -> None:
        assert len(self.world.created) == len(set(self.world.created))

    @invariant()
    def what_is_over_stays_over(self) -> None:
        for name in self.names():
            for step in self.steps(name):
                if step["phase"] in ("Completed", "Failed", "Aborted"):
                    assert self.over.setdefault((name, step["name"]), step) == step
                else:
                    assert (name, step["name"]) not in self.over

    @invariant()
    def what_was_taken_is_what_the_program_would_make(self) -> None:
        for name in self.names():
            for step in self.steps(name):
                taken = (step.get("cache") or {}).get("outcome") in TAKEN
                if taken and (name, step["name"]) not in self.checked:
                    self.checked.add((name, step["name"]))
                    assert [one["sha256"] for one in step["outputs"]] == self.would_make(name, step["name"])

    def would_make(self, name: str, step: str) -> list[str]:
        """Digests of a step's outputs, from the Job that would have made them."""
        subject = self.world.subject(run.SPEC, name)
        status: PipelineRunStatus = subject.body.status
        assert status.template is not None
        spec = next(one for one in status.template.steps if one.name == step)
        attempt = next(one for one in status.steps if one.name == step).model_copy(update={"attempt": 1, "job": "x"})
        job = types.job(Order(run._view(subject, self.world, self.world.now), status, status.template, spec, attempt))
        bodies = [f"{output}: {program(job)}".encode() for output in types.outputs(spec)]
        return [digests.of_folder([("part", digests.of_bytes(body))]) for body in bodies]

    def teardown(self) -> None:
        """From wherever it is, all runs come to an end."""
        for _ in range(40):
            for name in self.names():
                self.world.settle(run.SPEC, name)
            for name in self.names():
                for job in self.world.live(name):
                    self.world.succeed(job)
            self.world.now += 61
        assert sorted(self.ended()) == self.names()
        self.what_is_over_stays_over()
        self.no_job_is_made_twice()
        self.what_was_taken_is_what_the_program_would_make()
        self.patch.undo()


TestRuns = Runs.TestCase
TestRuns.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
