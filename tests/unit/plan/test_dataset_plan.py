"""A Dataset from its listing to a version, and everything that can come in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plan.littleworld import CONFIG, Crash, LittleWorld, stopped

from fairlead.plan.core import DATASET, JOB, POD, Context, Invalid, Json
from fairlead.plan.dataset import plan as dataset
from fairlead.plan.requests import Failed, Listed

SPEC = {
    "source": {"s3": {"bucket": "src", "prefix": "rides/"}},
    "format": "parquet",
    "watch": {"every": "60s", "settle": "10s"},
}


def world(**spec: Any) -> LittleWorld:
    """A world with one Dataset."""
    found = LittleWorld()
    found.put({"kind": "Dataset", "metadata": {"name": "rides"}, "spec": SPEC | spec})
    return found


def source(where: LittleWorld, answer: Listed | Failed | str) -> None:
    """What a listing of the source finds."""
    request = dataset.request(where.subject(dataset.SPEC, "rides"), where)
    where.answers[request] = Listed(answer * 64, 2, 10) if isinstance(answer, str) else answer


def look(where: LittleWorld) -> Json:
    """The status after looking until nothing changes; one that rests is looked at when its next listing is due."""
    resting = dataset.resting(Context(where.subject(dataset.SPEC, "rides"), where, where.now))
    plan = where.settle(dataset.SPEC, "rides")
    if resting:
        where.now += plan.requeue_after or 0.0
        where.settle(dataset.SPEC, "rides")
    return where.status(DATASET, "rides")


def settle(where: LittleWorld, listing: str) -> Json:
    """A new listing comes and settles: its Job."""
    source(where, listing)
    look(where)
    where.now += 10
    look(where)
    job = next((j for j in where.select(JOB)), None)
    assert job is not None
    return job


def version(name: str) -> Json:
    """A version."""
    return {"version": name, "digest": name * 4, "manifest": f"s3://store/{name}.json", "at": "2026-03-02T09:00:00Z",
            "rows": 3, "files": 1}  # fmt: skip


def answer(where: LittleWorld, job: Json, said: Json, code: int = 0) -> None:
    """The Job's pod ends with this result."""
    where.pod(job, "Failed" if code else "Succeeded", containerStatuses=[stopped("snapshot", code, json.dumps(said))])


def publish(where: LittleWorld, listing: str, name: str) -> Json:
    """A listing becomes a version."""
    answer(where, settle(where, listing), {"snapshot": {"version": version(name)}})
    return look(where)


def condition(status: Json, type_: str) -> tuple[str, str, str]:
    """Status, reason, message."""
    found = next(c for c in status["conditions"] if c["type"] == type_)
    return found["status"], found["reason"], found.get("message", "")


def test_a_listing_that_settled_is_read_and_becomes_a_version() -> None:
    where = world()
    source(where, "a")
    assert look(where)["phase"] == "Watching"
    assert where.select(JOB) == []
    where.now += 9.9
    look(where)
    assert where.select(JOB) == []
    status = publish(where, "a", "v1")
    assert status["phase"] == "Ready"
    assert status["current"]["version"] == "v1"
    assert status["handled"] == "a" * 64
    assert [condition(status, t)[0] for t in ("Ready", "SourceReachable", "Valid")] == ["True"] * 3
    assert where.select(JOB) == [], "the Job goes once its outcome is recorded"


def test_d13_the_first_reasons_stand_in_the_status_whole() -> None:
    where = world()
    checks = [{"check": f"column c{n}", "passed": False, "message": "x" * 990 + " remedy"} for n in range(10)]
    answer(where, settle(where, "a"), {"snapshot": {"checks": checks}})
    said = [check["message"] for check in look(where)["checks"]]
    assert all(message.endswith(" remedy") for message in said[:8])
    assert [len(message) for message in said[8:]] == [300, 300]


def test_how_the_current_version_is_read_is_shown_and_what_is_refused_changes_nothing() -> None:
    where = world()
    reading = {"format": "csv", "delimiter": ";", "columns": [{"name": "id", "type": "integer"}]}
    answer(where, settle(where, "a"), {"snapshot": {"version": version("v1"), "reading": reading}})
    shown = look(where)["reading"]
    assert (shown["delimiter"], shown["columns"][0]["type"]) == (";", "integer")
    checks = [{"check": "column id", "passed": False, "message": "b.csv: 1 of 2 rows are not integer"}]
    answer(where, settle(where, "b"), {"snapshot": {"checks": checks}})
    status = look(where)
    assert (status["phase"], status["reading"]) == ("Invalid", shown)


