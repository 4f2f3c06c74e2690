"""Who may judge answers: real users with real RBAC against the chart's ValidatingAdmissionPolicy."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.apiserver import Answer, ApiServer
from tests.contract.users import server_with, space_with

Json = dict[str, Any]
MANIFEST = Path(__file__).parent / "manifests/good/deployment-least.yaml"
EDITOR, BOB, CAROL, PIPELINE = "editor@example.com", "bob@example.com", "carol@example.com", "pipeline@example.com"


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return server_with("fairlead-judgements", kubeconfig)


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    """A namespace in which the editor may edit, two people may judge, and a pipeline may update."""
    updater = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "updater"},
        "rules": [{"apiGroups": ["fairlead.dev"], "resources": ["deployments"], "verbs": ["get", "update", "patch"]}],
    }  # fmt: skip
    users = {"edit": [EDITOR], "fairlead-reviewer": [BOB, CAROL], "updater": [PIPELINE]}
    with space_with(server, "fl-judgements", users, updater) as name:
        yield name


@pytest.fixture
def patch(server: ApiServer, space: str) -> Any:
    """Patch a Deployment, which the editor has made, as a user."""
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["metadata"]["name"] = name = f"fares-{uuid.uuid4().hex[:8]}"
    made = server.create(space, manifest, user=EDITOR)
    assert made.ok, made.message

    def send(user: str, change: Json) -> Answer:
        return server.patch(space, "deployments", name, change, user=user)

    return send


def judgements(*pairs: tuple[str, str]) -> Json:
    """A patch that sets the judgements: (pair, by)."""
    said = {"version": "fares-2", "better": "Live", "at": "2026-11-21T12:00:00Z"}
    return {"spec": {"judgements": [said | {"pair": pair, "by": by} for pair, by in pairs]}}


def test_reviewers_judge_for_themselves_and_tidy_away(patch: Any) -> None:
    assert patch(BOB, judgements(("0a", BOB))).ok
    assert patch(CAROL, judgements(("0a", BOB), ("0b", CAROL))).ok
    assert patch(BOB, judgements(("0b", CAROL))).ok


def test_nobody_judges_in_anothers_name_or_changes_anothers_word(patch: Any) -> None:
    answer = patch(BOB, judgements(("0a", CAROL)))
    assert answer.code == 403
    assert f"{BOB} cannot judge in the name of {CAROL}" in answer.message
    assert patch(BOB, judgements(("0a", BOB))).ok
    changed = judgements(("0a", BOB))
    changed["spec"]["judgements"][0]["better"] = "Candidate"
    assert patch(CAROL, changed).code == 403


OTHERS: list[Json] = [
    {"spec": {"paused": True}}, {"spec": {"replicas": {"min": 5}}}, {"metadata": {"annotations": {"a": "b"}}},
]  # fmt: skip


@pytest.mark.parametrize("change", OTHERS)
def test_a_reviewer_changes_nothing_else(patch: Any, change: Json) -> None:
    answer = patch(BOB, change)
    assert answer.code == 403
    assert "change nothing else of a Deployment" in answer.message
    assert patch(EDITOR, change).ok


def test_who_may_only_update_goes_on_updating_but_does_not_judge(patch: Any) -> None:
    assert patch(PIPELINE, {"spec": {"paused": True}}).ok
    answer = patch(PIPELINE, judgements(("0a", PIPELINE)))
    assert answer.code == 403
    assert "fairlead-reviewer" in answer.message


def test_an_editor_may_judge_too(patch: Any) -> None:
    assert patch(EDITOR, judgements(("0a", EDITOR))).ok
