"""`fairlead why run/x --cache` and `fairlead run --resume`, as people type them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest
from tests.unit.cli.test_commands import Memory
from tests.unit.plan.cache_world import A, B, CacheWorld, gone, made, step

from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli import session
from fairlead.cli.main import main
from fairlead.plan.core import PIPELINE_RUN, Json
from fairlead.plan.requests import Failed


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> CacheWorld:
    return made(monkeypatch)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, where: CacheWorld) -> Memory:
    """An API server with the world's objects."""
    found = Memory()
    found.objects = where.objects

    async def kube(_config: str | None) -> Memory:
        return found

    monkeypatch.setattr(session, "_kube", kube)
    monkeypatch.setattr(session, "current_namespace", lambda _config: "team")
    return found


Said = Callable[[str], str]


@pytest.fixture
def said(memory: Memory, capsys: pytest.CaptureFixture[str]) -> Said:  # noqa: ARG001 - it must be in place first
    def run(words: str) -> str:
        assert main(shlex.split(words)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_a_hit_says_from_where(where: CacheWorld, said: Said) -> None:
    first = where.whole("delay-1")
    where.now += 60
    where.whole("delay-2")
    text = said("why run/delay-2 --cache")
    assert "2 of 2 steps did not run" in text
    assert "the outputs of run delay-1, attempt 1" in text
    assert step(first, "train")["key"][:12] in text


CASES: list[tuple[Json, Json, str, str]] = [
    ({"train__image": f"r/app@{B}"}, {}, "train", "image: aaaaaaaa… → bbbbbbbb…"),
    ({"train__args": ["--fast"]}, {}, "train", 'args: ["--h={{params.horizon}}"] → ["--fast"]'),
    ({}, {"params": {"horizon": "48"}}, "train", 'param horizon: "24" → "48"'),
    ({"train__env": [{"name": "SEED", "value": "2"}]}, {}, "train", 'env SEED: "1" → "2"'),
    ({"train__env": []}, {}, "train", 'env SEED: there is none any more, it was "1"'),
    ({"train__resources": {"gpu": {"count": 2, "product": "A100"}}}, {}, "train", "gpu: "),
    ({"train__nodeSelector": {"zone": "a"}}, {}, "train", 'nodeSelector: new, {"zone":"a"}'),
    ({}, {"datasets": {"flights": "v1"}}, "prepare", "input raw: v2v2v2v2… → v1v1v1v1…, because version v1 of Dataset "
                                                     "flights is read"),
    ({"prepare__command": ["other"]}, {}, "train", ", because step prepare ran anew"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "spec", "name", "words"), CASES, ids=[case[3][:20] for case in CASES])
def test_what_differs_is_told_in_words(
    where: CacheWorld, said: Said, changes: Json, spec: Json, name: str, words: str
) -> None:
    where.whole("delay-1")
    where.now += 60
    where.pipeline(**changes)
    where.whole("delay-2", **spec)
    text = said("why run/delay-2 --cache")
    of_step = text[text.index(f"{name}  differs from run delay-1 in") :]
    assert words in of_step


def test_what_ran_though_its_key_is_the_same_says_why(where: CacheWorld, said: Said) -> None:
    gone(where, step(where.whole("delay-1"), "prepare")["outputs"][0])
    where.now += 60
    where.whole("delay-2")
    text = said("why run/delay-2 --cache")
    assert "output rows is gone" in text
    assert "prepare: its key is the same as in run delay-1" in text


def test_what_can_not_be_compared_what_waits_and_what_was_not_reached(where: CacheWorld, said: Said) -> None:
    where.pipeline(prepare__image="r/app:1")
    where.registry["r/app:1"] = Failed("Unreachable", "the registry is away")
    where.run("delay-1")
    text = said("why run/delay-1 --cache")
    assert "NotCacheable" in text
    assert "the registry is away" in text
    assert "NotReached" in text
    where.pipeline()
    where.run("delay-2")
    where.run("delay-3")
    assert "delay-2/prepare makes the same just now" in said("why run/delay-3 --cache")


def test_without_cache_it_is_told_what_would_have_been_the_same(where: CacheWorld, said: Said) -> None:
    where.pipeline(prepare__cache=False, train__cache=False)
    where.whole("delay-1")
    where.now += 60
    where.whole("delay-2")
    assert "cache is off; its key is the same as in run delay-1" in said("why run/delay-2 --cache")


def test_a_key_of_another_release_is_not_explained(where: CacheWorld, said: Said) -> None:
    where.whole("delay-1")
    where.now += 60
    where.pipeline(train__args=["x"])
    where.whole("delay-2")
    for one in where.objects["PipelineRun", "delay-1"]["status"]["steps"]:
        one["key"] = "0" * 64
    assert "made by another release of Fairlead" in said("why run/delay-2 --cache")


def test_for_programs(where: CacheWorld, said: Said) -> None:
    where.whole("delay-1")
    where.now += 60
    where.whole("delay-2", params={"horizon": "48"})
    found = json.loads(said("why run/delay-2 --cache -o json"))
    assert found["prepare"]["outcome"] == "Ran"
    assert found["prepare"]["against"] == "delay-1"
    assert [one["part"] for one in found["prepare"]["differs"]] == ["param horizon"]
    assert [one["part"] for one in found["train"]["differs"]] == ["input rows", "param horizon"]


def test_a_later_run_is_none_to_compare_with(where: CacheWorld, said: Said) -> None:
    where.whole("delay-1")
    where.now += 60
    where.whole("delay-2", params={"horizon": "48"})
    found = json.loads(said("why run/delay-1 --cache -o json"))
    assert {one["against"] for one in found.values()} == {""}


@pytest.mark.usefixtures("memory")
def test_what_is_no_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split("why pipeline/delay --cache")) == session.USAGE
    assert "is not run/NAME" in capsys.readouterr().err