def test_steady_state_writes_nothing() -> None:
    where = world()
    publish(where, "a", "v1")
    before = where.writes
    for _ in range(5):
        where.now += 60
        plan = where.look(dataset.SPEC, "rides")
        assert 0 < (plan.requeue_after or 0) <= 60
    assert where.writes == before


def test_an_operator_that_starts_lists_nothing_that_rests() -> None:
    where = world()
    publish(where, "a", "v1")
    due = where.now + (where.look(dataset.SPEC, "rides").requeue_after or 0.0)
    asked = []
    for part in range(60):
        where.now = due - 60 + part + 0.5
        asked.append(bool(list(dataset.observe(where.subject(dataset.SPEC, "rides"), where, where.now))))
    assert asked == [True] * 15 + [False] * 45, "from its moment on for a while, in case it comes late"
    where.objects[("Dataset", "rides")]["metadata"]["generation"] = 2
    assert list(dataset.observe(where.subject(dataset.SPEC, "rides"), where, where.now)), (
        "a changed spec is not at rest"
    )


def test_somebody_wants_it_listed_now() -> None:
    where = world()
    publish(where, "a", "v1")
    due = where.now + (where.look(dataset.SPEC, "rides").requeue_after or 0.0)
    where.now = due - 10.5
    meta = where.objects["Dataset", "rides"]["metadata"]

    def asked() -> bool:
        return bool(list(dataset.observe(where.subject(dataset.SPEC, "rides"), where, where.now)))

    for word in ("upload 1", "upload 2"):
        assert not asked()
        meta["annotations"] = {"fairlead.dev/look": word}
        assert asked()
        source(where, Failed("Unreachable", ""))
        where.settle(dataset.SPEC, "rides")
        assert asked(), "nothing was seen yet"
        source(where, "a")
        where.settle(dataset.SPEC, "rides")
        assert not asked(), "the same word asks once"
    meta["annotations"] = {"fairlead.dev/look": "upload 3"}
    source(where, "b")
    where.settle(dataset.SPEC, "rides")
    assert where.status(DATASET, "rides")["listing"]["digest"] == "b" * 64


def test_a_source_that_keeps_changing_is_not_read() -> None:
    where = world()
    for letter in "abcdef":
        source(where, letter)
        look(where)
        where.now += 9
    assert where.select(JOB) == []


def test_versions_are_unique_and_newest_first() -> None:
    where = world()
    for listing, name in (("a", "v1"), ("b", "v2"), ("a", "v1")):
        status = publish(where, listing, name)
    assert [v["version"] for v in status["versions"]] == ["v1", "v2"]
    assert status["current"]["version"] == "v1"


def test_no_more_than_twenty_versions_are_listed() -> None:
    where = world()
    for number in range(23):
        status = publish(where, chr(ord("a") + number), f"v{number}")
    assert len(status["versions"]) == 20
    assert status["versions"][0]["version"] == "v22"


def test_refused_by_a_check_keeps_what_is_published() -> None:
    where = world()
    publish(where, "a", "v1")
    checks = [{"check": "unique id", "passed": False, "message": "3 rows share an id"},
              {"check": "rows", "passed": True}]  # fmt: skip
    answer(where, settle(where, "b"), {"snapshot": {"checks": checks}})
    status = look(where)
    assert status["phase"] == "Invalid"
    assert status["current"]["version"] == "v1"
    truth, reason, message = condition(status, "Valid")
    assert (truth, reason) == ("False", "ChecksFailed")
    assert "unique id: 3 rows share an id" in message
    assert condition(status, "Available")[0] == "True"
    where.now += 600
    look(where)
    assert where.select(JOB) == [], "the same listing is not read again"
    assert publish(where, "c", "v2")["phase"] == "Ready"


def test_a_corrupt_file_is_named_and_heals_with_the_next_listing() -> None:
    where = world()
    error = {"reason": "CorruptFile", "message": "s3://src/rides/2.parquet is not parquet"}
    answer(where, settle(where, "a"), {"error": error}, 1)
    status = look(where)
    assert condition(status, "Valid") == ("False", "CorruptFile", error["message"])
    assert condition(status, "Ready")[0] == "False"
    assert publish(where, "b", "v1")["phase"] == "Ready"


def test_other_rules_read_the_same_listing_again() -> None:
    where = world()
    publish(where, "a", "v1")
    where.objects[("Dataset", "rides")]["spec"]["checks"] = [{"rows": {"min": 10}}]
    look(where)
    job = where.select(JOB)[0]
    where.objects[("Dataset", "rides")]["spec"]["checks"] = [{"rows": {"min": 5}}]
    answer(where, job, {"snapshot": {"checks": [{"check": "rows", "passed": False}]}})
    assert look(where)["phase"] == "Checking", "an answer by old rules does not count"
    assert [j["metadata"]["name"] for j in where.select(JOB)] != [job["metadata"]["name"]]
    assert publish(where, "a", "v1")["phase"] == "Ready"
    where.objects[("Dataset", "rides")]["spec"]["watch"] = {"every": "30s"}
    look(where)
    assert where.select(JOB) == [], "how often it is looked at is no rule"


