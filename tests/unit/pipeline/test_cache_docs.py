"""docs/how-to/cache-and-resume.md: its examples are run, and what they show is what is shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from tests.unit.plan.cache_world import A, CacheWorld, made, outcomes, step

from fairlead.api.pipelinerun import PipelineRun, StepCache
from fairlead.cli import show_cache
from fairlead.cli.blocks import plain
from fairlead.plan.core import PIPELINE_RUN
from fairlead.plan.pipeline.cache import why
from fairlead.plan.requests import ImageSeen

PAGE = (Path(__file__).parents[3] / "docs/how-to/cache-and-resume.md").read_text()
EXAMPLES: dict[str, Any] = {
    one["kind"]: one for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) for one in yaml.safe_load_all(block)
}  # fmt: skip


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> CacheWorld:
    found = made(monkeypatch)
    found.put(EXAMPLES["Pipeline"])
    found.registry["registry.example/airline:1.4"] = ImageSeen(A)
    return found


def test_why_shows_what_the_page_shows(where: CacheWorld) -> None:
    where.whole("delay-1")
    where.now += 60
    where.objects["Pipeline", "delay"]["spec"]["steps"][1]["env"][0]["value"] = "2"
    where.whole("delay-2")
    raw, runs = where.objects["PipelineRun", "delay-2"], where.select(PIPELINE_RUN)
    found = PipelineRun.model_validate(raw)
    each = why.explained(found.status, show_cache.earlier(raw, runs))
    shown = plain(show_cache.blocks("delay-2", found, each))
    (page,) = re.findall(r"```text\n(.*?)```", PAGE, re.S)
    told, wanted = (re.sub(r"\b[0-9a-f]{12}\b", "<key>", text).strip() for text in (shown, page))
    assert told == wanted


def test_every_part_of_a_key_is_in_the_table(where: CacheWorld) -> None:
    status = where.whole("delay-1")
    parsed = PipelineRun.model_validate(where.objects["PipelineRun", "delay-1"]).status
    assert parsed.template is not None
    from fairlead.plan.pipeline.cache import keys

    names = {name.split(" ")[0] for one in parsed.template.steps for name in keys.parts(one, parsed)}
    listed = {word.split(" ")[0] for line in PAGE.splitlines() if line.startswith("| `")
              for word in re.findall(r"`([^`]+)`", line.split("|")[1])}  # fmt: skip
    assert names - {"format"} <= listed
    assert step(status, "train")["key"]


def test_every_outcome_is_in_the_table() -> None:
    words = set(get_args(StepCache.model_fields["outcome"].annotation)) - {"Audit"}  # until it has run
    assert words <= set(re.findall(r"^\| `(\w+)`", PAGE, re.M))


def test_the_run_that_goes_on_is_as_it_is_described(where: CacheWorld) -> None:
    where.whole("delay-7")
    example = EXAMPLES["PipelineRun"]
    status = where.whole("delay-8", **{key: one for key, one in example["spec"].items() if key != "pipeline"})
    assert outcomes(status) == ["Resumed", "Miss"]
    assert status["template"]["steps"][1]["env"] == [{"name": "SEED", "value": "2"}]