# --- run --resume ----------------------------------------------------------------------------------------------------


def resumed(memory: Memory, words: str) -> Json:
    """The spec of the run that a command makes."""
    before = set(memory.objects)
    assert main(shlex.split(words)) == 0
    (made,) = [one for key, one in memory.objects.items() if key not in before]
    PipelineRun.model_validate(made)
    return made["spec"]


def test_a_run_goes_on_from_another_one(where: CacheWorld, memory: Memory) -> None:
    where.whole("delay-1")
    spec = resumed(memory, "run --resume delay-1")
    assert (spec["pipeline"], spec["resumeFrom"], "edit" in spec) == ("delay", "delay-1", False)


def test_one_step_is_edited(where: CacheWorld, memory: Memory) -> None:
    where.whole("delay-1")
    words = (
        f"run delay --resume delay-1 --edit train.image=r/app@{A} --edit 'train.args=-x \"a b\"' --edit train.env.E=1"
    )
    spec = resumed(memory, f"{words} --edit train.memory=64Gi")
    assert spec["edit"] == {
        "step": "train", "image": f"r/app@{A}", "args": ["-x", "a b"], "env": [{"name": "E", "value": "1"}],
        "resources": {"cpu": "1", "memory": "64Gi", "gpu": {"count": 1, "product": "A100"}},
    }  # fmt: skip


@pytest.mark.parametrize(("words", "said"), [
    ("run", "name a PIPELINE"),
    ("run delay --edit train.image=x", "--edit goes with --resume"),
    ("run other --resume delay-1", "is a run of pipeline 'delay'"),
    ("run --resume delay-1 --edit nothing.image=x", "there is no step 'nothing'; there are prepare, train"),
    ("run --resume delay-1 --edit train.image=x --edit prepare.image=x", "one step can be edited"),
    ("run --resume delay-1 --edit train.needs=x", "is none of STEP.image"),
    ("run --resume delay-1 --edit train", "needs KEY=VALUE"),
])  # fmt: skip
def test_what_makes_no_sense_makes_no_run(
    where: CacheWorld, memory: Memory, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    where.whole("delay-1")
    assert main(shlex.split(words)) == session.USAGE
    assert said in capsys.readouterr().err
    assert [name for kind, name in memory.objects if kind == PIPELINE_RUN.kind] == ["delay-1"]
