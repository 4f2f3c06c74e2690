"""Runs of small pipelines in a little world, whose programs end as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.unit.plan.littleworld import LittleWorld, stopped

from fairlead.plan.core import JOB, PIPELINE_RUN, POD, Json, rfc3339
from fairlead.plan.pipeline import run

STEP = {"image": "i:1"}


class Course:
    """One run, `p-1`, of the pipeline `p`."""

    def __init__(self, *steps: Json, run_spec: Json | None = None, **spec: Any) -> None:
        self.world = LittleWorld()
        body = {"steps": [STEP | one for one in steps]} | spec
        self.world.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": body})
        self.wanted = {"pipeline": "p"} | (run_spec or {})
        self.world.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": self.wanted})

    def look(self) -> Json:
        """The run's status, when nothing follows any more."""
        self.world.settle(run.SPEC, "p-1")
        return self.status

    @property
    def status(self) -> Json:
        return self.world.status(PIPELINE_RUN, "p-1")

    def stop(self) -> Json:
        """The same, when what was running has been stopped: its log is waited for a little."""
        self.look()
        self.world.now += 4
        return self.look()

    def step(self, name: str) -> Json:
        """A step's status."""
        found: Json = next(s for s in self.status["steps"] if s["name"] == name)
        return found

    def ask(self, **spec: Any) -> None:
        """Change the run's spec."""
        self.world.objects[("PipelineRun", "p-1")]["spec"].update(spec)

    def condition(self, type_: str) -> Json | None:
        """One of the run's conditions."""
        return next((c for c in self.status["conditions"] if c["type"] == type_), None)

    def live(self) -> list[str]:
        """Steps whose pods are not over."""
        return sorted(job["metadata"]["labels"]["fairlead.dev/step"] for job in self._live())

    def job(self, name: str) -> Json:
        """The live Job of a step."""
        return next(j for j in self._live() if j["metadata"]["labels"]["fairlead.dev/step"] == name)

    def _live(self) -> list[Json]:
        return [job for job in self.world.select(JOB) if not self._over(job)]

    def _over(self, job: Json) -> bool:
        pod = self.world.get(POD, f"{job['metadata']['name']}-x")
        return pod is not None and pod["status"]["phase"] in ("Succeeded", "Failed")

    def runs(self, name: str) -> Json:
        """Its program is running since now."""
        state = {"running": {"startedAt": rfc3339(self.world.now)}}
        return self.world.pod(self.job(name), "Running", initContainerStatuses=[{"name": "step", "state": state}])

    def succeed(
        self, name: str, values: dict[str, str] | None = None, metrics: dict[str, str] | None = None
    ) -> None:  # fmt: skip
        """Its program succeeds."""
        job = self.job(name)
        task = json.loads(next(e["value"] for e in _publish(job)["env"] if e["name"] == "FAIRLEAD_TASK"))
        outputs = [
            {"name": o["name"], "type": o["type"], "uri": f"s3://store/{o['name']}", "sha256": "0" * 64}
            | ({"value": (values or {}).get(o["name"], "")} if o["type"] == "value" else {})
            for o in task["outputs"]
        ]
        said = {"publish": {"attempt": task["attempt"], "outputs": outputs, "metrics": metrics or {}}}
        self.world.pod(
            job, "Succeeded", initContainerStatuses=[stopped("step")],
            containerStatuses=[stopped("publish", 0, json.dumps(said))],
        )  # fmt: skip

    def fail(self, name: str, code: int = 1, **state: Any) -> None:
        """Its program fails."""
        self.world.pod(self.job(name), "Failed", initContainerStatuses=[stopped("step", code, **state)])

    def play(self, ends: Callable[[str], bool] = lambda _: True, rounds: int = 50) -> Json:
        """Until the run has ended: all that runs ends, in rounds, well or not."""
        for _ in range(rounds):
            if self.look()["phase"] in ("Completed", "Failed", "Aborted"):
                return self.status
            for name in self.live():
                if ends(name):
                    self.succeed(name)
                else:
                    self.fail(name)
            self.world.now += 400
        raise AssertionError(f"the run does not end: {self.status}")

    def begun(self) -> list[str]:
        """Steps for which Jobs were made, one entry each Job."""
        made = (self.world.objects.get(key) for key in self.world.created if key[0] == "Job")
        return sorted(job["metadata"]["labels"]["fairlead.dev/step"] for job in made if job)

    def phases(self, names: Iterable[str] = ()) -> dict[str, str]:
        """Phases by step; a skipped one's is `Skipped`."""
        found = {s["name"]: "Skipped" if s["reason"] == "Skipped" else s["phase"] for s in self.status["steps"]}
        return {name: found[name] for name in names or found}


def _publish(job: Json) -> Json:
    found: Json = job["spec"]["template"]["spec"]["containers"][0]
    return found
