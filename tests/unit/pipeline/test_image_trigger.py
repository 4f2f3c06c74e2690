"""A tag that moves, beside the contract of triggers: what is said when nobody knows, and when it is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.pipeline.test_triggers import condition, end, look, runs, write
from tests.unit.pipeline.trigger_examples import IMAGE, pushed
from tests.unit.plan.littleworld import LittleWorld
from tests.unit.store.registries import digest, serving

from fairlead.api.config import OperatorConfig
from fairlead.api.pipeline import Pipeline
from fairlead.cli import show_why
from fairlead.engine.images import Images
from fairlead.plan.core import Json
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.requests import UNDERWAY, Failed, ImageSeen, ReadImage
from fairlead.store.endpoints import Rules

ENTRY = {"image": {"name": "registry.example/app:stable"}}
NAME = "image/registry.example/app:stable"


def world(**image: Json) -> LittleWorld:
    where = LittleWorld()
    write(where, triggers=[{"image": ENTRY["image"] | image}])
    return where


def row(where: LittleWorld) -> show_why.Row:
    return show_why.rows(Pipeline.model_validate(where.objects["Pipeline", "p"]), where.now)[0]


def asked(where: LittleWorld) -> ReadImage:
    (found,) = pipeline.observe(where.subject(pipeline.SPEC, "p"), where, where.now)
    assert isinstance(found, ReadImage)
    return found


def test_a_registry_that_does_not_tell_starts_nothing_and_people_are_told() -> None:
    where = world()
    pushed(where, 1)
    look(where)
    end(where, "p-1")
    where.answers[IMAGE] = Failed("Unreachable", "registry registry.example did not answer; check that it runs")
    status = look(where)
    told = condition(status, "TriggersObserved")
    assert (told["status"], told["reason"]) == ("Unknown", "Unreachable")
    assert "check that it runs" in told["message"]
    assert (status["seen"][0]["state"], status["seen"][0]["reason"]) == ("Unknown", "Unreachable")
    assert (status["decisions"][0]["because"], status["decisions"][0]["run"]) == ("Unreachable", "")
    found = row(where)
    assert (found.state, found.run) == ("Unknown", "p-1")
    assert found.next.startswith("nothing as long as nobody knows; then a run when registry.example/app:stable means")
    written = where.writes
    for _ in range(50):
        where.now += 30
        look(where)
    assert where.writes == written, "a registry that stays away is no news"
    pushed(where, 1)
    status = look(where)
    assert (runs(where), condition(status, "TriggersObserved")["status"]) == (["p-1"], "True")
    pushed(where, 2)
    look(where)
    assert runs(where) == ["p-1", "p-2"]


def test_what_it_saw_and_what_it_waits_for() -> None:
    where = world()
    pushed(where, 1)
    status = look(where)
    assert status["decisions"][0]["reason"] == "registry.example/app:stable is sha256:000000000000"
    waits = "registry.example/app:stable means another image; its registry is asked every 5m"
    assert row(where).next == f"a run when {waits}"
    first = pushed(where, 12)
    look(where)
    held = row(where)
    assert held.state == "Asks"
    assert "waits for run p-1, because spec.concurrency is Forbid" in held.next
    pushed(where, 13)
    assert look(where)["decisions"][0]["reason"].startswith("registry.example/app:stable is sha256:")
    end(where, "p-1")
    assert look(where)["lastRun"]["key"] != first


def test_a_failed_run_is_not_tried_again_for_the_same_image() -> None:
    where = world()
    pushed(where, 1)
    look(where)
    where.objects["PipelineRun", "p-1"]["status"] = {"phase": "Failed", "message": ""}
    where.now += 30 * 86400
    status = look(where)
    assert (runs(where), status["seen"][0].get("last")) == (["p-1"], None)


@pytest.mark.parametrize(("answer", "again"), [
    (ImageSeen("sha256:" + "1" * 64, 120.0), 120.0), (ImageSeen("sha256:" + "1" * 64, 0.0), 1.0),
    (Failed("Unreachable", ""), 30.0), (Failed(UNDERWAY, ""), 1.0), (Failed("NotAsked", ""), None),
])  # fmt: skip
def test_it_is_looked_at_again_when_it_may_be_asked_again(answer: ImageSeen | Failed, again: float | None) -> None:
    where = world()
    where.answers[asked(where)] = answer
    assert where.settle(pipeline.SPEC, "p").requeue_after == again


def test_how_old_an_answer_may_be_and_whose_secret_opens_it() -> None:
    found = asked(world(every="10m", credentials={"name": "login"}))
    assert (found.namespace, found.credentials, found.age, found.look) == ("team", "login", 600.0, "")


def test_somebody_wants_it_looked_at_now() -> None:
    where = world()
    before = asked(where)
    where.objects["Pipeline", "p"]["metadata"]["annotations"] = {"fairlead.dev/look": "build 17"}
    now = asked(where)
    assert now != before
    assert now == asked(where), "the same word asks nothing more"
    where.objects["Pipeline", "p"]["metadata"]["annotations"] = {"fairlead.dev/look": "x" * 200_000}
    assert len(asked(where).look) < 20
    assert asked(where) == replace(asked(where), age=1.0)


def test_one_image_by_two_rules_is_refused() -> None:
    where = LittleWorld()
    write(where, triggers=[ENTRY, {"image": ENTRY["image"] | {"every": "1h"}}])
    with pytest.raises(Exception, match=r"spec\.triggers\[1\]\.image: it goes by the same"):
        look(where)


async def test_from_a_push_to_a_registry_to_a_run(unhurried: None) -> None:
    """The operator's own way to a registry that answers over HTTP: a tag moves, the registry is away, and is back."""
    del unhurried
    where, clock = LittleWorld(), [0.0]
    with serving() as registry:
        name = f"{registry.host}/public/app:stable"
        said = {"images": {"worker": "w"}, "endpoints": {"allow": ["127.0.0.0/8"], "insecure": [registry.host]}}
        asking = Images(Rules(OperatorConfig.model_validate(said)), nobody, lambda: clock[0])

        async def seen(seconds: float, annotation: str = "") -> Json:
            """The status some seconds later."""
            where.now, clock[0] = where.now + seconds, clock[0] + seconds
            where.objects["Pipeline", "p"]["metadata"]["annotations"] = {"fairlead.dev/look": annotation}
            request = asked(where)
            where.answers[request] = await asking.read(request)
            return look(where)

        write(where, triggers=[{"image": {"name": name}}])
        status = await seen(0)
        assert status["seen"][0]["reason"] == "ImageMissing"
        for number, (later, annotation) in enumerate([(60, ""), (300, ""), (1, "push 3")], 1):
            registry.tags["public/app:stable"] = number
            status = await seen(later, annotation)
            assert (status["lastRun"]["name"], status["lastRun"]["key"]) == (f"p-{number}", digest(number))
            end(where, f"p-{number}")
            assert (await seen(1, annotation))["runs"] == number
        registry.tags["public/app:stable"] = 4
        assert (await seen(1, "push 3"))["runs"] == 3, "not asked yet"
    status = await seen(300, "push 3")
    assert (status["runs"], status["seen"][0]["reason"]) == (3, "Unreachable")
    asking.close()


async def nobody(*_: str) -> dict[str, str]:
    """No Secret is read."""
    raise AssertionError
