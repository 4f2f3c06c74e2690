"""Old ModelVersions are cleared away, and none that anything still needs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plan.littleworld import Crash, LittleWorld

from fairlead.plan.core import DEPLOYMENT, MODEL_VERSION, PIPELINE, PIPELINE_RUN, Json, Kind, Plan, rfc3339
from fairlead.plan.pipeline import history
from fairlead.plan.pipeline import plan as pipeline

DAY = 86400.0
SPEC: Json = {"steps": [{"name": "train", "image": "i"}]}


def pipe(where: LittleWorld, **versions: Any) -> None:
    """The Pipeline `p`, which keeps so many versions."""
    where.put({
        "kind": "Pipeline", "metadata": {"name": "p"}, "spec": SPEC | {"history": {"versions": versions}},
    })  # fmt: skip


def version(where: LittleWorld, number: int, phase: str = "Approved", days: float = 30.0, **more: Any) -> Json:
    """The version `m-<number>`, as run `p-<number>` has made it, and what became of it so many days ago."""
    model, name = more.pop("model", "m"), more.pop("name", f"m-{number}")
    at = rfc3339(where.now - days * DAY)
    status: Json = {"phase": phase, "observedGeneration": 1}
    if phase in ("Approved", "Rejected", "Revoked"):
        truth = "True" if phase == "Approved" else "False"
        status["conditions"] = [{"type": "Approved", "status": truth, "reason": phase, "lastTransitionTime": at}]
    run = f"run-{number}"
    meta: Json = {
        "name": name, "creationTimestamp": rfc3339(where.now - days * DAY + number),
        "labels": {"fairlead.dev/pipeline": "p", "app.kubernetes.io/managed-by": "fairlead"},
        "annotations": {"fairlead.dev/created-by-uid": run},
    }  # fmt: skip
    spec = {"model": model, "artifact": {"uri": "s3://b/m", "sha256": "a" * 64},
            "lineage": {"pipeline": "p", "run": f"p-{number}", "runUid": run}}  # fmt: skip
    made = {"kind": "ModelVersion", "metadata": meta, "spec": spec, "status": status}
    for path, value in more.items():
        at_part, *rest = path.split("__")
        inner = made[at_part]
        for key in rest[:-1]:
            inner = inner.setdefault(key, {})
        inner[rest[-1]] = value
    return where.put(made)


def deployment(where: LittleWorld, name: str = "front", *, model: Json | None = None, **status: Any) -> Json:
    """A Deployment with this status."""
    spec = {"model": model or {"version": "x"}, "route": {"gateway": {"name": "g"}}}
    return where.put({"kind": "Deployment", "metadata": {"name": name}, "spec": spec, "status": status})


def names(where: LittleWorld) -> list[str]:
    """The versions that are there, by number."""
    found = [raw["metadata"]["name"] for raw in where.select(MODEL_VERSION)]
    return sorted(found, key=lambda name: int(name.rsplit("-", 1)[1]))


def sweep(where: LittleWorld, looks: int = 200) -> Plan:
    """Look, as often as asked for, until nothing is cleared away any more."""
    for _ in range(looks):
        before = where.writes
        plan = where.look(pipeline.SPEC, "p")
        if where.writes == before:
            return plan
    raise AssertionError("it does not settle")


def condition(where: LittleWorld) -> tuple[str, str, str]:
    """Status, reason and message of VersionsCleared; empty if it is not there."""
    found = [c for c in where.status(PIPELINE, "p")["conditions"] if c["type"] == "VersionsCleared"]
    return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else ("", "", "")


def test_the_newest_of_each_outcome_and_model_stay() -> None:
    where = LittleWorld()
    pipe(where, approved=2, rejected=1)
    for number in range(1, 6):
        version(where, number)
    for number in range(6, 9):
        version(where, number, "Revoked" if number == 7 else "Rejected")
    version(where, 9, name="other-9", model="other")
    version(where, 10, "AwaitingApproval")
    sweep(where)
    assert names(where) == ["m-4", "m-5", "m-8", "other-9", "m-10"]
    status = where.status(PIPELINE, "p")
    assert status["clearedVersions"] == 5
    assert [one["name"] for one in status["cleared"]] == ["m-7", "m-6", "m-3", "m-2", "m-1"]
    assert status["cleared"][-1]["reason"] == "2 newer approved versions of model m are kept"
    assert condition(where)[:2] == ("True", "Cleared")


def test_people_are_told_once_what_went_and_why() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    version(where, 1)
    version(where, 2)
    plan = where.look(pipeline.SPEC, "p")
    assert [e.message for e in plan.events] == [
        "m-1 cleared away: 1 newer approved version of model m is kept"
    ]  # fmt: skip
    assert condition(where)[:2] == ("Unknown", "Clearing")
    assert where.look(pipeline.SPEC, "p").events == []


def test_by_default_fifty_are_kept_and_nothing_of_the_last_week() -> None:
    where = LittleWorld()
    pipe(where)
    for number in range(1, 61):
        version(where, number, days=30 if number <= 5 else 6)
    plan = sweep(where)
    assert names(where)[0] == "m-6"
    assert plan.requeue_after == pytest.approx(DAY, abs=60)
    where.now += DAY + 60
    sweep(where)
    assert names(where)[0] == "m-11"


def test_age_counts_from_the_verdict() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    made = version(where, 1, days=30)
    made["status"]["conditions"][0]["lastTransitionTime"] = rfc3339(where.now - 3 * DAY)
    version(where, 2)
    plan = sweep(where)
    assert names(where) == ["m-1", "m-2"]
    assert plan.requeue_after == pytest.approx(4 * DAY, abs=60)


def test_who_says_so_keeps_all_of_them() -> None:
    where = LittleWorld()
    pipe(where, approved=1, clear=False)
    for number in range(1, 4):
        version(where, number)
    sweep(where)
    assert names(where) == ["m-1", "m-2", "m-3"]
    assert condition(where) == ("", "", "")


def test_thousands_go_in_small_lots() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 62):
        version(where, number)
    plan = where.look(pipeline.SPEC, "p")
    assert (len(plan.delete), plan.steady, plan.requeue_after) == (20, True, 1.0)
    assert len(names(where)) == 41
    sweep(where)
    assert names(where) == ["m-61"]
    assert where.status(PIPELINE, "p")["clearedVersions"] == 60
    assert len(where.status(PIPELINE, "p")["cleared"]) == 20


def test_each_goes_only_as_it_was_seen() -> None:
    """An approval, or a word why it shall stay, that comes at the last moment."""
    where = LittleWorld()
    pipe(where, approved=1)
    version(where, 1)
    version(where, 2)
    plan = where.plan(pipeline.SPEC, "p")
    assert [(gone.name, gone.uid, gone.resource_version) for gone in plan.delete] == [
        ("m-1", where.objects["ModelVersion", "m-1"]["metadata"]["uid"], "1")
    ]  # fmt: skip


def test_a_version_that_stays_after_all_is_not_said_to_be_gone() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    version(where, 1)
    version(where, 2)
    with pytest.raises(Crash):
        where.look(pipeline.SPEC, "p", crash_after=1)
    assert where.status(PIPELINE, "p")["clearedVersions"] == 1
    deployment(where, live={"version": "m-1"})
    sweep(where)
    status = where.status(PIPELINE, "p")
    assert (status["clearedVersions"], status["cleared"]) == (0, [])
    assert names(where) == ["m-1", "m-2"]
    assert "Deployment front names it" in condition(where)[2]


def test_what_was_recorded_is_cleared_away_after_a_crash_and_counted_once() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 5):
        version(where, number)
    for crash in (1, 2):
        with pytest.raises(Crash):
            where.look(pipeline.SPEC, "p", crash_after=crash)
    sweep(where)
    assert names(where) == ["m-4"]
    assert where.status(PIPELINE, "p")["clearedVersions"] == 3


# --- what keeps a version ------------------------------------------------------------------------------------------

PIN = {"name": "m-1", "uid": "u"}
NEEDED: dict[str, Json] = {
    "live": {"live": {"version": "m-1"}},
    "candidate": {"candidate": {"version": "m-1", "against": "m-3"}},
    "against": {"candidate": {"version": "m-3", "against": "m-1"}},
    "previous": {"previous": "m-1"},
    "way back": {"wayBack": {"version": "m-1", "leaves": "m-3"}},
    "watched against": {"watch": {"version": "m-3", "against": "m-1"}},
    "pinned": {"versions": [PIN]},
    "served once": {"served": [PIN]},
    "retiring": {"retiring": [{"version": "m-1", "until": "2026-01-01T00:00:00Z"}]},
    "arm": {"experiment": {"arms": [{"version": "m-1"}]}},
    "contender": {"experiment": {"contenders": [{"version": "m-1"}]}},
    "promised": {"memory": {"promise": "m-1"}},
    "refused": {"refused": ["m-1"]},
    "history": {"history": [{"from": "m-1", "to": "m-3"}]},
    "of a newer Fairlead": {"mirrors": {"east": ["m-1"]}},
    "of a newer Fairlead, by name": {"shares": {"m-1": 5}},
}


@pytest.mark.parametrize("status", NEEDED.values(), ids=NEEDED.keys())
def test_what_a_deployment_speaks_of_stays(status: Json) -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    deployment(where, **({"live": {"version": "m-3"}} | status))
    sweep(where)
    assert names(where) == ["m-1", "m-3"]
    assert condition(where)[:2] == ("False", "StillNeeded")
    assert "1 more stay (1: Deployment front names it)" in condition(where)[2]


@pytest.mark.parametrize(
    "spec",
    [
        {"model": {"version": "m-1"}},
        {"experiment": {"versions": ["m-1"]}},
        {"override": {"action": "Rollback", "version": "m-1", "reason": "so", "at": "2026-01-01T00:00:00Z"}},
    ],
)
def test_what_a_person_names_stays(spec: Json) -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    deployment(where, model={"version": "m-3"}, live={"version": "m-3"})["spec"] |= spec
    sweep(where)
    assert names(where) == ["m-1", "m-3"]


def test_an_annotation_that_names_it_keeps_it() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    deployment(where, live={"version": "m-3"})["metadata"]["annotations"] = {"fairlead.dev/retry": "m-2"}
    sweep(where)
    assert names(where) == ["m-2", "m-3"]


def test_what_may_be_next_stays() -> None:
    """A Deployment that is paused, or whose namespace asks for more: what it has not taken yet it may take."""
    where = LittleWorld()
    pipe(where, approved=1, rejected=0)
    for number in range(1, 6):
        version(where, number)
    version(where, 6, "Rejected")
    deployment(where, model={"name": "m"}, live={"version": "m-3"})
    sweep(where)
    assert names(where) == ["m-3", "m-4", "m-5"]


def test_where_the_live_ones_age_is_not_known_all_may_be_next() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    deployment(where, model={"name": "m"}, live={"version": "gone-1"})
    sweep(where)
    assert names(where) == ["m-1", "m-2", "m-3"]


@pytest.mark.parametrize("model", [{"name": "m"}, {"version": "m-3"}, {"version": "not-there"}])
def test_a_deployment_without_a_live_version_keeps_them(model: Json) -> None:
    """Its status may be lost: then only the store knows what it has served."""
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    deployment(where, model=model)
    sweep(where)
    assert names(where) == ["m-1", "m-2", "m-3"]
    assert "Deployment front" in condition(where)[2]


def test_a_deployment_of_another_model_keeps_nothing() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    version(where, 9, name="other-9", model="other")
    deployment(where, "one", model={"name": "other"})
    deployment(where, "two", model={"version": "other-9"})
    sweep(where)
    assert names(where) == ["m-3", "other-9"]


def test_what_a_run_names_stays() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    version(where, 1)
    version(where, 2)
    where.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"}, "status": {}})
    sweep(where)
    assert names(where) == ["m-1", "m-2"]
    assert "run p-1 names it" in condition(where)[2]


@pytest.mark.parametrize("part", ["job", "evidence"])
def test_what_another_one_is_compared_with_stays(part: str) -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    version(where, 1)
    version(where, 2)
    version(where, 3, "AwaitingApproval")["status"][part] = {"champion": "m-1", "name": "j", "digest": "d"}
    sweep(where)
    assert names(where) == ["m-1", "m-2", "m-3"]
    assert "m-3 is compared with it" in condition(where)[2]


def test_the_newest_approved_one_stays_though_newer_ones_were_revoked() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    version(where, 1)
    version(where, 2, spec__revoked="bad")  # its status does not say so yet
    sweep(where)
    assert names(where) == ["m-1", "m-2"]


@pytest.mark.parametrize("going", [{"spec__revoked": ""}, {"spec__revoked": "bad"}])
def test_one_that_is_being_deleted_counts_for_nothing(going: Json) -> None:
    """Somebody's finalizer holds it: the one before it is the newest that is left."""
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    version(where, 4, metadata__deletionTimestamp=rfc3339(where.now), metadata__finalizers=["example.com/f"], **going)
    sweep(where)
    assert names(where) == ["m-3", "m-4"]


