"""Pods as they are in other people's clusters, and pods that only look like Fairlead's: for all who run Jobs alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import ClassVar

import pytest
from tests.unit.plan.explain_world import answered
from tests.unit.plan.explain_world import begun as begun_to_explain
from tests.unit.plan.label_world import begun
from tests.unit.plan.littleworld import CONFIG, Crash, LittleWorld, stopped
from tests.unit.plan.observed_world import observed

from fairlead.api.config import OperatorConfig
from fairlead.api.tasks import JoinResult, ObserveResult, TaskResult
from fairlead.plan.core import DATASET, JOB, MODEL_VERSION, PIPELINE, PIPELINE_RUN, POD, Json, rfc3339
from fairlead.plan.dataset import plan as dataset
from fairlead.plan.deployment.metrics import joining
from fairlead.plan.deployment.monitors.labels import Observing
from fairlead.plan.model import plan as modelversion
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run
from fairlead.plan.requests import UNDERWAY, Failed, Listed

SERVERS = {"images": {"worker": "registry/worker:1", "runtimes": {"sklearn": "sklearn:1"}}}
ROWS = {"version": "v1", "digest": "d" * 64, "manifest": "s3://store/v1.json", "at": "2026-03-02T09:00:00Z", "rows": 3}
SCORES = [{"subject": "challenger", "version": "m-1", "values": {"mae": "1"}}]
PROOF = {"digest": "c" * 64, "report": "", "rows": 9, "data": "b" * 64, "scores": SCORES, "gates": [
    {"gate": "mae at most 20", "verdict": "Passed", "value": "1"}]}  # fmt: skip
EVALUATION = {
    "features": ["x"], "target": "y", "metrics": ["mae"], "gates": [{"metric": "mae", "max": "20"}],
    "data": {"artifact": {"uri": "s3://store/test/", "sha256": "b" * 64}},
}  # fmt: skip
SIDECAR = {"name": "mesh-proxy", "image": "mesh/proxy:1", "volumeMounts": [{"name": "mesh", "mountPath": "/etc/mesh"}]}
RUNNING = {"name": "mesh-proxy", "image": "mesh/proxy:1", "state": {"running": {"startedAt": "2026-03-02T09:00:00Z"}}}
CRASHED = {"name": "mesh-proxy", "image": "mesh/proxy:1", "state": {"terminated": {"exitCode": 1, "message": "boo"}}}


class User:
    """Somebody who runs Jobs. `init`: statuses of the containers before the one that answers."""

    main: str
    answer: Json
    init: tuple[Json, ...] = ()

    def __init__(self) -> None:
        self.world = LittleWorld(config=OperatorConfig.model_validate(CONFIG.model_dump() | SERVERS))

    def look(self) -> None:
        raise NotImplementedError

    def later(self, seconds: float) -> None:
        self.world.now += seconds
        self.look()

    @property
    def job(self) -> Json:
        """The newest Job."""
        return max(
            self.world.select(JOB), key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["uid"])
        )

    @property
    def jobs(self) -> int:
        """How many were ever made."""
        return len([one for one in self.world.created if one[0] == "Job"])

    def done(self) -> bool:
        """Whether the answer counts."""
        raise NotImplementedError

    def says(self) -> str:
        """What people read."""
        raise NotImplementedError

    def given_up(self) -> bool:
        """Whether it is not tried any more."""
        raise NotImplementedError

    def pod(
        self, message: str | None, code: int = 0, phase: str = "", extra: Json | None = None,
        change: Callable[[Json], None] = lambda _: None, name: str = "",
    ) -> Json:  # fmt: skip
        """The pod of the newest Job ends with this message; with a container that somebody has added."""
        job, statuses = self.job, [extra] if extra else []
        if message is not None:
            statuses.append(stopped(self.main, code, message))
        phase = phase or ("Failed" if code else "Succeeded")
        made = self.world.pod(job, phase, initContainerStatuses=list(self.init), containerStatuses=statuses)
        if extra:
            made["spec"] = copy.deepcopy(made["spec"])
            made["spec"]["containers"].insert(0, SIDECAR)
            made["spec"]["volumes"].append({"name": "mesh", "emptyDir": {}})
        change(made)
        if name:
            del self.world.objects["Pod", made["metadata"]["name"]]
            made["metadata"]["name"] = name
            self.world.objects["Pod", name] = made | {"metadata": made["metadata"] | {"uid": name}}
        return made


class Snapshots(User):
    main, answer = "snapshot", {"snapshot": {"version": ROWS}}

    def __init__(self) -> None:
        super().__init__()
        source = {"s3": {"bucket": "src", "prefix": "rides/"}}
        self.world.put(
            {"kind": "Dataset", "metadata": {"name": "rides"}, "spec": {"source": source, "format": "parquet"}}
        )
        request = dataset.request(self.world.subject(dataset.SPEC, "rides"), self.world)
        self.world.answers[request] = Listed("a" * 64, 2, 10)
        self.look()
        self.later(60)

    def look(self) -> None:
        self.world.settle(dataset.SPEC, "rides")

    def done(self) -> bool:
        return "current" in self.world.status(DATASET, "rides")

    def says(self) -> str:
        status = self.world.status(DATASET, "rides")
        return json.dumps([status["message"], status["conditions"]], ensure_ascii=False)

    def given_up(self) -> bool:
        return bool(self.world.status(DATASET, "rides")["phase"] == "Invalid")


class Verifications(User):
    main, answer = "fetch", {"fetched": 12}
    spec: ClassVar[Json] = {}

    def __init__(self) -> None:
        super().__init__()
        spec = {"model": "m", "artifact": {"uri": "s3://store/m-1/", "sha256": "a" * 64}} | self.spec
        self.world.put({"kind": "ModelVersion", "metadata": {"name": "m-1"}, "spec": spec})
        self.look()
        if not self.spec:
            self.later(modelversion.UNTAKEN)  # no Deployment has it: a Job looks at its bytes

    def look(self) -> None:
        self.world.settle(modelversion.SPEC, "m-1")

    def done(self) -> bool:
        status = self.world.status(MODEL_VERSION, "m-1")
        verified = next((one["status"] for one in status["conditions"] if one["type"] == "Verified"), "")
        return bool(status["phase"] == "Approved" and verified == "True")

    def says(self) -> str:
        status = self.world.status(MODEL_VERSION, "m-1")
        return json.dumps([status["message"], status["conditions"]], ensure_ascii=False)

    def given_up(self) -> bool:
        return bool(self.world.status(MODEL_VERSION, "m-1")["phase"] == "Rejected")


class Evaluations(Verifications):
    main, answer = "evaluate", {"evaluate": PROOF}
    spec: ClassVar[Json] = {"evaluation": EVALUATION}
    init = (stopped("fetch", 0, '{"fetched": 12}'),)


class Steps(User):
    main, answer = "publish", {"publish": {"attempt": 1, "outputs": []}}
    init = (stopped("step"),)

    def __init__(self) -> None:
        super().__init__()
        self.world.put(
            {"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {"steps": [{"name": "s", "image": "i:1"}]}}
        )
        self.world.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"}})
        self.look()

    def look(self) -> None:
        self.world.settle(run.SPEC, "p-1")

    @property
    def step(self) -> Json:
        found: Json = self.world.status(PIPELINE_RUN, "p-1")["steps"][0]
        return found

    def done(self) -> bool:
        return bool(self.step["phase"] == "Completed")

    def says(self) -> str:
        return json.dumps([self.step, self.world.status(PIPELINE_RUN, "p-1")["message"]], ensure_ascii=False)

    def given_up(self) -> bool:
        return bool(self.step["phase"] == "Failed")


class Askings(Steps):
    main, answer = "items", {"items": {"total": 2, "pages": ["a" * 64]}}
    init = (stopped("fetch", 0, '{"fetched": 12}'),)

    def __init__(self) -> None:
        User.__init__(self)
        source = {"s3": {"bucket": "src", "prefix": "rides/"}}
        self.world.put({
            "kind": "Dataset", "metadata": {"name": "rides"}, "spec": {"source": source, "format": "parquet"},
            "status": {"current": ROWS},
        })  # fmt: skip
        each = {"dataset": "rides", "distinct": ["region"]}
        self.world.put({
            "kind": "Pipeline", "metadata": {"name": "p"},
            "spec": {"steps": [{"name": "s", "image": "i:1", "each": each}]},
        })  # fmt: skip
        self.world.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"}})
        self.look()

    def done(self) -> bool:
        return bool(self.step["items"].get("total"))


PRIVATE = {"git": {"url": "https://git.example/code", "ref": "main", "credentials": {"name": "git"}}}


class Resolves(User):
    """Which commit of a private repository a run has."""

    main, answer = "resolve", {"resolve": {"commit": "c" * 40}}

    def __init__(self) -> None:
        super().__init__()
        spec = {"code": PRIVATE, "steps": [{"name": "s", "image": "i:1"}]}
        self.world.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": spec})
        self.world.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"}})
        self.look()

    def look(self) -> None:
        self.world.settle(run.SPEC, "p-1")

    @property
    def job(self) -> Json:
        """The newest Job that asks."""
        asking = [job for job in self.world.select(JOB) if "-code-" in job["metadata"]["name"]]
        return max(asking, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["uid"]))

    @property
    def jobs(self) -> int:
        """How many of these were ever made."""
        return len([one for one in self.world.created if one[0] == "Job" and "-code-" in one[1]])

    def done(self) -> bool:
        return bool(self.world.status(PIPELINE_RUN, "p-1").get("commit") == "c" * 40)

    def says(self) -> str:
        status = self.world.status(PIPELINE_RUN, "p-1")
        return json.dumps([status["message"], status["conditions"]], ensure_ascii=False)

    def given_up(self) -> bool:
        return bool(self.world.status(PIPELINE_RUN, "p-1")["phase"] == "Failed")


class Watches(User):
    """Whether the code in a private repository has moved."""

    main, answer = "resolve", {"resolve": {"commit": "c" * 40}}

    def __init__(self) -> None:
        super().__init__()
        spec = {"code": PRIVATE, "steps": [{"name": "s", "image": "i:1"}], "triggers": [{"code": {"every": "2h"}}]}
        self.world.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": spec})
        self.look()

    def look(self) -> None:
        self.world.settle(pipeline.SPEC, "p")

    def done(self) -> bool:
        return bool(self.world.status(PIPELINE, "p").get("handled") == {"code/git": "c" * 40})

    def says(self) -> str:
        status = self.world.status(PIPELINE, "p")
        return json.dumps([status["code"], status["conditions"]], ensure_ascii=False)

    def given_up(self) -> bool:
        (seen,) = self.world.status(PIPELINE, "p")["code"]
        return bool(seen.get("reason") and not seen.get("job"))


class Joins(User):
    main, answer = "join", {"join": {"rows": 5, "matched": 3, "unmatched": 2}}

    def __init__(self) -> None:
        self.sim = begun(wrong={"m-1": 0.2, "m-2": 0.2}, delay=0.0)
        self.sim.holds = True
        for _ in range(3):
            self.sim.tick(20)
        self.sim.publish()
        self.look()
        self.world = self.sim  # type: ignore[assignment]

    def look(self) -> None:
        self.sim.look()

    @property
    def joined(self) -> Json:
        found: Json = self.sim.status["joins"][0]
        return found

    @property
    def job(self) -> Json:
        return list(self.sim.of(JOB).values())[-1]

    @property
    def jobs(self) -> int:
        return len(self.sim.joins)

    def done(self) -> bool:
        return "job" not in self.joined and self.joined.get("reason", "") == ""

    def says(self) -> str:
        return json.dumps([self.joined, self.sim.status["conditions"]], ensure_ascii=False)

    def given_up(self) -> bool:
        return "job" not in self.joined and bool(self.joined.get("reason"))

    def pod(
        self, message: str | None, code: int = 0, phase: str = "", extra: Json | None = None,
        change: Callable[[Json], None] = lambda _: None, name: str = "",
    ) -> Json:  # fmt: skip
        job = self.job
        statuses = ([extra] if extra else []) + ([stopped(self.main, code, message)] if message is not None else [])
        made = self.sim.of(POD)[f"{job['metadata']['name']}-pod"]
        made["spec"] = copy.deepcopy(job["spec"]["template"]["spec"])
        made["status"] = {"phase": phase or ("Failed" if code else "Succeeded"), "conditions": [], "podIP": "10.9.9.9",
                          "containerStatuses": self.sim.told.keep(job, statuses)}  # fmt: skip
        if extra:
            made["spec"]["containers"].insert(0, SIDECAR)
            made["spec"]["volumes"].append({"name": "mesh", "emptyDir": {}})
        change(made)
        if name:
            del self.sim.of(POD)[made["metadata"]["name"]]
            made["metadata"] |= {"name": name, "uid": name}
            self.sim.of(POD)[name] = made
        return made


class Observes(Joins):
    main, answer = "observe", {"observe": {"rows": 5, "matched": 3, "unmatched": 2}}

    def __init__(self) -> None:
        self.sim = sim = observed()  # type: ignore[assignment]
        sim.holds = True
        sim.rows("m-1", 20)
        sim.publish()
        self.look()
        self.world = sim  # type: ignore[assignment]

    @property
    def joined(self) -> Json:
        found: Json = self.sim.status["monitors"]["labels"]
        return found


class Explanations(Joins):
    main, answer = "explain", {"explain": answered().model_dump(mode="json", by_alias=True)}

    def __init__(self) -> None:
        self.sim = begun_to_explain()  # type: ignore[assignment]
        self.world = self.sim  # type: ignore[assignment]

    @property
    def explained(self) -> Json:
        found: Json = self.sim.status["monitors"]["explained"]
        return found

    @property
    def jobs(self) -> int:
        return int(self.sim.made)  # type: ignore[attr-defined]

    def done(self) -> bool:
        return "job" not in self.explained and not self.explained.get("reason")

    def says(self) -> str:
        return json.dumps([self.explained, self.sim.status["monitors"]["lines"]], ensure_ascii=False)

    def given_up(self) -> bool:
        return "job" not in self.explained and bool(self.explained.get("reason"))


USERS = [Snapshots, Verifications, Evaluations, Steps, Askings, Joins, Observes, Explanations]
IN_STORE = [Snapshots, Evaluations, Steps, Askings, Joins, Observes, Explanations]
"""Those whose answer is a document."""
every = pytest.mark.parametrize("make", USERS)
answering = pytest.mark.parametrize("make", IN_STORE)


def good(user: User) -> str:
    return json.dumps(user.answer)


@every
def test_an_answer_of_its_own_pod_counts(make: type[User]) -> None:
    user = make()
    user.pod(good(user))
    user.look()
    assert user.done(), user.says()


# --- B05: messages that are cut, and answers that are in the store ------------------------------------------------


@every
@pytest.mark.parametrize("message", ['{"evaluate": {"digest": "aaaa', "Killed", ""])
def test_b05_an_answer_that_can_not_be_read_is_named_and_tried_a_few_times(make: type[User], message: str) -> None:
    user = make()
    attempt = 0
    while not user.given_up():
        attempt += 1
        user.pod(message)
        user.look()
        assert "AnswerUnreadable" in user.says()
        assert f"container {user.main} ended with exit code 0" in user.says()
        user.later(4000)
    assert attempt == (2 if make is Steps else 3), "a step's store is asked once more: it has committed what it made"
    assert user.given_up()
    jobs = user.jobs
    user.later(4000)
    assert user.jobs == jobs


@answering
def test_b05_a_store_that_is_away_is_waited_for_and_named(make: type[User]) -> None:
    user = make()
    user.world.told.says = Failed("Unreachable", "no connection to s3")
    user.pod(good(user))
    for _ in range(20):
        user.later(60)
        assert not user.done()
        assert "no connection to s3" in user.says()
        assert user.jobs == 1, "what was made is not made again because it can't be read"
    user.world.told.says = None
    user.look()
    assert user.done(), user.says()


@answering
def test_b05_the_message_is_short_whatever_the_answer(make: type[User]) -> None:
    user = make()
    pod = user.pod(good(user))
    (status,) = [one for one in pod["status"]["containerStatuses"] if one["name"] == user.main]
    assert len(status["state"]["terminated"]["message"]) < 100


@answering
def test_b05_a_job_of_the_release_before_says_all_in_its_message(make: type[User]) -> None:
    user = make()
    user.look()  # its uid is recorded
    del user.job["spec"]["template"]["metadata"]["annotations"]
    pod = user.pod(None)
    pod["status"]["containerStatuses"] = [stopped(user.main, 0, good(user))]
    user.look()
    assert user.done(), user.says()


@answering
def test_forged_evidence_all_in_the_message_is_none(make: type[User]) -> None:
    """That a release before did so helps nobody whose Job is of this one."""
    user = make()
    user.look()
    pod = user.pod(None)
    pod["status"]["containerStatuses"] = [stopped(user.main, 0, good(user))]
    user.look()
    assert not user.done()
    assert "did not say where its answer is" in user.says()


# --- B06: containers that somebody adds ---------------------------------------------------------------------------


@every
def test_b06_a_sidecar_that_goes_on_for_ever_holds_nothing_up_and_is_ended(make: type[User]) -> None:
    user = make()
    user.look()
    job = user.job["metadata"]["name"]
    user.pod(good(user), phase="Running", extra=RUNNING)
    user.look()
    assert user.done(), user.says()
    user.look()
    left = [one["metadata"]["name"] for one in user.world.select(JOB)]
    assert job not in left, "its pod would run for ever"


@every
def test_b06_a_sidecar_that_fails_is_no_failure(make: type[User]) -> None:
    user = make()
    user.pod(good(user), phase="Failed", extra=CRASHED)
    user.look()
    assert user.done(), user.says()


@every
def test_b06_a_failure_is_that_of_fairleads_own_container(make: type[User]) -> None:
    user = make()
    error = {"error": {"reason": "AccessDenied", "message": "may not read bucket rides", "transient": False}}
    user.pod(json.dumps(error), 1, phase="Running", extra=RUNNING)
    user.look()
    assert not user.done()
    assert "may not read bucket rides" in user.says()
    assert "mesh-proxy" not in user.says()


@every
def test_b06_what_is_added_and_fails_before_ours_could_begin_is_named(make: type[User]) -> None:
    user = make()
    user.init = ()  # type: ignore[misc]
    user.pod(None, phase="Failed", extra=CRASHED)
    user.look()
    assert not user.done()
    assert not user.given_up()
    assert (
        "container mesh-proxy, which something in the cluster has added to the pod, ended with exit code 1"
        in user.says()
    )


# --- B07: images that somebody rewrites ----------------------------------------------------------------------------


def mirrored(user: User, mirror: str) -> Callable[[Json], None]:
    def change(pod: Json) -> None:
        pod["spec"] = copy.deepcopy(pod["spec"])
        for one in pod["spec"]["containers"]:
            one["image"] = mirror
        waits = {"waiting": {"reason": "ErrImagePull", "message": "no route to mirror"}}
        pod["status"]["containerStatuses"] = [{"name": user.main, "image": mirror, "state": waits}]

    return change


@every
def test_b07_an_image_from_a_mirror_that_is_down_is_one_job_and_both_images_are_named(make: type[User]) -> None:
    user = make()
    asked = user.job["spec"]["template"]["spec"]["containers"][0]["image"]
    mirror = f"mirror.example/cache/{asked.rpartition('/')[2]}"
    for _ in range(40):
        user.pod(None, phase="Pending", change=mirrored(user, mirror))
        user.later(1.5)
    assert user.jobs == 1
    assert f"image {mirror} of container {user.main} can't be pulled" in user.says()
    assert f"rewritten it from {asked}" in user.says()


@every
def test_b07_an_image_from_a_mirror_that_is_up_is_as_good(make: type[User]) -> None:
    user = make()
    asked = user.job["spec"]["template"]["spec"]["containers"][0]["image"]

    def change(pod: Json) -> None:
        pod["spec"]["containers"][0]["image"] = f"mirror.example/{asked.rpartition('/')[2]}"

    pod = user.pod(good(user))
    pod["spec"] = copy.deepcopy(pod["spec"])
    change(pod)
    user.look()
    assert user.done(), user.says()


# --- forged evidence ----------------------------------------------------------------------------------------------


def other_image(spec: Json) -> None:
    spec["containers"][0]["image"] = "evil/program:1"


def other_command(spec: Json) -> None:
    spec["containers"][0]["command"] = ["python3", "-c", "open('/dev/termination-log','w').write('…')"]


def more_arguments(spec: Json) -> None:
    spec["containers"][0]["args"] = ["--lie"]


def other_task(spec: Json) -> None:
    spec["containers"][0]["env"] = [one | {"value": "{}"} for one in spec["containers"][0]["env"]]


def task_twice(spec: Json) -> None:
    spec["containers"][0]["env"].append({"name": "FAIRLEAD_TASK", "value": "{}"})


def hidden_program(spec: Json) -> None:
    spec["volumes"].append({"name": "evil", "configMap": {"name": "evil"}})
    spec["containers"][0]["volumeMounts"].append({"name": "evil", "mountPath": "/fairlead"})


def replaced_program(spec: Json) -> None:
    spec["volumes"].append({"name": "evil", "configMap": {"name": "evil"}})
    spec["containers"][0]["volumeMounts"].append({"name": "evil", "mountPath": "/app/package/fairlead"})


def hidden_by_dots(spec: Json) -> None:
    spec["volumes"].append({"name": "evil", "configMap": {"name": "evil"}})
    spec["containers"][0]["volumeMounts"].append({"name": "evil", "mountPath": "/etc/x/../../app"})


def hidden_by_no_slash(spec: Json) -> None:
    spec["volumes"].append({"name": "evil", "configMap": {"name": "evil"}})
    spec["containers"][0]["volumeMounts"].append({"name": "evil", "mountPath": "fairlead/data"})


def hidden_by_slashes(spec: Json) -> None:
    spec["volumes"].append({"name": "evil", "configMap": {"name": "evil"}})
    spec["containers"][0]["volumeMounts"].append({"name": "evil", "mountPath": "//fairlead//data"})


def replaced_interpreter(spec: Json) -> None:
    spec["volumes"].append({"name": "evil", "emptyDir": {}})
    spec["containers"][0]["volumeMounts"].append({"name": "evil", "mountPath": "/usr"})


def other_modules(spec: Json) -> None:
    spec["containers"][0]["env"].append({"name": "PYTHONPATH", "value": "/evil:/app/package"})


def other_programs(spec: Json) -> None:
    spec["containers"][0]["env"].append({"name": "PATH", "value": "/evil"})


def variables_from_elsewhere(spec: Json) -> None:
    spec["containers"][0]["envFrom"] = [{"configMapRef": {"name": "evil"}}]


def hook(spec: Json) -> None:
    spec["containers"][0]["lifecycle"] = {"postStart": {"exec": {"command": ["sh", "-c", "lie"]}}}


def beside_it(spec: Json) -> None:
    mount = {"name": spec["volumes"][0]["name"], "mountPath": "/x"}
    spec["containers"].append({"name": "evil", "image": "evil:1", "volumeMounts": [mount]})


def other_volume(spec: Json) -> None:
    spec["volumes"] = [{"name": one["name"], "configMap": {"name": "evil"}} for one in spec["volumes"]]


def one_process_tree(spec: Json) -> None:
    spec["shareProcessNamespace"] = True


def entered(spec: Json) -> None:
    spec["ephemeralContainers"] = [{"name": "debugger-1", "image": "busybox"}]


def no_container(spec: Json) -> None:
    spec["containers"] = [{**spec["containers"][0], "name": "other"}]


LIES = [other_image, other_command, more_arguments, other_task, task_twice, hidden_program, hook, beside_it,
        other_volume, one_process_tree, entered, no_container]  # fmt: skip
PROGRAMS = [replaced_program, replaced_interpreter, other_modules, other_programs, variables_from_elsewhere,
            hidden_by_dots, hidden_by_no_slash, hidden_by_slashes]  # fmt: skip
"""Lies about a program of Fairlead's own."""


