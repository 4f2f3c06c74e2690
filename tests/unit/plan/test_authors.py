"""Whose work a version is: who started the run, who wrote the Pipeline, and nobody where either is not known."""

from __future__ import annotations

import pytest
import yaml
from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_pipeline_plan import BY_DATA, dataset, look, world
from tests.unit.plan.test_run_machine import PIPELINE, answer

from fairlead.plan.core import JOB, MODEL_VERSION, PIPELINE_RUN, POD, Json
from fairlead.plan.pipeline import run


def produced(writer: str | None, starter: str | None, edited_by: str | None = None) -> Json:
    """The spec of the version that a run makes. edited_by: who changes the Pipeline while it runs."""
    where = LittleWorld()
    pipeline = yaml.safe_load(PIPELINE)
    pipeline["spec"] |= {"author": writer} if writer else {}
    where.put(pipeline)
    spec = {"pipeline": "p"} | ({"author": starter} if starter else {})
    where.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": spec})
    for _ in range(20):
        where.settle(run.SPEC, "p-1")
        if edited_by:
            where.objects["Pipeline", "p"]["spec"]["author"] = edited_by
        for job in where.select(JOB):
            if where.get(POD, f"{job['metadata']['name']}-x") is None:
                where.pod(job, "Succeeded", initContainerStatuses=[stopped("step")],
                          containerStatuses=[stopped("publish", 0, answer(job))])  # fmt: skip
    (version,) = where.select(MODEL_VERSION)
    found: Json = version["spec"]
    return found


def test_who_starts_ones_own_pipeline_is_the_author() -> None:
    spec = produced("alice", "alice")
    assert spec["author"] == "alice"
    assert "author" not in spec["lineage"]


def test_who_wrote_the_pipeline_is_an_author_too() -> None:
    spec = produced("carol", "alice")
    assert (spec["author"], spec["lineage"]["author"]) == ("alice", "carol")


def test_who_wrote_it_when_the_run_began_counts() -> None:
    assert produced("carol", "alice", edited_by="alice")["lineage"]["author"] == "carol"


@pytest.mark.parametrize(("writer", "starter"), [(None, "alice"), ("carol", None), (None, None)])
def test_work_that_is_partly_nobodys_is_nobodys(writer: str | None, starter: str | None) -> None:
    assert "author" not in produced(writer, starter)


@pytest.mark.parametrize("author", ["carol", None])
def test_a_run_that_a_trigger_starts_is_the_pipelines_authors(author: str | None) -> None:
    where = world(**BY_DATA, **({"author": author} if author else {}))
    dataset(where, "v1")
    look(where)
    (made,) = where.select(PIPELINE_RUN)
    assert made["spec"].get("author") == author