def test_the_source_changes_under_the_job() -> None:
    where = world()
    error = {"reason": "ObjectChanged", "message": "it changed", "transient": True}
    answer(where, settle(where, "a"), {"error": error}, 1)
    status = look(where)
    assert status["phase"] == "Watching"
    assert where.select(JOB) == []
    assert publish(where, "b", "v1")["phase"] == "Ready"


@pytest.mark.parametrize("reason", ["BucketMissing", "AccessDenied", "CredentialsMissing", "Unreachable"])
def test_an_unreachable_source_keeps_what_is_published_and_heals(reason: str) -> None:
    where = world()
    publish(where, "a", "v1")
    source(where, Failed(reason, "do this"))
    status = look(where)
    assert condition(status, "SourceReachable") == ("False", reason, "do this (Secret keys)")
    assert (status["phase"], status["message"]) == ("Unreachable", "do this (Secret keys)")
    assert condition(status, "Available")[0] == "True"
    before = where.writes
    where.now += 60
    look(where)
    assert where.writes == before
    source(where, "a")
    assert look(where)["phase"] == "Ready"


def test_a_source_that_was_not_asked_is_not_one_that_can_t_be_reached() -> None:
    where = world()
    publish(where, "a", "v1")
    source(where, Failed("NoTurn", "others were under way"))
    status = look(where)
    assert condition(status, "SourceReachable") == ("Unknown", "NoTurn", "others were under way")
    assert (status["phase"], status["message"]) == ("Ready", "others were under way")
    source(where, "a")
    assert condition(look(where), "SourceReachable")[0] == "True"


def test_an_endpoint_that_is_refused_is_told_with_its_field_and_not_with_the_secret() -> None:
    where = world()
    source(where, Failed("EndpointRefused", "endpoint http://x is none"))
    told = "spec.source.s3: endpoint http://x is none"
    assert condition(look(where), "SourceReachable") == ("False", "EndpointRefused", told)


def test_an_empty_source_waits() -> None:
    where = world()
    source(where, Listed("e" * 64, 0, 0))
    status = look(where)
    assert (status["phase"], "no objects under s3://src/rides/" in status["message"]) == ("Pending", True)
    assert publish(where, "a", "v1")["phase"] == "Ready"


@pytest.mark.parametrize("error", [
    {"reason": "Unreachable", "message": "later", "transient": True},
    {"reason": "AccessDenied", "message": "the store refused"},
    {"reason": "BadTask", "message": "turn versioning on"},
])  # fmt: skip
def test_what_is_not_the_datas_fault_is_tried_again_later(error: Json) -> None:
    where = world()
    answer(where, settle(where, "a"), {"error": error}, 1)
    status = look(where)
    assert condition(status, "Valid") == ("Unknown", error["reason"], error["message"])
    assert where.select(JOB) == []
    where.now += 5
    look(where)
    second = where.select(JOB)[0]
    assert look(where)["job"]["attempt"] == 2
    answer(where, second, {"snapshot": {"version": version("v1")}})
    assert look(where)["phase"] == "Ready"


def test_pauses_grow_to_five_minutes() -> None:
    where = world(watch={"every": "1h", "settle": "0s"})
    source(where, "a")
    look(where)
    pauses = []
    for _ in range(9):
        answer(where, where.select(JOB)[0], {"error": {"reason": "Unreachable", "message": "x"}}, 1)
        pauses.append(where.settle(dataset.SPEC, "rides").requeue_after or 0)
        where.now += pauses[-1]
        look(where)
    assert pauses[0] == pytest.approx(5, abs=0.01)
    assert pauses[-1] == pytest.approx(300, abs=0.01)


@pytest.mark.parametrize("lost", ["pod", "job"])
def test_a_lost_answer_is_asked_for_again(lost: str) -> None:
    where = world()
    job = settle(where, "a")
    where.pod(job, "Running")
    look(where)
    if lost == "pod":
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
        where.remove(POD, f"{job['metadata']['name']}-x")
    else:
        where.remove(JOB, job["metadata"]["name"])
    assert look(where)["job"]["notBefore"]
    where.now += 5
    look(where)
    assert where.select(JOB)[0]["metadata"]["name"] != job["metadata"]["name"]


