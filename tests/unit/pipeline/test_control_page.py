"""docs/how-to/control-a-run.md: its pipelines are valid and run as it says, its tables have the words there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.unit.pipeline.courses import Course

from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.main import parser
from fairlead.plan.core import Json
from fairlead.plan.pipeline import clocks, dag, judging, units

PAGE = (Path(__file__).parents[3] / "docs/how-to/control-a-run.md").read_text()
EXAMPLES: list[Json] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: str(one["metadata"]["name"]))
def test_examples_are_valid(example: Json) -> None:
    dag.validate(PipelineSpec.model_validate(example["spec"]))


@pytest.mark.parametrize(("trials", "region", "rate", "phases"), [
    ("12", "NE", "0.1", ("Completed", "Completed", "Completed", "Skipped")),
    ("12", "NW", "0.1", ("Completed", "Skipped", "Completed", "Skipped")),
    ("12", "NE", "0.7", ("Completed", "Skipped", "Completed", "Skipped")),
    ("9", "NE", "0.1", ("Skipped", "Completed", "Completed", "Skipped")),
    (None, "NE", "0.1", ("Failed", "Aborted", "Completed", "Completed")),
    ("12", "NE", "fast", ("Completed", "Failed", "Completed", "Completed")),
])  # fmt: skip
def test_the_first_example_runs_as_the_page_says(
    trials: str | None, region: str, rate: str, phases: tuple[str, ...]
) -> None:  # fmt: skip
    spec = EXAMPLES[0]["spec"]
    course = Course(*spec["steps"], **{k: v for k, v in spec.items() if k != "steps"},
                    run_spec={"params": {"region": region}})  # fmt: skip
    course.look()
    course.succeed("search", {"rate": rate}, {"trials": trials} if trials else {})
    course.look()
    if phases[0] == "Completed":
        (step,) = course.job("train")["spec"]["template"]["spec"]["initContainers"]
        assert step["args"] == [f"--rate={rate}"]
    end = course.play()
    assert tuple(course.phases(["train", "coast", "notify", "mend"]).values()) == phases
    assert end["models"] == (["fares-1"] if end["phase"] == "Completed" and phases[0] == "Completed" else [])


def test_its_tables_have_the_words_that_are_given() -> None:
    for word in (*clocks.FAULTS, units.TIMEOUT, judging.SKIPPED, judging.MISSING, judging.NOT_A_NUMBER):
        assert f"`{word}`" in PAGE
    for line in re.findall(r"^kubectl fairlead (.*)$", PAGE, re.M):
        parser("fairlead").parse_args(line.split())
