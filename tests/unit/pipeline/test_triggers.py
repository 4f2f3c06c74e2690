"""What every trigger of the registry keeps, tried through a Pipeline's whole plan."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.pipeline.trigger_examples import CODE, EXAMPLES, Example
from tests.unit.plan.littleworld import CONFIG, NAMESPACE, Crash, LittleWorld

from fairlead.api.pipeline import DatasetTrigger, Pipeline, PipelineSpec, Trigger
from fairlead.engine.cache import Cache
from fairlead.engine.reconcile import Key
from fairlead.engine.route import Router
from fairlead.engine.world import Snapshot
from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Context, Invalid, Json
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline.triggers import base, registry
from fairlead.plan.requests import Failed, FindObject, Presence, Request

EACH = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
STEPS = [{"name": "train", "image": "i"}]


def world(example: Example, **spec: Any) -> LittleWorld:
    """A Pipeline with the trigger, looked at for the first time before anything has happened."""
    where = LittleWorld()
    example.before(where)
    write(where, **{"triggers": [example.entry]} | spec)
    look(where)
    return where


def write(where: LittleWorld, **spec: Any) -> None:
    """Somebody writes the Pipeline; its status stays."""
    known = where.objects.get(("Pipeline", "p"), {})
    generation = known["metadata"]["generation"] + 1 if known else 1
    where.put({
        "kind": "Pipeline", "metadata": {"name": "p", "generation": generation},
        "spec": {"steps": STEPS, "code": CODE} | spec, "status": known.get("status", {}),
    })  # fmt: skip


def look(where: LittleWorld) -> Json:
    """The status after looking until nothing changes."""
    where.settle(pipeline.SPEC, "p")
    return where.status(PIPELINE, "p")


def runs(where: LittleWorld) -> list[str]:
    return [run["metadata"]["name"] for run in where.select(PIPELINE_RUN) if run["spec"]["pipeline"] == "p"]


def end(where: LittleWorld, name: str) -> None:
    where.objects["PipelineRun", name]["status"] = {"phase": "Completed", "message": ""}


def condition(status: Json, type_: str) -> Json:
    found: Json = next((one for one in status["conditions"] if one["type"] == type_), {})
    return found


def test_every_trigger_has_an_example() -> None:
    assert {one.field for one in registry.TRIGGERS} == set(EXAMPLES)


def test_no_two_triggers_have_the_same_field_and_each_is_one_of_an_entrys() -> None:
    fields = [one.field for one in registry.TRIGGERS]
    assert sorted(fields) == sorted(Trigger.model_fields)


@EACH
def test_nothing_yet(example: Example) -> None:
    status = look(where := world(example))
    assert (runs(where), status["phase"], status.get("decisions", [])) == ([], "Ready", [])


@EACH
def test_what_happens_is_run_once_and_what_happens_next_too(example: Example) -> None:
    where = world(example)
    for number in (1, 2, 3):
        key = example.happen(where, number)
        status = look(where)
        name = f"p-{number}"
        assert runs(where)[-1] == name
        assert (status["lastRun"]["trigger"], status["lastRun"]["key"]) == (example.name, key)
        assert status["handled"] == {example.name: key}
        run = where.objects["PipelineRun", name]["spec"]
        assert run["reason"] == status["decisions"][0]["reason"] != ""
        assert run.get("datasets", {}) == example.pins(key)
        end(where, name)
        look(where)
        assert len(runs(where)) == number


@EACH
@pytest.mark.parametrize("written", range(3))
def test_a_run_is_made_once_whatever_is_killed_in_between(example: Example, written: int) -> None:
    where = world(example)
    key = example.happen(where, 1)
    try:
        where.look(pipeline.SPEC, "p", crash_after=written)
    except Crash:
        where.now += 1
    status = look(where)
    handled = {example.name: status["handled"][example.name] if example.when_seen else key}
    assert (runs(where), status["runs"], status["handled"]) == (["p-1"], 1, handled)


@EACH
def test_what_has_happened_before_it_was_written(example: Example) -> None:
    where = LittleWorld()
    example.before(where)
    example.happen(where, 1)
    write(where, triggers=[example.entry])
    look(where)
    assert bool(runs(where)) is example.old_counts
    (end(where, "p-1") if example.old_counts else None)
    key = example.happen(where, 2)
    assert look(where)["lastRun"]["key"] == key


@EACH
def test_what_was_handled_is_forgotten_with_the_trigger_and_kept_through_any_other_edit(example: Example) -> None:
    where = world(example)
    key = example.happen(where, 1)
    look(where)
    end(where, "p-1")
    write(where, triggers=[example.other, example.entry], cooldown="1s")
    assert look(where)["handled"][example.name] == key
    write(where, triggers=[example.other])
    assert example.name not in look(where).get("handled", {})
    write(where, triggers=[example.entry])
    look(where)
    assert runs(where) == (["p-1", "p-2"] if example.old_counts else ["p-1"])


@EACH
def test_two_of_a_type_are_told_apart_and_named_in_few_characters(example: Example) -> None:
    one, other = registry.all_of(_spec(example.entry, example.other))
    assert one.name == example.name
    assert one.name != other.name
    assert all(found.name.startswith(f"{one.field}/") and len(found.name) <= 128 for found in (one, other))


@EACH
def test_suspended_and_resumed(example: Example) -> None:
    where = world(example, suspend=True)
    example.happen(where, 1)
    assert look(where)["phase"] == "Suspended"
    write(where, triggers=[example.entry])
    look(where)
    assert not runs(where) or example.old_counts
    _end_all(where)
    example.happen(where, 2)
    look(where)
    _end_all(where)
    had = len(runs(where))
    write(where, triggers=[example.entry], suspend=True)
    look(where)
    example.happen(where, 3)
    look(where)
    assert len(runs(where)) == had
    write(where, triggers=[example.entry])
    look(where)
    assert len(runs(where)) == had + example.made_up
    _end_all(where)
    key = example.happen(where, 4)
    assert look(where)["lastRun"]["key"] == key


@EACH
@pytest.mark.parametrize("back", [1.0, 599.0, 86400.0, 400 * 86400.0])
def test_a_clock_that_jumps_back_starts_nothing_and_stops_nothing(example: Example, back: float) -> None:
    where = world(example)
    example.happen(where, 2)
    look(where)
    end(where, "p-1")
    where.now -= back
    plan = where.settle(pipeline.SPEC, "p")
    assert runs(where) == ["p-1"]
    assert plan.requeue_after is None or plan.requeue_after > 0
    where.now += back
    key = example.happen(where, 3)
    assert look(where)["lastRun"]["key"] == key


@EACH
def test_a_thousand_missed_moments_are_one_run(example: Example) -> None:
    where = world(example)
    key = ""
    for number in range(1, 1001):
        key = example.happen(where, number)
    assert look(where)["lastRun"]["key"] == key
    assert runs(where) == ["p-1"]
    for number in range(1001, 1026):  # while one is under way
        key = example.happen(where, number)
        status = look(where)
    assert (runs(where), len(status["decisions"]) <= pipeline.DECISIONS) == (["p-1"], True)
    end(where, "p-1")
    assert look(where)["lastRun"]["key"] == key
    assert runs(where) == ["p-1", "p-2"]


@EACH
def test_asked_again_it_says_the_same(example: Example) -> None:
    where = world(example)
    example.happen(where, 1)
    subject = where.subject(pipeline.SPEC, "p")
    context = Context(subject, where, where.now)
    first = registry.due(subject.body.status.handled, context)
    assert list(first) == [example.name]
    assert first == registry.due(subject.body.status.handled, context)
    assert all(0 < len(one.key) <= 128 for one in first.values())


@EACH
def test_what_makes_no_sense_is_named_with_its_field(example: Example) -> None:
    for entry, path in example.nonsense:
        (field,) = entry
        with pytest.raises(Invalid) as caught:
            registry.check(_spec(example.entry, entry))
        assert caught.value.field_path == f"spec.triggers[1].{field}{path}"


BY_OBJECT = [example for example in EXAMPLES.values() if example.refers]
REFERRING = pytest.mark.parametrize("example", BY_OBJECT, ids=[one.name for one in BY_OBJECT])
EVERY_HOUR = {"schedule": {"cron": "0 * * * *"}}


@REFERRING
def test_an_object_that_is_missing_is_named_and_stops_no_other_trigger(example: Example) -> None:
    where = world(example, triggers=[example.entry, EVERY_HOUR])
    assert example.refers is not None
    kind, name = example.refers
    where.remove(kind, name)
    status = look(where)
    told = condition(status, "Reconciling")
    assert (runs(where), told["reason"]) == ([], f"{kind.kind}Missing")
    assert told["message"] == f"there is no {kind.kind} {name} in this namespace; create it"
    where.now += 3601
    assert look(where)["lastRun"]["trigger"] == "schedule/0 * * * *"
    end(where, "p-1")
    key = example.happen(where, 1)
    assert look(where)["lastRun"]["key"] == key


@REFERRING
def test_an_object_that_cannot_be_read_is_named_and_stops_no_other_trigger(example: Example) -> None:
    where = world(example, triggers=[example.entry, EVERY_HOUR])
    assert example.refers is not None
    kind, name = example.refers
    example.happen(where, 1)
    good = copy.deepcopy(where.objects[kind.kind, name])
    where.objects[kind.kind, name]["spec"] = "what a later version writes"
    told = condition(look(where), "Stalled")
    assert (runs(where), told["reason"]) == ([], f"{kind.kind}Unreadable")
    assert name in told["message"]
    where.now += 3601
    assert look(where)["lastRun"]["trigger"] == "schedule/0 * * * *"
    end(where, "p-1")
    where.objects[kind.kind, name] = good
    assert look(where)["lastRun"]["trigger"] == example.name


@REFERRING
def test_an_object_of_another_namespace_is_neither_seen_nor_wakes(example: Example) -> None:
    where = world(example)
    example.happen(where, 1)
    assert example.refers is not None
    kind, name = example.refers
    key, found = Key(PIPELINE, NAMESPACE, "p"), where.objects[kind.kind, name]
    cache, woken = Cache((PIPELINE, kind), lambda: 0.0), Woken()
    router = Router({PIPELINE: pipeline.SPEC}, cache, woken, lambda _uid: None)  # type: ignore[arg-type]
    router.listed(PIPELINE, where.objects["Pipeline", "p"])
    woken.keys.clear()
    subject = where.subject(pipeline.SPEC, "p")
    for namespace, uid, seen in (("elsewhere", "u1", False), (NAMESPACE, "u2", True)):
        router.seen(kind, {**found, "metadata": {**found["metadata"], "namespace": namespace, "uid": uid}})
        snapshot = Snapshot(cache, CONFIG, NAMESPACE, subject.meta.uid, lambda _kind: True)
        due = registry.due({}, Context(subject, snapshot, where.now))
        assert (key in woken.keys, bool(due)) == (seen, seen)


@REFERRING
def test_another_object_of_the_kind_wakes_nobody(example: Example) -> None:
    where = world(example)
    assert example.refers is not None
    kind, name = example.refers
    other = copy.deepcopy(where.objects[kind.kind, name])
    other["metadata"]["name"] = "quite-another"
    pipelines: Any = where.select(PIPELINE)
    assert list(pipeline.SPEC.mappers[kind](other, pipelines)) == []
    assert list(pipeline.SPEC.mappers[kind](where.objects[kind.kind, name], pipelines)) == ["p"]


class Woken:
    """In the place of the queue."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def add(self, key: Key, *, low: bool = False) -> None:
        del low
        self.keys.append(key)