def test_an_image_that_cannot_be_pulled_is_named_until_the_operator_has_another() -> None:
    where = world()
    job = settle(where, "a")
    state = [{"name": "snapshot", "image": "worker:1", "state": {"waiting": {"reason": "ErrImagePull"}}}]
    where.pod(job, "Pending", containerStatuses=state)
    truth, reason, message = condition(look(where), "Valid")
    assert (truth, reason) == ("Unknown", "ImagePull")
    assert "worker:1" in message
    where.config = CONFIG.model_copy(update={"images": CONFIG.images.model_copy(update={"worker": "worker:2"})})
    look(where)
    where.now += 1
    look(where)
    image = where.select(JOB)[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "worker:2"


def test_suspended_looks_at_nothing() -> None:
    where = world(suspend=True)
    assert list(dataset.observe(where.subject(dataset.SPEC, "rides"), where, where.now)) == []
    assert look(where)["phase"] == "Suspended"


def test_without_a_store_says_what_to_set() -> None:
    where = world()
    where.config = CONFIG.model_copy(update={"store": None})
    with pytest.raises(Invalid, match=r"spec\.store"):
        where.plan(dataset.SPEC, "rides")


def test_polls_are_spread_and_regular() -> None:
    where = world()
    publish(where, "a", "v1")
    first = where.now + (where.settle(dataset.SPEC, "rides").requeue_after or 0)
    where.now = first
    assert where.settle(dataset.SPEC, "rides").requeue_after == pytest.approx(60, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(
    ["look", "crash0", "crash1", "crash2", "a", "b", "time", "ok", "moved", "lost", "gone"]), max_size=30))  # fmt: skip
def test_whatever_happens_it_ends_with_the_version_of_what_is_there(moves: list[str]) -> None:
    where, there = world(), "a"
    source(where, there)
    for move in moves:
        job = next(iter(where.select(JOB)), None)
        if move in "ab":
            there = move
            source(where, move)
        elif move == "time":
            where.now += 11
        elif move.startswith("crash"):
            try:
                where.look(dataset.SPEC, "rides", int(move[-1]))
            except Crash:
                continue
        elif move == "look":
            look(where)
        elif job is not None:
            _happen(where, job, move)
    for _ in range(30):
        look(where)
        for job in where.select(JOB):
            _happen(where, job, "ok")
        where.now += 61
    status = look(where)
    assert (status["phase"], status["current"]["version"]) == ("Ready", f"v-{there}")
    assert where.select(JOB) == []


def _happen(where: LittleWorld, job: Json, what: str) -> None:
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    listing = json.loads(next(e["value"] for e in env if e["name"] == "FAIRLEAD_TASK"))["listing"][0]
    if what == "ok":
        answer(where, job, {"snapshot": {"version": version(f"v-{listing}")}})
    elif what == "moved":
        answer(where, job, {"error": {"reason": "ObjectChanged", "message": "x", "transient": True}}, 1)
    elif what == "lost":
        where.pod(job, "Failed")
    else:
        where.remove(JOB, job["metadata"]["name"])


def test_what_can_not_be_told_to_a_worker_is_invalid() -> None:
    columns = [{"name": "c", "type": "string", "in": [f"{n}-{'x' * 120}" for n in range(1000)]}]
    where = world(schema={"columns": columns})
    source(where, "a")
    look(where)
    where.now += 10
    with pytest.raises(Invalid, match="too long"):
        look(where)


def test_a_name_that_no_label_takes_is_invalid() -> None:
    where = LittleWorld()
    where.put({"kind": "Dataset", "metadata": {"name": "x" * 64}, "spec": SPEC})
    with pytest.raises(Invalid, match=r"metadata\.name"):
        where.plan(dataset.SPEC, "x" * 64)


def test_a_look_in_between_does_not_move_the_next_poll() -> None:
    where = world()
    publish(where, "a", "v1")
    due = where.now + (where.settle(dataset.SPEC, "rides").requeue_after or 0)
    where.now += 0.25
    assert where.now + (where.settle(dataset.SPEC, "rides").requeue_after or 0) == pytest.approx(due)


def test_one_that_rests_and_could_not_be_planned_for_a_while_is_what_it_was() -> None:
    where = world()
    before = publish(where, "a", "v1")
    raw = where.objects["Dataset", "rides"]
    left = [one for one in before["conditions"] if one["type"] != "Ready"]  # the kernel's own Ready is not handed on
    raw["status"] = {**before, "conditions": left, "phase": "Invalid", "message": ""}
    assert dataset.resting(Context(where.subject(dataset.SPEC, "rides"), where, where.now))
    where.settle(dataset.SPEC, "rides")
    after = where.status(DATASET, "rides")
    assert (after["phase"], after["message"]) == (before["phase"], before["message"])
    assert condition(after, "Ready")[:2] == ("True", "Published")
