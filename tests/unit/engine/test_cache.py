"""The cache: the newest wins, the dead stay dead, the idle are small."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.engine.cache import COOL_AFTER, Cache, compact, controller_of, strip
from fairlead.plan.core import JOB, Gauge

Json = dict[str, Any]


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def obj(name: str, version: int, uid: str = "u1", owner: str = "", **labels: str) -> Json:
    meta: Json = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(version)}
    if labels:
        meta["labels"] = {f"fairlead.dev/{key}": value for key, value in labels.items()}
    if owner:
        meta["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"metadata": meta, "spec": {"n": version}}


def cache() -> Cache:
    return Cache([JOB], Clock())


def test_only_newer_objects_are_taken_in() -> None:
    found = cache()
    assert found.put(JOB, obj("a", 5))
    assert not found.put(JOB, obj("a", 5))
    assert not found.put(JOB, obj("a", 4))
    assert found.put(JOB, obj("a", 10))
    assert found.get(JOB, "ns", "a")["spec"] == {"n": 10}


def test_versions_are_compared_as_numbers() -> None:
    found = cache()
    found.put(JOB, obj("a", 9))
    assert found.put(JOB, obj("a", 10))


def test_the_dead_stay_dead() -> None:
    found = cache()
    found.put(JOB, obj("a", 5))
    assert found.remove(JOB, "ns", "a", "u1", 8)["spec"] == {"n": 5}
    assert not found.put(JOB, obj("a", 7)), "a late event"
    assert found.get(JOB, "ns", "a") is None
    assert found.put(JOB, obj("a", 9, uid="u2")), "a new object of that name"


def test_one_that_only_could_not_be_seen_is_there_again() -> None:
    """Somebody took the label away by which it is watched, and it was given back: its versions go on rising."""
    found = cache()
    found.put(JOB, obj("a", 5))
    found.remove(JOB, "ns", "a", "u1", 8)
    assert found.put(JOB, obj("a", 9))


def test_where_nobody_knows_when_it_was_deleted_the_same_object_does_not_return() -> None:
    found = cache()
    found.put(JOB, obj("a", 5))
    found.remove(JOB, "ns", "a", "u1")
    assert not found.put(JOB, obj("a", 9))


def test_a_late_deletion_does_not_hit_the_next_object_of_that_name() -> None:
    found = cache()
    found.put(JOB, obj("a", 9, uid="u2"))
    assert found.remove(JOB, "ns", "a", "u1", 8) is None
    assert found.get(JOB, "ns", "a") is not None
    assert found.remove(JOB, "ns", "a", "u1") is None, "nor does one without a version"


def test_tombstones_of_two_generations_may_come_in_any_order() -> None:
    found = cache()
    found.remove(JOB, "ns", "a", "u2", 12)
    found.remove(JOB, "ns", "a", "u1", 8)
    assert not found.put(JOB, obj("a", 11, uid="u2"))


def test_owners_and_labels_are_indexed_and_follow_changes() -> None:
    found = cache()
    found.put(JOB, obj("b", 1, owner="p", toy="x"))
    found.put(JOB, obj("a", 2, uid="u2", owner="p", toy="y"))
    assert [o["metadata"]["name"] for o in found.owned(JOB, "ns", "p")] == ["a", "b"]
    assert found.owned(JOB, "other", "p") == []
    assert [o["metadata"]["name"] for o in found.select(JOB, "ns", {"fairlead.dev/toy": "y"})] == ["a"]
    found.put(JOB, obj("a", 3, uid="u2", owner="q", toy="x"))
    assert [o["metadata"]["name"] for o in found.owned(JOB, "ns", "p")] == ["b"]
    assert [o["metadata"]["name"] for o in found.select(JOB, "ns", {"fairlead.dev/toy": "x"})] == ["a", "b"]
    assert len(found.select(JOB, "ns")) == 2
    found.remove(JOB, "ns", "a", "u2")
    assert found.owned(JOB, "ns", "q") == []
    assert found.store(JOB)._labelled == {("ns", "fairlead.dev/toy", "x"): {"b"}}


def test_other_labels_select_too() -> None:
    found = cache()
    one = obj("a", 1)
    one["metadata"]["labels"] = {"app": "x", "fairlead.dev/toy": "t"}
    found.put(JOB, one)
    assert found.select(JOB, "ns", {"app": "x", "fairlead.dev/toy": "t"})
    assert not found.select(JOB, "ns", {"app": "y", "fairlead.dev/toy": "t"})


def test_noise_is_left_out_and_what_was_given_is_not_changed() -> None:
    given_ = obj("a", 1)
    given_["metadata"] |= {
        "managedFields": [{"x": 1}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
    }
    found = cache()
    found.put(JOB, given_)
    meta = found.get(JOB, "ns", "a")["metadata"]
    assert "managedFields" not in meta
    assert meta["annotations"] == {"kubectl.kubernetes.io/last-applied-configuration": "", "mine": "1"}
    assert "managedFields" in given_["metadata"]
    assert given_["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] == "{}"
    assert strip(found.get(JOB, "ns", "a")) == found.get(JOB, "ns", "a")


def test_idle_objects_are_cooled_and_read_the_same() -> None:
    found = cache()
    clock = found._clock
    found.put(JOB, obj("a", 1, owner="p", toy="x"))
    entry = found.store(JOB).find("ns", "a")
    clock.now = COOL_AFTER + 1
    found.cool()
    assert entry._hot is None
    assert entry.peek()["spec"] == {"n": 1}
    assert entry._hot is None, "a peek does not warm"
    assert found.owned(JOB, "ns", "p")[0]["spec"] == {"n": 1}
    assert entry._hot is not None
    found.cool()
    assert entry._hot is not None, "it was read a moment ago"


def test_gauges_are_computed_once_for_a_version() -> None:
    found = cache()
    calls = []

    def read(raw: Json) -> list[Gauge]:
        calls.append(raw)
        return [Gauge("n", "N.", {}, raw["spec"]["n"])]

    found.put(JOB, obj("a", 1))
    for _ in range(3):
        assert found.store(JOB).find("ns", "a").gauges(read)[0].value == 1
    assert len(calls) == 1
    found.put(JOB, obj("a", 2))
    assert found.store(JOB).find("ns", "a").gauges(read)[0].value == 2


def test_controller_is_the_one_that_says_so() -> None:
    references = [{"uid": "x"}, {"uid": "y", "controller": True}]
    assert controller_of({"metadata": {"ownerReferences": references}}) == "y"
    assert controller_of({"metadata": {}}) == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
@settings(max_examples=50)
def test_compact_changes_nothing(value: Any) -> None:
    assert compact(value) == value


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_any_order_of_events_ends_alike(seed: int) -> None:
    """Whatever is repeated, late or in the wrong order: the last state of each object stays."""
    rng = random.Random(seed)
    history: list[tuple[str, Json]] = []
    alive: dict[str, str] = {}
    for version in range(1, 21):
        name = rng.choice("ab")
        if name in alive and rng.random() < 0.3:
            history.append(("DELETED", obj(name, version, uid=alive.pop(name))))
        else:
            uid = alive.setdefault(name, f"{name}{version}")
            history.append(("MODIFIED", obj(name, version, uid=uid)))
    events = history + rng.sample(history, 10)
    rng.shuffle(events)
    found = cache()
    for type_, one in events:
        meta = one["metadata"]
        if type_ == "DELETED":
            found.remove(JOB, "ns", meta["name"], meta["uid"], int(meta["resourceVersion"]))
        else:
            found.put(JOB, one)
    assert {name: found.get(JOB, "ns", name)["metadata"]["uid"] for name in alive} == alive


def test_an_index_follows_each_version_of_an_object() -> None:
    def index(raw: Json) -> list[str]:
        return [f"n/{raw['spec']['n'] % 2}"]

    found = Cache([JOB], Clock(), index={JOB: index})
    for name, version in (("a", 3), ("b", 4), ("c", 5)):
        found.put(JOB, obj(name, version, uid=name))
    assert [one["metadata"]["name"] for one in found.indexed(JOB, "ns", "n/1")] == ["a", "c"]
    found.put(JOB, obj("a", 6, uid="a"))
    found.remove(JOB, "ns", "c", "c")
    assert found.indexed(JOB, "ns", "n/1") == []
    assert [one["metadata"]["name"] for one in found.indexed(JOB, "ns", "n/0")] == ["a", "b"]
    assert found.indexed(JOB, "elsewhere", "n/0") == []


def test_an_object_whose_keys_cannot_be_read_is_there_all_the_same() -> None:
    found = Cache([JOB], Clock(), index={JOB: lambda raw: [raw["spec"]["none"]]})
    assert found.put(JOB, obj("a", 1))
    assert found.get(JOB, "ns", "a") is not None


def test_looking_by_key_warms_nothing_else() -> None:
    clock = Clock()
    found = Cache([JOB], clock, index={JOB: lambda raw: [str(raw["spec"]["n"])]})
    for number in range(1, 101):
        found.put(JOB, obj(f"o{number}", number, uid=str(number)))
    clock.now = COOL_AFTER
    found.cool()
    assert [one["metadata"]["name"] for one in found.indexed(JOB, "ns", "7")] == ["o7"]
    assert sum(entry.warm for _, _, entry in found.store(JOB)) == 1