def told(spec_change: Callable[[Json], None]) -> Callable[[Json], None]:
    def change(pod: Json) -> None:
        pod["spec"] = copy.deepcopy(pod["spec"])
        spec_change(pod["spec"])

    return change


@every
@pytest.mark.parametrize("lie", LIES)
def test_forged_evidence_of_a_pod_that_is_not_as_its_job_says(make: type[User], lie: Callable[[Json], None]) -> None:
    user = make()
    user.look()
    user.pod(good(user), change=told(lie))
    user.look()
    assert not user.done()
    user.later(30)
    assert "ForeignPod" in user.says()
    assert user.job["metadata"]["name"] in user.says()


@every
@pytest.mark.parametrize("lie", PROGRAMS)
def test_forged_evidence_of_another_program_under_the_name_of_fairleads(
    make: type[User], lie: Callable[[Json], None]
) -> None:
    user = make()
    user.look()

    def change(spec: Json) -> None:
        mine = next(one for one in spec["containers"] + spec.get("initContainers", []) if one["name"] == user.main)
        lie(spec | {"containers": [mine]})

    user.pod(good(user), change=told(change))
    user.look()
    assert not user.done()
    user.later(30)
    assert "ForeignPod" in user.says()


@every
def test_forged_evidence_beside_the_real_pod_does_not_count_and_the_real_one_does(make: type[User]) -> None:
    user = make()
    user.look()
    user.pod(good(user), change=told(other_command), name="forger2")
    user.world.told.documents.clear()
    if issubclass(make, Joins):
        user.sim._pod(user.job["metadata"]["name"], user.job["metadata"]["uid"], None)  # type: ignore[attr-defined]
    user.pod(None, phase="Running")
    user.later(30)
    assert not user.done()
    assert "forger2" in user.says()
    user.pod(good(user))
    user.look()
    assert user.done(), user.says()