def _end_all(where: LittleWorld) -> None:
    for name in runs(where):
        end(where, name)


def _spec(*entries: Json) -> PipelineSpec:
    return PipelineSpec.model_validate({"steps": STEPS, "triggers": entries})


# --- beside the contract ----------------------------------------------------------------------------------------------


def test_a_trigger_that_only_a_later_version_knows_is_invalid_with_what_to_do() -> None:
    where = LittleWorld()
    write(where, triggers=[EVERY_HOUR, {"moon": {"phase": "full"}}])
    with pytest.raises(Invalid, match=r"spec\.triggers\[1\]: its type is not known .*dataset.*; write one of these"):
        look(where)


@pytest.mark.parametrize(("one", "other"), [
    ({"condition": {"deployment": "eta", "type": "Harmed"}},
     {"condition": {"deployment": "eta", "type": "Harmed", "for": "1h"}}),
    ({"stale": {"model": "eta", "after": "1d"}}, {"stale": {"model": "eta", "after": "2d"}}),
])  # fmt: skip
def test_two_that_go_by_the_same_in_different_ways_are_refused(one: Json, other: Json) -> None:
    where = LittleWorld()
    write(where, triggers=[one, other])
    with pytest.raises(Invalid) as told:
        look(where)
    assert str(told.value).startswith(f"spec.triggers[1].{next(iter(one))}")


