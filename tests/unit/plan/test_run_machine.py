"""Runs under everything that can happen to them: no Job is made twice, each run ends, what is over stays over."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.plan.littleworld import Crash, LittleWorld, stopped

from fairlead.plan.core import JOB, MODEL_VERSION, PIPELINE_RUN, POD, Json, rfc3339
from fairlead.plan.pipeline import ending, logs, run
from fairlead.plan.requests import Answer, Failed, LogKept

PIPELINE = """
kind: Pipeline
metadata: {name: p}
spec:
  params: {depth: "3"}
  timeout: 3h
  steps:
  - {name: prepare, image: "i:1", outputs: {rows: {type: dataset}}, retry: {limit: 1, backoff: 1s}}
  - {name: left, image: "i:1", inputs: {rows: {output: prepare.rows}}, retry: {limit: 2, backoff: 1s}}
  - {name: right, image: "i:1", needs: [prepare]}
  - name: train
    image: "i:1"
    needs: [left, right]
    outputs: {model: {type: model}}
    timeout: 1h
  - {name: extra, image: "i:1", needs: [left], if: [{param: depth, above: "3"}]}
  - {name: notify, image: "i:1", when: always, retry: {limit: 1, backoff: 1s}}
  - {name: mend, image: "i:1", when: failed, needs: [notify]}
  produces:
  - {model: m, from: train.model, version: {}}
