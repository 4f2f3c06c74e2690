"""What is no data is counted in a Dataset's status, and makes nothing be read again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan import test_dataset_plan as datasets

from fairlead.api.dataset import DatasetSpec
from fairlead.plan.core import JOB, Context
from fairlead.plan.dataset import plan as dataset
from fairlead.plan.dataset.snapshot import rules
from fairlead.plan.requests import Listed


def test_d09_what_comes_beside_the_data_is_counted_and_nothing_is_read() -> None:
    where = datasets.world()
    datasets.publish(where, "a", "v1")
    assert where.status(dataset.DATASET, "rides")["listing"]["ignored"] == 0
    datasets.source(where, Listed("a" * 64, 2, 10, ignored=3))
    before = where.status(dataset.DATASET, "rides")["listing"]["since"]
    status = datasets.look(where)
    assert (status["listing"]["ignored"], status["listing"]["since"]) == (3, before)
    assert status["phase"] == "Ready"
    assert where.select(JOB) == []


def test_d09_a_source_without_data_says_what_else_is_there() -> None:
    where = datasets.world()
    datasets.source(where, Listed("e" * 64, 0, 0, ignored=4))
    assert datasets.look(where)["message"].startswith("no objects under s3://src/rides/ (but 4 that are no data")
    datasets.source(where, Listed("e" * 64, 0, 0))
    where.now += 60
    assert datasets.look(where)["message"].startswith("no objects under s3://src/rides/; they are looked for")


def test_d04_a_prefix_without_a_slash_under_which_nothing_is_says_what_a_prefix_means() -> None:
    where = datasets.world(source={"s3": {"bucket": "src", "prefix": "rides/part-"}})
    datasets.source(where, Listed("e" * 64, 0, 0))
    told = datasets.look(where)["message"]
    assert told.startswith("no objects under s3://src/rides/part- (a folder, or one object: a prefix does not stand")


def test_d09_patterns_are_asked_for_with_the_listing_and_told_to_the_job() -> None:
    where = datasets.world(source={"s3": {"bucket": "src", "prefix": "rides/"}, "exclude": ["README.md", "old/"]})
    request = dataset.request(where.subject(dataset.SPEC, "rides"), where)
    assert request.exclude == ("README.md", "old/")
    job = datasets.settle(where, "a")
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert '"exclude":["README.md","old/"]' in next(one["value"] for one in env if one["name"] == "FAIRLEAD_TASK")


def asked(**spec: Any) -> str:
    """The digest of what decides about a listing."""
    where = datasets.world(**spec)
    return rules(Context(where.subject(dataset.SPEC, "rides"), where, where.now))


def test_d04_versions_of_a_prefix_that_was_part_of_keys_are_made_anew_once() -> None:
    plain, before = asked(), DatasetSpec.model_validate(datasets.SPEC)
    assert asked(timeout=None) == plain, "what others wrote decides as before: nothing is read again"
    assert before.timeout is None
    folder = {"s3": {"bucket": "src", "prefix": "rides"}}
    assert asked(source=folder) not in (plain, asked(source={"s3": {"bucket": "src"}}))


@pytest.mark.parametrize("changed", [{"timeout": "2h"}, {"source": {**datasets.SPEC["source"], "exclude": ["x"]}}])
def test_d09_a_change_of_what_decides_reads_again(changed: dict[str, Any]) -> None:
    assert asked(**changed) != asked()
