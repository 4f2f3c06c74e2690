"""docs/how-to/measure-before-you-publish.md: its pipelines are valid and run as it says, its words are those there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.unit.pipeline.courses import Course

from fairlead.api.config import Images
from fairlead.api.evaluating import OUTPUT
from fairlead.api.modelversion import Gate
from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.main import parser
from fairlead.plan.core import Json
from fairlead.plan.pipeline import dag, measuring
from fairlead.worker.measure import gap_name

PAGE = (Path(__file__).parents[3] / "docs/how-to/measure-before-you-publish.md").read_text()
EXAMPLES: list[Json] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
IMAGES = Images(worker="w:1", runtimes={"sklearn": "sklearn:1"})


def filled(example: Json) -> PipelineSpec:
    return measuring.filled(PipelineSpec.model_validate(example["spec"]), IMAGES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: str(one["metadata"]["name"]))
def test_examples_are_valid(example: Json) -> None:
    dag.validate(filled(example))


@pytest.mark.parametrize(("mae", "released"), [("19.9", True), ("20", False), ("31", False)])
def test_only_what_is_good_enough_becomes_a_version(mae: str, released: bool) -> None:
    spec = EXAMPLES[0]["spec"]
    steps = [one | {"inputs": {}} if one["name"] == "train" else one for one in spec["steps"]]
    course = Course(*steps, produces=spec["produces"])
    course.world.config = course.world.config.model_copy(update={"images": IMAGES})
    course.look()
    course.succeed("train")
    course.look()
    course.succeed("score", metrics={"mae": mae, "rmse": "40", "rows": "100"})
    end = course.play()
    assert end["phase"] == "Completed"
    assert course.phases(["score", "release"]) == {
        "score": "Completed",
        "release": "Completed" if released else "Skipped",
    }
    assert end["models"] == (["delay-1"] if released else [])


def test_without_the_default_the_step_would_wait_for_what_waits_for_it() -> None:
    """Hence the example says which model it measures."""
    spec = PipelineSpec.model_validate(EXAMPLES[0]["spec"])
    steps = [one.model_copy(update={"inputs": {}}) if one.name == "score" else one for one in spec.steps]
    with pytest.raises(dag.Invalid, match="wait for each other"):
        dag.validate(measuring.filled(spec.model_copy(update={"steps": steps}), IMAGES))


def test_its_words_are_those_there_are() -> None:
    assert f"`{gap_name(Gate.model_validate({'metric': 'tpr_gap', 'by': 'region', 'max': '5%'}))}`" in PAGE
    assert f"**`{OUTPUT}`**" in PAGE
    for words in re.findall(r"`kubectl fairlead (open [^`]+)`", PAGE):
        parser("fairlead").parse_args(words.split())
    for name in ("resources", "env", "secrets", "nodeSelector", "tolerations", "claims"):
        assert f"`{name}`" in PAGE