"""
LAST = {"notify", "mend"}
LOGS: tuple[Answer, ...] = (
    LogKept(7, False), Failed("Underway", ""), Failed("LogUnreadable", "the node is away"),
    Failed("Unreachable", "the store is away"), Failed("LogForbidden", "no right"),
)  # fmt: skip
CRASH = st.sampled_from([None, None, 0, 1, 2])


def answer(job: Json) -> str:
    """What publish says: one record for each output of its task."""
    main = job["spec"]["template"]["spec"]["containers"][0]
    task = json.loads(next(e["value"] for e in main["env"] if e["name"] == "FAIRLEAD_TASK"))
    outputs = [
        {"name": o["name"], "type": o["type"], "uri": f"s3://store/{o['name']}", "sha256": "0" * 64}
        for o in task["outputs"]
    ]
    return json.dumps({"publish": {"attempt": task["attempt"], "outputs": outputs}})


class Runs(RuleBasedStateMachine):
    """One run of a pipeline with a fork, a join, retries and a model."""

    def __init__(self) -> None:
        super().__init__()
        self.world = LittleWorld()
        self.world.put(PIPELINE)
        self.world.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"}})
        self.over: dict[str, Json] = {}
        self.logs: dict[str, Json] = {}
        self.ended: Json | None = None
        self.verdict: Json | None = None
        self.stopped_at: int | None = None

    def run_spec(self) -> Json:
        found: Json = self.world.objects[("PipelineRun", "p-1")]["spec"]
        return found

    def status(self) -> Json:
        return self.world.status(PIPELINE_RUN, "p-1")

    def steps(self) -> list[Json]:
        found: list[Json] = self.status().get("steps", [])
        return found

    def live(self) -> list[Json]:
        """Jobs whose pod is not over (or still to come)."""
        jobs = [j for j in self.world.select(JOB) if "status" not in j]
        return [j for j in jobs if self.phase(j) not in ("Succeeded", "Failed")]

    def phase(self, job: Json) -> str:
        pod = self.world.get(POD, f"{job['metadata']['name']}-x")
        return pod["status"]["phase"] if pod else ""

    def pick(self, data: Any) -> Json | None:
        found = self.live()
        return data.draw(st.sampled_from(found)) if found else None

    @rule(crash=CRASH)
    def look(self, crash: int | None) -> None:
        try:
            self.world.look(run.SPEC, "p-1", crash)
        except Crash:
            return

    @rule(seconds=st.sampled_from([0.1, 2.0, 400.0, 3601.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(answer=st.sampled_from(LOGS))
    def logs_are_kept_or_not(self, answer: Answer) -> None:
        self.world.logs = answer

    @rule(data=st.data())
    def pod_runs(self, data: Any) -> None:
        if job := self.pick(data):
            state = {"running": {"startedAt": rfc3339(self.world.now)}}
            self.world.pod(job, "Running", initContainerStatuses=[{"name": "step", "state": state}])

    @rule(data=st.data())
    def pod_succeeds(self, data: Any) -> None:
        if job := self.pick(data):
            self.succeed(job)

    def succeed(self, job: Json) -> None:
        self.world.pod(
            job, "Succeeded", initContainerStatuses=[stopped("step")],
            containerStatuses=[stopped("publish", 0, answer(job))],
        )  # fmt: skip

    @rule(data=st.data(), code=st.sampled_from([1, 137]))
    def program_fails(self, data: Any, code: int) -> None:
        if job := self.pick(data):
            self.world.pod(job, "Failed", initContainerStatuses=[stopped("step", code)])

    @rule(data=st.data())
    def pod_is_evicted(self, data: Any) -> None:
        if job := self.pick(data):
            reason = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
            self.world.pod(job, "Failed", conditions=[reason])

    @rule(data=st.data())
    def finished_pod_is_collected(self, data: Any) -> None:
        found = [j for j in self.world.select(JOB) if self.phase(j) in ("Succeeded", "Failed")]
        if found:
            job = data.draw(st.sampled_from(found))
            kind = "Complete" if self.phase(job) == "Succeeded" else "Failed"
            job["status"] = {"conditions": [{"type": kind, "status": "True"}]}
            self.world.remove(POD, f"{job['metadata']['name']}-x")

    @rule(data=st.data())
    def job_is_deleted(self, data: Any) -> None:
        recorded = {s["jobUid"] for s in self.steps() if s["jobUid"]}
        over = {s["job"] for s in self.steps() if s["phase"] in ("Completed", "Failed")}
        jobs = [j for j in self.world.select(JOB) if j["metadata"]["uid"] in recorded or j["metadata"]["name"] in over]
        if jobs:
            self.world.remove(JOB, data.draw(st.sampled_from(jobs))["metadata"]["name"])

    @precondition(lambda self: self.status().get("phase") == "Running")
    @rule(really=st.integers(0, 9), how=st.sampled_from(["drain", "finally", "now"]))
    def cancel(self, really: int, how: str) -> None:
        order = [None, "drain", "finally", "now"]
        if really == 0 and order.index(how) > order.index(self.run_spec().get("cancel")):
            self.run_spec()["cancel"] = how
            if how == "now":
                self.stopped_at = len(self.world.created)

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self.run_spec()["suspend"] = suspend

    @invariant()
    def no_job_is_made_twice(self) -> None:
        made = self.world.created
        assert len(made) == len(set(made))

    @invariant()
    def no_step_runs_twice_at_a_time(self) -> None:
        live = [j["metadata"]["labels"]["fairlead.dev/step"] for j in self.live()]
        assert len(live) == len(set(live))

    @invariant()
    def what_is_over_stays_over(self) -> None:
        for step in self.steps():
            if step["phase"] in ("Completed", "Failed", "Aborted"):
                log, rest = step.get("log"), {key: value for key, value in step.items() if key != "log"}
                assert self.over.setdefault(step["name"], rest) == rest
                if log and not log.get("pod"):
                    assert self.logs.setdefault(step["name"], log) == log, "what became of a log is said once"
            else:
                assert step["name"] not in self.over
        if self.status().get("phase") in ending.TERMINAL:
            bare = {key: value for key, value in self.status().items() if key != "steps"}
            self.ended = self.ended or bare
            assert self.ended == bare

    @invariant()
    def needs_are_kept(self) -> None:
        completed = {s["name"] for s in self.steps() if s["phase"] == "Completed"}
        begun = {s["name"] for s in self.steps() if s["attempt"]}
        assert not begun & {"left", "right"} or "prepare" in completed
        assert "train" not in begun or {"left", "right"} <= completed
        assert "extra" not in begun, "its condition does not hold"
        assert not begun & LAST or self.status().get("verdict"), "what comes last waits for the verdict"

    @invariant()
    def the_verdict_is_the_last_word(self) -> None:
        found = self.status().get("verdict")
        self.verdict = self.verdict or found
        assert found == self.verdict
        if self.ended:
            assert (self.verdict or self.ended)["phase"] == self.ended["phase"]

    @invariant()
    def nothing_begins_after_cancel_now(self) -> None:
        if self.stopped_at is not None:
            assert [one for one in self.world.created[self.stopped_at :] if one[0] == "Job"] == []

    @invariant()
    def the_second_look_writes_nothing(self) -> None:
        if self.status().get("phase") in ending.TERMINAL and not logs.awaited(self.status()):
            before = self.world.writes
            plan = self.world.look(run.SPEC, "p-1")
            assert self.world.writes == before
            assert plan.requeue_after is None

    def teardown(self) -> None:
        """From wherever it is, the run comes to an end when its pods succeed."""
        self.run_spec()["suspend"] = False
        for _ in range(60):
            self.world.settle(run.SPEC, "p-1")  # a log that can't be kept does not keep a run from its end
            self.what_is_over_stays_over()
            self.no_job_is_made_twice()
            if self.status()["phase"] in ending.TERMINAL:
                break
            for job in self.live():
                self.succeed(job)
            self.world.now += 301
        assert self.status()["phase"] in ending.TERMINAL
        assert not [s for s in self.steps() if s["phase"] in ("Pending", "Running")]
        by_name = {s["name"]: s for s in self.steps()}
        if self.run_spec().get("cancel") != "now" and self.status().get("template"):
            assert by_name["notify"]["phase"] in ("Completed", "Failed"), "always means always"
        self.the_verdict_is_the_last_word()
        self.nothing_begins_after_cancel_now()
        self.world.now += logs.STORING
        self.world.settle(run.SPEC, "p-1")
        assert not logs.awaited(self.status()), "each log is kept, or it is said why not"
        assert run.settled(self.world.objects[("PipelineRun", "p-1")])
        if self.status()["phase"] == "Completed":
            assert (by_name["extra"]["reason"], by_name["mend"]["reason"]) == ("Skipped", "Skipped")
            assert self.status()["models"] == ["m-1"]
            assert self.world.get(MODEL_VERSION, "m-1")


TestRuns = Runs.TestCase
TestRuns.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