@pytest.mark.parametrize("kind", [DEPLOYMENT, PIPELINE_RUN])
def test_without_those_who_need_them_none_is_cleared_away(kind: Kind) -> None:
    """A definition that is taken away and comes back takes what is known of its objects with it."""
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    where.unserved.add(kind)
    sweep(where)
    assert names(where) == ["m-1", "m-2", "m-3"]
    where.unserved.clear()
    sweep(where)
    assert names(where) == ["m-3"]


@pytest.mark.parametrize(
    "more",
    [
        {"metadata__annotations": {}},
        {"metadata__annotations": {"fairlead.dev/created-by-uid": "another"}},
        {"spec__lineage": {}},
        {"spec__lineage": {"pipeline": "p", "runUid": "run-1"}},
        {"spec__lineage": {"pipeline": "other", "run": "p-1", "runUid": "run-1"}},
        {"metadata__labels": {"fairlead.dev/pipeline": "other"}},
        {"metadata__annotations__argocd.argoproj.io/tracking-id": "x"},
        {"metadata__annotations__kubectl.kubernetes.io/last-applied-configuration": ""},
        {"metadata__labels__kustomize.toolkit.fluxcd.io/name": "x"},
        {"metadata__annotations__fairlead.dev/keep": "audit 2026"},
        {"metadata__ownerReferences": [{"kind": "App", "name": "a", "uid": "a"}]},
        {"metadata__generation": 2},
    ],
)
def test_what_is_somebody_elses_or_not_settled_stays(more: Json) -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    version(where, 1, **more)
    version(where, 2)
    sweep(where)
    assert names(where) == ["m-1", "m-2"]