@every
def test_forged_evidence_where_the_real_pod_is_gone_the_job_is_made_again(make: type[User]) -> None:
    user = make()
    user.look()
    jobs = user.jobs
    user.pod(good(user), change=told(other_image), name="forger2")
    user.job["status"] = {"conditions": [
        {"type": "Complete" if make is not Steps else "Failed", "status": "True",
         "lastTransitionTime": rfc3339(user.world.now)}]}  # fmt: skip
    user.look()
    assert not user.done()
    for _ in range(4):
        user.later(400)
    assert not user.done()
    assert user.jobs > jobs


@every
def test_forged_evidence_of_two_that_are_alike_is_not_believed(make: type[User]) -> None:
    """A Job makes one pod: if there are two, one of them is somebody's, and which one is not known."""
    user = make()
    user.look()
    name = user.job["metadata"]["name"]
    user.pod(good(user), name=f"{name}-abcde")
    if issubclass(make, Joins):
        user.sim._pod(name, user.job["metadata"]["uid"], None)  # type: ignore[attr-defined]
    user.pod(good(user))
    user.later(30)
    assert not user.done()
    assert "both claim to be the only one" in user.says()


@answering
def test_forged_evidence_of_another_task_is_none(make: type[User]) -> None:
    """A document that is in the store, and answers something else."""
    user = make()
    user.pod(good(user))
    documents = user.world.told.documents
    for key, text in documents.items():
        value = json.loads(text)
        value["task" if "task" in value and "result" in value else "taskDigest"] = "0" * 64
        documents[key] = json.dumps(value)
    user.look()
    assert not user.done()
    assert "answers another task" in user.says()


