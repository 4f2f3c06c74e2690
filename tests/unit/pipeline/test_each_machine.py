"""Steps with `each` under everything that can happen to them: no item is run twice, nothing that is over begins again,
every run ends, and what the status says adds up."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.pipeline.each_world import EachWorld, members, number, succeed
from tests.unit.plan.littleworld import Crash, stopped

from fairlead.api.halves import written
from fairlead.api.items import counted, item_id, left, tally_digest
from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.plan.core import JOB, PIPELINE_RUN, POD, Json
from fairlead.plan.pipeline import ending, run
from fairlead.plan.pipeline.items import of_matrix

CRASH = st.sampled_from([None, None, None, 0, 1, 2, 3])


class Items(RuleBasedStateMachine):
    """prepare for each, train for each of the same, report of them all."""

    @initialize(
        sizes=st.lists(st.integers(1, 3), min_size=1, max_size=2), parallel=st.integers(1, 4),
        failures=st.sampled_from(["Fail", "Continue"]), least=st.sampled_from([None, "0%", "50%"]),
        retry=st.integers(0, 1),
    )  # fmt: skip
    def begin(self, sizes: list[int], parallel: int, failures: str, least: str | None, retry: int) -> None:
        matrix = {f"axis{n}": [f"v{i}" for i in range(size)] for n, size in enumerate(sizes)}
        each: Json = {"maxParallel": parallel, "failures": failures}
        each |= {"minSuccess": least} if least and failures == "Continue" else {}
        tries = {"limit": retry, "backoff": "1s"}
        self.world = EachWorld().begin(
            {"name": "prepare", "image": "i:1", "each": each | {"matrix": matrix}, "outputs": {"rows": {}},
             "retry": tries},
            {"name": "train", "image": "i:1", "each": each | {"itemsOf": "prepare"}, "retry": tries,
             "inputs": {"rows": {"output": "prepare.rows"}}, "outputs": {"model": {"type": "model"}}},
            {"name": "report", "image": "i:1", "inputs": {"models": {"output": "train.model"}}},
            {"name": "beside", "image": "i:1"},
        )  # fmt: skip
        self.parallel = parallel
        self.over: dict[tuple[str, int], str] = {}
        self.ended: Json | None = None

    def status(self) -> Json:
        return self.world.status(PIPELINE_RUN, "p-1")

    def fans(self) -> list[Json]:
        return [one for one in self.status().get("steps", []) if one.get("items")]

    def live(self) -> list[Json]:
        jobs = [job for job in self.world.select(JOB) if "status" not in job]
        return [job for job in jobs if self.world.phase(job) not in ("Succeeded", "Failed")]

    def pick(self, data: Any) -> Json | None:
        found = self.live()
        return data.draw(st.sampled_from(found)) if found else None

    @rule(crash=CRASH)
    def look(self, crash: int | None) -> None:
        try:
            self.world.look(run.SPEC, "p-1", crash)
        except Crash:
            return

    @rule(seconds=st.sampled_from([0.1, 2.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(data=st.data())
    def pod_runs(self, data: Any) -> None:
        if job := self.pick(data):
            self.world.pod(job, "Running", initContainerStatuses=[{"name": "step", "state": {"running": {}}}])

    @rule(data=st.data())
    def pod_succeeds(self, data: Any) -> None:
        if job := self.pick(data):
            succeed(self.world, job)

    @rule(data=st.data(), code=st.sampled_from([1, 137]))
    def program_fails(self, data: Any, code: int) -> None:
        if job := self.pick(data):
            self.world.pod(job, "Failed", initContainerStatuses=[stopped("step", code)])

    @rule(data=st.data())
    def pod_is_evicted(self, data: Any) -> None:
        if job := self.pick(data):
            self.world.pod(job, "Failed", reason="Evicted")

    @rule(data=st.data())
    def finished_pod_is_collected(self, data: Any) -> None:
        found = [job for job in self.world.select(JOB) if self.world.phase(job) in ("Succeeded", "Failed")]
        if found:
            job = data.draw(st.sampled_from(found))
            kind = "Complete" if self.world.phase(job) == "Succeeded" else "Failed"
            job["status"] = {"conditions": [{"type": kind, "status": "True"}]}
            self.world.remove(POD, f"{job['metadata']['name']}-x")

    @rule(data=st.data())
    def a_recorded_job_is_deleted(self, data: Any) -> None:
        recorded = {one["jobUid"] for step in self.fans() for one in step["items"]["live"] if one.get("jobUid")}
        jobs = [job for job in self.world.select(JOB) if job["metadata"]["uid"] in recorded]
        if jobs:
            self.world.remove(JOB, data.draw(st.sampled_from(jobs))["metadata"]["name"])

    @precondition(lambda self: self.status().get("phase") == "Running")
    @rule(really=st.integers(0, 9))
    def cancel(self, really: int) -> None:
        if really == 0:
            self.world.objects[("PipelineRun", "p-1")]["spec"]["cancel"] = "now"

    @invariant()
    def no_job_is_made_twice(self) -> None:
        assert len(self.world.created) == len(set(self.world.created))

    @invariant()
    def no_item_runs_twice_at_a_time_and_not_more_than_may(self) -> None:
        live = [(job["metadata"]["labels"]["fairlead.dev/step"], number(job)) for job in self.live()]
        assert len(live) == len(set(live))
        for step in ("prepare", "train"):
            assert len([one for one in live if one[0] == step]) <= self.parallel

    @invariant()
    def what_is_over_stays_over_and_all_adds_up(self) -> None:
        for step in self.fans():
            items = step["items"]
            failed, halted, out = (members(items[name]) for name in ("failed", "stopped", "leftOut"))
            alive = {one["item"] for one in items["live"]}
            begun = set(range(items["next"])) - out
            assert not alive & (failed | halted | out)
            assert alive | failed | halted <= begun
            done = begun - alive - failed - halted
            assert len(done) == items["completed"]
            for one, how in [*((n, "done") for n in done), *((n, "failed") for n in failed)]:
                assert self.over.setdefault((step["name"], one), how) == how
            assert not {(step["name"], n) for n in alive} & set(self.over)
            assert step["phase"] not in ("Completed", "Failed", "Aborted") or not alive
            assert step["phase"] != "Completed" or not halted
        if self.status().get("phase") in ending.TERMINAL:
            self.ended = self.ended or self.status()
            assert self.ended == self.status()

    @invariant()
    def an_item_begins_after_the_same_one_before_it(self) -> None:
        begun = {number(job) for job in self.world.jobs(step="train")}
        assert begun <= {one for step, one in self.over if step == "prepare" and self.over[step, one] == "done"}

    @invariant()
    def the_status_is_one_that_the_definition_takes(self) -> None:
        if self.status():
            assert written(PipelineRunStatus.model_validate(self.status())) == self.status()

    def teardown(self) -> None:
        """From wherever it is, the run comes to an end when its pods succeed."""
        if not hasattr(self, "world"):
            return
        for _ in range(80):
            self.world.settle(run.SPEC, "p-1")
            self.what_is_over_stays_over_and_all_adds_up()
            if self.status()["phase"] in ending.TERMINAL:
                break
            for job in self.live():
                succeed(self.world, job)
            self.world.now += 301
        assert self.status()["phase"] in ending.TERMINAL, self.status()
        assert not [s for s in self.status()["steps"] if s["phase"] in ("Pending", "Running")]
        self.no_job_is_made_twice()
        self.the_tally_is_that_of_what_was_left()

    def the_tally_is_that_of_what_was_left(self) -> None:
        for step in self.fans():
            output = {"prepare": "rows", "train": "model"}[step["name"]]
            tally, place = "", f"team/pipelines/p/uid-2/{step['name']}/items"
            for one in sorted(n for name, n in self.over if name == step["name"] and self.over[name, n] == "done"):
                uri = f"s3://store/fairlead/{place}/{self.id_of(one)}/{output}/"
                tally = counted(tally, left(one, [(output, uri, f"{one:064x}")]))
            assert step["items"]["digest"] == tally_digest(tally)

    def id_of(self, one: int) -> str:
        matrix = self.status()["template"]["steps"][0]["each"]["matrix"]
        return item_id(one, of_matrix(matrix, one))


TestItems = Items.TestCase
TestItems.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