def test_all_that_ask_at_once_get_one_run_with_all_reasons() -> None:
    entries = [example.entry for example in EXAMPLES.values()]
    where = LittleWorld()
    for example in EXAMPLES.values():
        example.before(where)
    write(where, triggers=[*entries, entries[0]])
    look(where)
    keys = {example.name: example.happen(where, 1) for example in EXAMPLES.values()}
    status = look(where)
    assert (runs(where), status["handled"]) == (["p-1"], keys)
    assert [one["trigger"] for one in status["decisions"]] == list(keys)
    assert all(one["run"] == "p-1" for one in status["decisions"])


class Asks(base.Trigger[DatasetTrigger]):
    """It goes by an answer from outside."""

    field = "dataset"

    def label(self) -> str:
        return self.spec.name

    def requests(self, context: Context[Pipeline]) -> list[Request]:
        return [FindObject(context.namespace, "bucket", self.spec.name, None, None, None)]

    def due(self, handled: str | None, context: Context[Pipeline]) -> base.Due | None:
        said = context.world.answer(self.requests(context)[0])
        return base.Due("there", "it is there") if said == Presence(True) and handled != "there" else None


def test_what_a_trigger_asks_of_the_outside_is_asked_but_not_of_a_suspended_pipeline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "TRIGGERS", (Asks,))
    where = LittleWorld()
    write(where, triggers=[{"dataset": {"name": "key"}}])
    (asked,) = pipeline.observe(where.subject(pipeline.SPEC, "p"), where, where.now)
    for said, made in ((Failed("Unreachable", ""), []), (Presence(False), []), (Presence(True), ["p-1"])):
        where.answers[asked] = said
        look(where)
        assert runs(where) == made
    write(where, triggers=[{"dataset": {"name": "key"}}], suspend=True)
    assert tuple(pipeline.observe(where.subject(pipeline.SPEC, "p"), where, where.now)) == ()
