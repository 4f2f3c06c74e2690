"""What Fairlead makes, whole: a change of any field shows in the review.

After a change that is meant: `FAIRLEAD_GOLDEN=write pytest tests/unit/plan/test_golden_manifests.py`.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest
import yaml
from tests.unit.pipeline import each_world
from tests.unit.pipeline import test_evaluate_step as measured
from tests.unit.pipeline.each_world import EachWorld
from tests.unit.pipeline.gangs import Gang
from tests.unit.plan import test_run_plan as runs
from tests.unit.plan.explain_world import first_of_an_evaluated_version
from tests.unit.plan.littleworld import LittleWorld

from fairlead.plan.core import Json
from fairlead.plan.dataset import plan as dataset
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run
from fairlead.plan.requests import Listed

GOLDEN = Path(__file__).parents[2] / "golden"
DATASET = """
kind: Dataset
metadata: {name: flights}
spec:
  source: {s3: {bucket: airline, prefix: flights/, endpoint: "http://other:9000", credentials: {name: source-keys}}}
  format: parquet
  pin: reference
  schema: {columns: [{name: late, type: float, nullable: true, min: "-120"}]}
  checks: [{rows: {min: 10}}, {sql: "select count(*) = 0 from data where late > $limit", severity: warn}]
"""


REPORTED = """
kind: Pipeline
metadata: {name: delay}
spec:
  params: {horizon: "24"}
  steps:
  - {name: prepare, image: "airline:1", inputs: {raw: {dataset: flights}}, outputs: {rows: {type: dataset}}}
  - {name: train, image: "airline:1", inputs: {rows: {output: prepare.rows}}, outputs: {roc: {type: preview}}}
  - name: page
    report: {title: Delays}
    when: always
    inputs: {rows: {output: prepare.rows}, roc: {output: train.roc}}
"""


def snapshot_job() -> Json:
    """The Job that reads a Dataset's first listing."""
    where = LittleWorld()
    where.put(DATASET)
    request = dataset.request(where.subject(dataset.SPEC, "flights"), where)
    where.answers[request] = Listed("a" * 64, 2, 10)
    where.settle(dataset.SPEC, "flights")
    where.now += 10
    return where.look(dataset.SPEC, "flights").create[0]


def step_job() -> Json:
    """The Job of a step that trains on a GPU."""
    where = runs.world()
    runs.look(where)
    runs.succeed(where, "prepare")
    job: Json = runs.live(where, "train")
    return job


def report_job() -> Json:
    """The Job of a report on a run that has failed, with an input that is not there."""
    where = LittleWorld()
    runs.dataset(where)
    where.put(REPORTED)
    where.put({
        "kind": "PipelineRun", "metadata": {"name": "delay-7"},
        "spec": {"pipeline": "delay", "reason": "version v2 of Dataset flights", "params": {"horizon": "48"}},
    })  # fmt: skip
    runs.look(where)
    runs.succeed(where, "prepare")
    runs.fail(where, "train")
    job: Json = runs.live(where, "page")
    return job


def recall_job() -> Json:
    """The Job that asks what a finished step committed."""
    where = runs.world()
    runs.look(where)
    runs.live(where, "prepare")["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    return where.look(run.SPEC, "delay-7").create[0]


def item_job() -> Json:
    """The Job of one item of a step with `each`, which reads what another step has left for it."""
    prepare = each_world.TRAIN | {"name": "prepare", "outputs": {"rows": {"type": "dataset"}}}
    train = each_world.TRAIN | {"each": {"itemsOf": "prepare"}, "inputs": {"rows": {"output": "prepare.rows"}}}
    where = EachWorld().begin(prepare, train)
    where.look_on()
    where.succeed(*range(6), step="prepare")
    where.look_on()
    return where.alive()[3]


def items_job() -> Json:
    """The Job that asks a Dataset's version for the items of a step."""
    where = EachWorld().begin(each_world.TRAIN | {"each": {"dataset": "flights", "distinct": ["region", "size"]}})
    where.look_on()
    (job,) = where.jobs(step="train")
    return job


def measuring_job() -> Json:
    """The Job of a step that measures a model."""
    job: Json = runs.live(measured.begun(measured.manifest()), "score")
    return job


def gathering_job() -> Json:
    """The Job of a step that reads what all items of another one have left."""
    where = EachWorld().begin(each_world.TRAIN, each_world.REPORT)
    where.look_on()
    where.succeed(*range(6))
    where.look_on()
    (job,) = where.jobs(step="report")
    return job


def explanation_job() -> Json:
    """The Job that explains requests for the first time, with the evaluation's rows."""
    return first_of_an_evaluated_version().job


def pipeline_run() -> Json:
    """The run that a new version starts."""
    where = runs.world()
    where.objects[("Pipeline", "delay")]["spec"]["triggers"] = [{"dataset": {"name": "flights"}}]
    return where.look(pipeline.SPEC, "delay").create[0]


def model_version() -> Json:
    """The model that a run makes."""
    where = runs.world()
    runs.look(where)
    runs.succeed(where, "prepare")
    runs.succeed(where, "train")
    return where.objects[("ModelVersion", "delay-7")]


def workers_job() -> Json:
    """The Job of a step with several workers."""
    return Gang().job


def workers_service() -> Json:
    """The Service by which they find each other."""
    found = Gang()
    return found.world.objects["Service", found.services[0]]


JOBS = [
    snapshot_job, step_job, workers_job, report_job, recall_job, item_job, items_job, measuring_job, gathering_job,
    explanation_job,
]  # fmt: skip


@pytest.mark.parametrize("make", [*JOBS, workers_service, pipeline_run, model_version])
def test_as_reviewed(make: object) -> None:
    assert callable(make)
    made = copy.deepcopy(make())
    made.pop("status", None)
    for volatile in ("uid", "creationTimestamp", "resourceVersion", "generation"):
        made["metadata"].pop(volatile, None)
    path = GOLDEN / f"{make.__name__.replace('_', '-')}.yaml"
    if os.environ.get("FAIRLEAD_GOLDEN") == "write":
        path.write_text(yaml.safe_dump(made, sort_keys=True, width=120))
    assert yaml.safe_load(path.read_text()) == made, f"{path.name} differs; see the top of this test"


@pytest.mark.parametrize("make", JOBS)
def test_pods_are_restricted(make: object) -> None:
    assert callable(make)
    spec = make()["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    tmp = set()
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        tmp |= {m["name"] for m in container["volumeMounts"] if m["mountPath"] == "/tmp"}
    assert len(tmp) == len(spec.get("initContainers", [])) + len(spec["containers"]), "each /tmp is its container's own"
    assert not {"hostPath", "hostNetwork"} & set(str(spec).replace("'", " ").split())