@answering
@pytest.mark.parametrize("reason", ["ObjectMissing", "DigestMismatch"])
def test_forged_evidence_that_is_not_in_the_store_is_none(make: type[User], reason: str) -> None:
    user = make()
    user.pod(good(user))
    user.world.told.says = Failed(reason, "it has other bytes")  # type: ignore[assignment]
    user.look()
    assert not user.done()
    assert "AnswerUnreadable" in user.says()


@pytest.mark.parametrize("make", [Snapshots, Verifications, Evaluations, Steps])
def test_forged_evidence_by_a_job_that_was_there_first(make: type[User]) -> None:
    """The names of Jobs can be known beforehand."""
    user = make()
    evil = copy.deepcopy(user.job)
    other_command(evil["spec"]["template"]["spec"])
    evil["metadata"]["uid"] = "evil"
    kind, name = {
        Snapshots: ("Dataset", "rides"), Steps: ("PipelineRun", "p-1"),
    }.get(make, ("ModelVersion", "m-1"))  # fmt: skip
    status = user.world.objects[kind, name]["status"]
    for one in (status.get("job"), *status.get("steps", [])):  # as when it was recorded, and not seen yet
        if one:
            one.pop("uid", None)
            one.pop("jobUid", None)
    user.world.objects["Job", evil["metadata"]["name"]] = evil
    user.pod(good(user))
    user.look()
    assert not user.done()
    assert "ForeignJob" in user.says()
    for _ in range(3):
        user.later(400)
    assert user.job["metadata"]["uid"] != "evil"
    user.pod(good(user))
    user.look()
    assert user.done(), user.says()