# --- whatever the world is like ------------------------------------------------------------------------------------

PHASES = st.sampled_from(["", "Evaluating", "AwaitingApproval", "Approved", "Approved", "Rejected", "Revoked"])
FIELDS = ("live", "candidate", "wayBack")


@st.composite
def worlds(draw: st.DrawFn) -> LittleWorld:
    """Versions in all states, and Deployments that speak of some of them."""
    where = LittleWorld()
    pipe(
        where,
        approved=draw(st.integers(1, 4)),
        rejected=draw(st.integers(0, 3)),
        age=draw(st.sampled_from(["0s", "7d"])),
    )
    count = draw(st.integers(0, 45))
    for number in range(1, count + 1):
        version(
            where, number, draw(PHASES), draw(st.sampled_from([1.0, 30.0])), model=draw(st.sampled_from(["m", "n"]))
        )  # fmt: skip
    known = st.sampled_from([f"m-{number}" for number in range(1, 46)])
    for index in range(draw(st.integers(0, 3))):
        status: Json = {}
        for key in draw(st.sets(st.sampled_from(FIELDS))):
            status[key] = {"version": draw(known)}
        status["served"] = [{"name": one} for one in draw(st.lists(known, max_size=3))]
        wanted = draw(st.sampled_from([{"name": "m"}, {"name": "n"}, {"version": draw(known)}]))
        deployment(where, f"d-{index}", model=wanted, **status)
    for number in draw(st.sets(st.integers(1, 45), max_size=3)):
        where.put({"kind": "PipelineRun", "metadata": {"name": f"p-{number}"}, "spec": {"pipeline": "p"}})
    return where


