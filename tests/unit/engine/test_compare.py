"""When is something already as it should be?"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fairlead.engine.compare import APPLIED, as_wanted, covers, digest, stamped, without_none

Json = dict[str, Any]

WANTED: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": "1000m"}}, "args": ["a"]}]}
        },
    },
}


def live() -> Json:
    """What an API server makes of it: defaults, and quantities written its own way."""
    found = copy.deepcopy(stamped(WANTED))
    found["spec"]["strategy"] = {"type": "RollingUpdate"}
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["terminationMessagePath"] = "/dev/termination-log"
    container["resources"]["requests"]["cpu"] = "1"
    return found


def test_defaults_of_the_api_server_are_no_difference() -> None:
    assert as_wanted(stamped(WANTED), live())


@pytest.mark.parametrize(
    "change",
    [
        lambda o: o["spec"].update(replicas=3),
        lambda o: o["metadata"]["labels"].update(a="c"),
        lambda o: o["metadata"].pop("annotations"),
        lambda o: o["spec"]["template"]["spec"]["containers"][0].update(args=["a", "b"]),
        lambda o: o["spec"]["template"]["spec"].update(containers=[]),
        lambda o: o["metadata"]["annotations"].update({APPLIED: "another"}),
    ],
)
def test_an_edit_of_ours_is_a_difference(change: Any) -> None:
    found = live()
    change(found)
    assert not as_wanted(stamped(WANTED), found)


def test_what_is_wanted_no_more_is_a_difference_by_the_hash() -> None:
    less = copy.deepcopy(WANTED)
    del less["metadata"]["labels"]["a"]
    assert not as_wanted(stamped(less), live())


def test_a_container_that_others_add_is_no_difference() -> None:
    found = live()
    found["spec"]["template"]["spec"]["containers"].insert(0, {"name": "mesh"})
    assert as_wanted(stamped(WANTED), found)


def test_the_stamp_does_not_depend_on_the_order_of_members() -> None:
    turned = dict(reversed(WANTED.items()))
    assert digest(turned) == digest(WANTED)
    assert stamped(WANTED)["metadata"]["annotations"][APPLIED] == digest(WANTED)
    assert "annotations" not in WANTED["metadata"]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("1000m", "1", True), ("1Gi", "1024Mi", True), ("1G", "1Gi", False), (1, "1", True), ("0.5", "500m", True),
     ("abc", "abd", False), (True, 1, True), ("1", None, False), ("1e3", "1000", False)],
)  # fmt: skip
def test_quantities(a: Any, b: Any, same: bool) -> None:
    assert covers(a, b) is same


def test_absent_and_empty_are_the_same_where_nothing_is_wanted() -> None:
    assert covers({}, {"a": {}, "b": []})
    assert covers({}, {"value": "", "flag": False, "count": 0})
    assert not covers({}, {"a": {"x": 1}})
    assert not covers({"a": "text"}, {"a": {"x": 1}})


def test_null_members_are_left_out() -> None:
    assert without_none({"a": None, "b": [{"c": None, "d": 0}]}) == {"b": [{"d": 0}]}