def test_what_clusters_add_to_pods_is_no_lie() -> None:
    user = Evaluations()
    user.look()

    def change(pod: Json) -> None:
        spec = pod["spec"] = copy.deepcopy(pod["spec"])
        token = {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        spec["volumes"] += [{"name": "kube-api-access", "projected": {}}, {"name": "mesh", "emptyDir": {}}]
        spec["initContainers"].insert(0, {"name": "mesh-init", "image": "mesh/init:1"})
        spec["containers"] += [SIDECAR]
        spec |= {"serviceAccountName": "default", "tolerations": [{"key": "x"}], "priority": 0, "hostNetwork": False}
        for one in [*spec["initContainers"], *spec["containers"]]:
            one.setdefault("volumeMounts", []).append(token)
            one["volumeMounts"].append({"name": "mesh", "mountPath": "/usr/share/zoneinfo"})
            one.setdefault("env", []).append({"name": "HTTP_PROXY", "value": "http://proxy"})
            one["terminationMessagePath"] = "/dev/termination-log"
            one["resources"] = {"requests": {"cpu": "1"}}

    user.pod(good(user), change=change)
    user.look()
    assert user.done(), user.says()


def test_what_clusters_add_to_a_users_program_is_no_lie() -> None:
    """Agents that trace Python programs, and sites that hand out their settings, change it as any other."""
    user = Steps()
    user.look()

    def change(spec: Json) -> None:
        spec["volumes"].append({"name": "agent", "emptyDir": {}})
        (mine,) = (one for one in spec["initContainers"] if any(v["name"] == "FAIRLEAD_RUN" for v in one["env"]))
        mine["env"].append({"name": "PYTHONPATH", "value": "/agent"})
        mine["envFrom"] = [{"configMapRef": {"name": "site"}}]
        mine["volumeMounts"].append({"name": "agent", "mountPath": "/usr/lib/agent"})

    user.pod(good(user), change=told(change))
    user.look()
    assert user.done(), user.says()


def test_the_worlds_say_what_workers_say() -> None:
    for user in IN_STORE:
        assert TaskResult.model_validate(user.answer)
    assert (Joins.main, Observes.main) == (joining.JOIN, Observing.program)
    assert JoinResult.model_validate(Joins.answer["join"])
    assert ObserveResult.model_validate(Observes.answer["observe"])


@pytest.mark.parametrize("make", [Verifications, Evaluations])
def test_b06_an_operator_that_dies_before_the_job_is_gone_ends_it_later(make: type[Verifications]) -> None:
    """A version that is final is not looked at any more; its Job must be gone by then."""
    user = make()
    user.look()
    user.pod(good(user), phase="Running", extra=RUNNING)
    with pytest.raises(Crash):
        user.world.look(modelversion.SPEC, "m-1", crash_after=1)
    assert user.world.select(JOB)
    assert not user.done()
    user.look()
    assert user.done()
    assert not user.world.select(JOB)


@answering
def test_b05_a_store_that_takes_its_time_is_no_news(make: type[User]) -> None:
    user = make()
    user.look()
    user.world.told.says = Failed(UNDERWAY, "the store has not answered yet")
    user.pod(good(user))
    user.look()
    assert not user.done()
    assert "the store has not answered yet" not in user.says()
    assert "the answer can't be read" not in user.says()
    user.world.told.says = None
    user.look()
    assert user.done(), user.says()