def needed(where: LittleWorld) -> set[str]:
    """The versions that have to stay, spelt out anew."""
    found: set[str] = set()
    everything = where.select(MODEL_VERSION)
    for one in where.select(DEPLOYMENT):
        status, wanted = one["status"], one["spec"]["model"]
        found |= {status[key]["version"] for key in FIELDS if key in status}
        found |= {served["name"] for served in status["served"]} | {wanted.get("version", "")}
        if "live" not in status and "name" in wanted:
            found |= {v["metadata"]["name"] for v in everything if v["spec"]["model"] == wanted["name"]}
    for v in everything:
        if where.objects.get(("PipelineRun", v["spec"]["lineage"]["run"])) or v["status"]["phase"] not in (
            "Approved", "Rejected", "Revoked",
        ):  # fmt: skip
            found.add(v["metadata"]["name"])
    for model in ("m", "n"):
        approved = [
            v for v in everything if v["spec"]["model"] == model and v["status"]["phase"] == "Approved"
        ]  # fmt: skip
        if approved:
            found.add(max(approved, key=lambda v: v["metadata"]["creationTimestamp"])["metadata"]["name"])
    return found


@given(where=worlds(), crashes=st.lists(st.integers(0, 5), max_size=4))
@settings(deadline=None, max_examples=150)
def test_no_world_loses_what_it_needs(where: LittleWorld, crashes: list[int]) -> None:
    before, must_stay = set(names(where)), needed(where)
    for crash in crashes:
        try:
            where.look(pipeline.SPEC, "p", crash_after=crash)
        except Crash:
            continue
    sweep(where)
    after = set(names(where))
    assert must_stay & before <= after
    assert where.status(PIPELINE, "p")["clearedVersions"] == len(before - after)
    rules = where.subject(pipeline.SPEC, "p").body.spec.history.versions
    left = history.sweep(where, "p", rules, where.now)
    assert left.gone == []
    again = copy.deepcopy(where.objects)
    sweep(where)
    assert where.objects == again


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"model": "m"}}, {"spec": {}}, {"spec": {"model": {"name": "m"}}, "status": {"live": "m-3"}},
        {"spec": {"model": {"name": "m"}}, "status": {"live": {"version": "m-3"}, "versions": ["m-3"]}},
        {"spec": {"model": {"name": "m"}},
         "status": {"live": {"version": "m-3"}, "versions": [{"name": "m-3", "created": "x"}]}},
    ],
)  # fmt: skip
def test_a_deployment_that_cannot_be_read_keeps_everything(change: Json) -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 4):
        version(where, number)
    deployment(where).update(change)
    sweep(where)
    assert names(where) == ["m-1", "m-2", "m-3"]
    assert "it can't be told which versions Deployment front needs" in condition(where)[2]


def test_a_version_that_cannot_be_read_stops_no_other() -> None:
    where = LittleWorld()
    pipe(where, approved=1)
    for number in range(1, 5):
        version(where, number)
    version(where, 1)["status"]["conditions"] = ["so"]
    version(where, 5, name="n-5")["spec"] = {}
    version(where, 6, name="n-6")["spec"] = {"lineage": version(where, 6, name="n-6")["spec"]["lineage"]}
    sweep(where)
    assert names(where) == ["m-1", "m-4", "n-5", "n-6"]
    assert "a form that this Fairlead can't read" in condition(where)[2]
