"""What a key is made of: whatever a program can see changes it, nothing else does, and a difference is named exactly.

The mutations are drawn: a step and its run with one part made otherwise, or two. Many more of them, `make bench
ONLY=cache`."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hack.bench.cache import measured
from hack.bench.keymutations import Case, cases, mutated, original
from tests.unit.plan.cache_world import PIPELINE, CacheWorld, made, program
from tests.unit.plan.test_run_plan import container

from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.api.pipelinerun import StepStatus
from fairlead.plan.pipeline.cache import keys, why
from fairlead.plan.pipeline.types.base import StepType


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> CacheWorld:
    return made(monkeypatch)


@pytest.mark.parametrize("seed", range(3))
def test_a_mutated_key_is_another_key_and_the_difference_is_named_exactly(seed: int) -> None:
    rng = random.Random(seed)
    seen: dict[str, Case] = {}
    for _ in range(300):
        before = original(rng)
        after = mutated(rng, before, count=rng.choice([1, 1, 2, 3]))
        first, second = before.parts(), after.parts()
        named = {one.part for one in why.differences(first, second)}
        assert named == after.changed, (before, after)
        assert (keys.key(first) == keys.key(second)) == (not after.changed)
        seen[keys.key(second)] = after
    assert len(seen) > 290


def test_none_of_some_mutated_keys_is_a_wrong_hit() -> None:
    """By what their programs would see in their Jobs."""
    found = measured(60, seed=2)
    assert (found["wrong"], found["missed"], found["unnamed"]) == (0, 0, 0)


def test_each_kind_of_mutation_is_drawn() -> None:
    rng = random.Random(1)
    drawn = {name for _ in range(2000) for name in mutated(rng, original(rng), count=1).kinds}
    assert drawn == set(cases())


def test_what_a_program_finds_is_in_the_key_but_for_the_names_of_its_run_and_attempt(where: CacheWorld) -> None:
    """Whoever gives programs something new to see must say whether it counts."""
    where.whole("delay-1")
    (job,) = where.jobs(run="delay-1", step="train")
    names = {one["name"] for one in container(job, "step")["env"]}
    own = {"SEED"}
    counted = {"FAIRLEAD_STEP", "FAIRLEAD_PARAMS"}  # parts `step` and `param …`
    apart = {"FAIRLEAD_RUN", "FAIRLEAD_ATTEMPT"}
    always_the_same = {"HOME", "FAIRLEAD_METRICS", "FAIRLEAD_IN", "FAIRLEAD_OUT"}
    assert names == own | counted | apart | always_the_same


def test_every_field_of_a_step_counts_or_is_known_not_to() -> None:
    """A new field is in the key from its first day on."""
    spec = PipelineSpec.model_validate(PIPELINE["spec"])

    class Newer(Step):
        moon: str = "full"

    train = Newer.model_validate(spec.steps[1].model_dump() | {"moon": "new"})
    other = Newer.model_validate(spec.steps[1].model_dump() | {"moon": "half"})

    class Any_(StepType):  # noqa: N801
        def takes(self, _step: Step) -> bool:
            return True

        program = job = lambda *_: ""  # type: ignore[assignment]

    assert Any_().parts(train) != Any_().parts(other)
    assert "moon" not in Any_().parts(Newer.model_validate(spec.steps[1].model_dump()))


def test_a_step_that_runs_for_each_item_of_a_list_is_not_compared_and_what_reads_all_of_it_is() -> None:
    case = original(random.Random(1))
    with pytest.raises(keys.NotKeyable, match="for each item"):
        replace(case, step=case.step | {"each": {"matrix": {"region": ["NE", "NW"]}}}).parts()
    step, status = case.run()
    name = next(one for one, source in step.inputs.items() if source.output)
    found = []
    for digest in ("a" * 64, "b" * 64, ""):
        items = {"total": 2, "completed": 2, "digest": digest}
        before = StepStatus.model_validate({"name": "before", "phase": "Completed", "items": items})
        many = status.model_copy(update={"steps": [before, *status.steps[1:]]})
        if digest:
            found.append(keys.parts(step, many)[f"input {name}"])
    assert found[0] != found[1]
    with pytest.raises(keys.NotKeyable, match="reads one item"):
        keys.parts(step, many)


def test_long_values_are_kept_by_their_digest_and_never_like_a_short_one() -> None:
    rng = random.Random(3)
    case = original(rng)
    long, digest = "x" * 3000, '"' + "x" * 3000 + '"'
    with_long = case.with_env("E", long).parts()["env E"]
    assert with_long.startswith("sha256:")
    assert len(with_long) == 71
    assert case.with_env("E", with_long).parts()["env E"] == f'"{with_long}"'
    assert case.with_env("E", digest).parts()["env E"] != with_long


def test_a_key_is_the_same_in_each_release_as_long_as_its_version_is() -> None:
    """What is kept in stores is found again."""
    parts = {"step": '"train"', "param horizon": '"24"', "image": f'"sha256:{"a" * 64}"'}
    assert keys.key(parts) == GOLDEN
    assert keys.VERSION == 1


GOLDEN = "f9eecc432146484b8fdee84e8d31185c928f32c47bc166faa310bf324a1b230b"


def test_a_program_that_sees_the_same_makes_the_same_key(where: CacheWorld) -> None:
    """The other way round: what two programs are given is compared with their keys."""
    rng, seen = random.Random(5), {}
    for number in range(12):
        where.pipeline(train__env=[{"name": "SEED", "value": str(rng.randrange(3))}],
                       train__args=[rng.choice(["a", "b"])])  # fmt: skip
        name = f"delay-{number}"
        status = where.whole(name)
        for job in where.jobs(run=name, step="train"):
            key = next(one["key"] for one in status["steps"] if one["name"] == "train")
            assert seen.setdefault(program(job), key) == key
    assert len(set(seen.values())) == len(seen) > 2
