"""Which version is chosen, and what is said when none is."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.plan.core import Invalid, Meta, Subject, rfc3339
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.versions import age_key, choose


def world(**more: Any) -> Sim:
    return Sim(spec(**more))


def chosen(sim: Sim) -> tuple[str | None, str]:
    subject = sim.subject()
    found = choose(Look(subject, sim, sim.now), subject.body.status)  # type: ignore[arg-type]
    return found.version, found.reason


def test_the_newest_approved_one() -> None:
    sim = world()
    sim.version("m-1", age=30)
    sim.version("m-2", age=20)
    sim.version("m-3", phase="AwaitingApproval", age=10)
    sim.version("m-4", age=5, revoked="leaks")
    assert chosen(sim) == ("m-2", "")


def test_versions_of_the_same_second_are_told_apart_by_their_number() -> None:
    sim = world()
    for name in ("m-9", "m-10", "m-2"):
        sim.version(name)
    assert chosen(sim)[0] == "m-10"
    assert (
        sorted([{"metadata": {"name": n}} for n in ("a-10", "a-9", "b")], key=age_key)[-1]["metadata"]["name"] == "a-10"
    )


def test_nothing_older_than_the_live_one() -> None:
    sim = world()
    sim.version("m-1", age=30)
    sim.version("m-2", age=20)
    sim.status = {"live": {"version": "m-2", "since": rfc3339(sim.now)}, "refused": ["m-3"]}
    sim.version("m-3")
    assert chosen(sim) == ("m-2", "")


def test_the_live_one_stays_though_it_is_revoked() -> None:
    sim = world()
    sim.version("m-1", age=30)
    sim.version("m-2", age=20, revoked="leaks")
    sim.status = {"live": {"version": "m-2", "since": rfc3339(sim.now)}}
    assert chosen(sim)[0] == "m-2"


@pytest.mark.parametrize(
    ("phase", "more", "reason"),
    [
        ("Approved", {}, ""),
        ("Evaluating", {}, "NotApproved"),
        ("Approved", {"revoked": "leaks"}, "VersionRevoked"),
    ],
)
def test_a_pinned_version(phase: str, more: dict[str, Any], reason: str) -> None:
    sim = world(model={"version": "m-1"})
    sim.version("m-1", phase=phase, **more)
    assert chosen(sim) == (None if reason else "m-1", reason)


def test_what_is_missing_is_said() -> None:
    sim = world()
    sim.look()
    assert sim.condition("Progressing")["reason"] == "VersionMissing"
    assert "no ModelVersion of model m" in sim.status["message"]
    sim.version("m-1", phase="AwaitingApproval")["status"]["message"] = "needs 1 approval."
    sim.look()
    assert sim.condition("Progressing")["reason"] == "NotApproved"
    assert "m-1 is AwaitingApproval (needs 1 approval)" in sim.status["message"]
    assert sim.status["phase"] == "Pending"


def test_a_pinned_version_that_was_taken_back() -> None:
    sim = world(model={"version": "m-2"})
    sim.version("m-2")
    sim.status = {"live": {"version": "m-1", "since": rfc3339(sim.now)}, "refused": ["m-2"]}
    sim.look()
    assert sim.condition("Progressing")["reason"] == "VersionRefused"
    assert "fairlead.dev/retry=m-2" in sim.condition("Progressing")["message"]


def test_a_retry_of_the_same_value_is_heeded_when_it_was_taken_away_in_between() -> None:
    """As docs/how-to/watch-a-rollout.md says."""
    sim = world(model={"version": "m-2"})
    sim.version("m-2")
    sim.status = {"live": {"version": "m-1", "since": rfc3339(sim.now)}, "refused": ["m-2"], "retried": "m-2"}
    sim.annotations = {"fairlead.dev/retry": "m-2"}
    sim.look()
    assert sim.condition("Progressing")["reason"] == "VersionRefused"
    sim.annotations = {}
    sim.look()
    assert (sim.status["refused"], sim.status["retried"]) == (["m-2"], "")
    sim.annotations = {"fairlead.dev/retry": "m-2"}
    sim.look()
    assert sim.status["refused"] == []
    assert sim.status["candidate"]["version"] == "m-2"


def test_a_version_of_a_form_that_can_not_be_read_harms_nobody() -> None:
    sim = world()
    sim.go_live()
    sim.version("m-9", artifact="not an artifact")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"


@pytest.mark.parametrize("name", ["9lives", "with.dot", "x" * 64])
def test_a_name_that_no_service_can_have(name: str) -> None:
    sim = world()
    subject = sim.subject()
    bad = Subject(Meta(name, "team", "u", 1, "1", 0.0), subject.body, subject.raw)
    with pytest.raises(Invalid, match=r"metadata\.name"):
        deployment.plan(bad, sim, sim.now)  # type: ignore[arg-type]


def test_who_is_woken() -> None:
    def one(name: str, model: dict[str, str], **status: Any) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": {"model": model}, "status": status}

    all_of_them = [
        one("by-model", {"name": "m"}), one("by-version", {"version": "m-1"}), one("other", {"name": "x"}),
        one("serves", {"name": "x"}, live={"version": "m-1"}),
    ]  # fmt: skip
    version = {"metadata": {"name": "m-1"}, "spec": {"model": "m"}}
    assert list(deployment.of_version(version, all_of_them)) == ["by-model", "by-version", "serves"]
    assert list(deployment.of_pod({"metadata": {"labels": {"fairlead.dev/deployment": "web"}}}, [])) == ["web"]
    assert list(deployment.of_pod({"metadata": {}}, [])) == []
