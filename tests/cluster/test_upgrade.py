"""An operator that takes over in the middle of a rollout from one of a release without records."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hack.bench.process import Operator, alone, configuration
from hack.testbed.cluster import Json, Team
from hack.testbed.serving import deploy, is_live, make_version, traffic

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.plan.core import epoch

STEPS = [{"weight": 20, "for": "15s", "requests": 50}, {"weight": 50, "for": "5s", "requests": 50}]


@pytest.fixture
def operator(team: Team) -> Iterator[Operator]:
    """An operator for this namespace alone."""
    made = Operator(configuration([team.namespace]), name="upgrade")
    with alone():
        made.start()
        yield made
        made.kill()


def as_before(status: Json) -> Json:
    """A status as a release without records writes it: one tree."""
    return DeploymentStatus.model_validate(status).model_dump(mode="json", by_alias=True, exclude_none=True)


def counting(obj: Json) -> bool:
    """Whether evidence has come in in the first step."""
    candidate = obj["status"].get("candidate", {})
    return bool(candidate.get("weight") == 20 and candidate["answered"]["requests"] >= 20)


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_rollout_goes_on_that_was_begun_without_a_record(team: Team, operator: Operator) -> None:
    make_version(team, "m-1")
    deploy(team, steps=STEPS)
    team.wait("deployment", "web", is_live("m-1"), 120, "live with m-1")
    with traffic(team, 50) as load:
        make_version(team, "m-2")
        team.wait("deployment", "web", counting, 120, "in its first step")
        operator.kill()
        left = as_before((team.get("deployment", "web") or {})["status"])
        assert left["candidate"]["cursors"]
        team.cluster.resource("deployment").status.patch(
            name="web", namespace=team.namespace, content_type="application/merge-patch+json",
            body={"status": left | {"record": None}},
        )  # fmt: skip
        kept = (team.get("deployment", "web") or {})["status"]
        assert kept == left, "the definition keeps all that such a release writes"
        answered, deadline = len(load.answers), time.monotonic() + 60
        while len(load.answers) < answered + 100:  # nobody looks meanwhile
            assert time.monotonic() < deadline
            time.sleep(0.1)
        operator.start()
        done = team.wait("deployment", "web", is_live("m-2"), 180, "live with m-2")
    assert not load.failed(), load.failed()[:10]
    assert done["status"]["record"]["version"] == 1
    record = done["status"]["history"][0]
    assert (record["result"], record["startedAt"]) == ("Live", left["candidate"]["since"])
    began, ended = epoch(record["startedAt"]), epoch(record["endedAt"])
    sent = Counter(a.version for a in load.answers if began - 2 <= a.sent <= ended + 1)
    for arm, version, before in (("stable", "m-1", "liveAnswered"), ("candidate", "m-2", "answered")):
        least = left["candidate"][before]["requests"] + 10
        assert least <= record[arm]["requests"] <= sent[version], (record, left["candidate"], sent)
