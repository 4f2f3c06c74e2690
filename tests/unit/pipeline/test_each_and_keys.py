"""Steps for each item, and what is taken from earlier runs: all of it has a digest, one item has none."""

from __future__ import annotations

import pytest

from fairlead.api.each import Each, Items
from fairlead.api.pipeline import Input, Step
from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
from fairlead.plan.pipeline.cache import keys

IMAGE = f"registry.example/team/train@sha256:{'a' * 64}"


def ran(digest: str) -> PipelineRunStatus:
    """A run whose step `prepare` has left this for all of its items."""
    items = Items(total=2, next=2, completed=2, digest=digest)
    return PipelineRunStatus(steps=[StepStatus(name="prepare", phase="Completed", items=items), StepStatus(name="sum")])


def reads(**source: object) -> Step:
    return Step(name="sum", image=IMAGE, inputs={"all": Input.model_validate({"output": "prepare.rows"} | source)})


def test_all_of_it_counts_by_what_its_reader_verifies() -> None:
    same = keys.key(keys.parts(reads(), ran("1" * 64)))
    assert same == keys.key(keys.parts(reads(), ran("1" * 64)))
    assert same != keys.key(keys.parts(reads(), ran("2" * 64)))


def test_one_item_has_no_digest_beforehand() -> None:
    with pytest.raises(keys.NotKeyable, match="one item of what step prepare leaves"):
        keys.parts(reads(item={"region": "NE"}), ran("1" * 64))


def test_the_items_themselves_are_not_taken_from_earlier_runs() -> None:
    each = Each(matrix={"region": ["NE", "NW"]})
    with pytest.raises(keys.NotKeyable, match="for each item"):
        keys.parts(Step(name="prepare", image=IMAGE, each=each), ran(""))
