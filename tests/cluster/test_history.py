"""Old ModelVersions are really deleted, by the operator with the chart's rights and nothing more."""

from __future__ import annotations

from typing import Any

from hack.testbed.cluster import Team, condition

Json = dict[str, Any]
PIPELINE = """
kind: Pipeline
metadata: {name: p}
spec:
  history:
    versions: {rejected: 1, age: 0s}
  steps:
  - {name: train, image: "registry.example.com/train:1"}
"""


def version(number: int, **notes: str) -> Json:
    """As a run that is gone by now has made it; revoked, so that it is settled at once."""
    run = f"00000000-0000-0000-0000-00000000000{number}"
    return {
        "kind": "ModelVersion",
        "metadata": {
            "name": f"m-{number}", "annotations": {"fairlead.dev/created-by-uid": run} | notes,
            "labels": {"app.kubernetes.io/managed-by": "fairlead", "fairlead.dev/pipeline": "p"},
        },
        "spec": {
            "model": "m", "artifact": {"uri": f"s3://fairlead/m/{number}/", "sha256": "a" * 64},
            "lineage": {"pipeline": "p", "run": f"p-{number}", "runUid": run}, "revoked": "of yesterday",
        },
    }  # fmt: skip


def test_old_versions_are_cleared_away_and_kept_ones_stay(team: Team) -> None:
    for number in range(1, 6):
        team.apply(version(number, **({"fairlead.dev/keep": "audit"} if number == 2 else {})))
        team.wait("modelversion", f"m-{number}", lambda o: o.get("status", {}).get("phase") == "Revoked", 30, "Revoked")
    team.apply(PIPELINE)
    seen = team.wait_condition("pipeline", "p", "VersionsCleared", "False", "StillNeeded", timeout=60)
    assert "it has the annotation fairlead.dev/keep" in condition(seen, "VersionsCleared")["message"]
    assert seen["status"]["clearedVersions"] == 3
    left = team.cluster.list("modelversion", team.namespace)
    assert sorted(one["metadata"]["name"] for one in left) == ["m-2", "m-5"]
