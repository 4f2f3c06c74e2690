"""Who may approve: real users with real RBAC against the chart's ValidatingAdmissionPolicy."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.apiserver import Answer, ApiServer
from tests.contract.users import server_with, space_with, wait_for_rights

Json = dict[str, Any]
MANIFEST = Path(__file__).parent / "manifests/good/modelversion-custom.yaml"
DIGEST, OTHER_DIGEST = "a" * 64, "b" * 64
EDITOR, BOB, CAROL = "editor@example.com", "bob@example.com", "carol@example.com"
OWNER = "owner@example.com"


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return server_with("fairlead-approvals", kubeconfig)


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    """A namespace in which the editor may edit and the others may approve."""
    users = {"edit": [EDITOR, OWNER], "fairlead-approver": [BOB, CAROL, OWNER]}
    with space_with(server, "fl-approvals", users) as name:
        yield name


@pytest.fixture
def version(server: ApiServer, space: str) -> str:
    """A ModelVersion that the editor has made."""
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["metadata"]["name"] = f"fares-{uuid.uuid4().hex[:8]}"
    made = server.create(space, manifest, user=EDITOR)
    assert made.ok, made.message
    return str(manifest["metadata"]["name"])


def approvals(*pairs: tuple[str, str]) -> Json:
    """A patch that sets the approvals: (user, evidence)."""
    return {"spec": {"approvals": [{"user": user, "evidence": evidence} for user, evidence in pairs]}}


@pytest.fixture
def patch(server: ApiServer, space: str, version: str) -> Any:
    """Patch the version as a user."""

    def send(user: str, change: Json) -> Answer:
        return server.patch(space, "modelversions", version, change, user=user)

    return send


def test_an_editor_without_the_verb_is_refused(patch: Any) -> None:
    answer = patch(EDITOR, approvals((EDITOR, DIGEST)))
    assert answer.code == 403
    assert f"{EDITOR} may not approve model versions" in answer.message
    assert "fairlead-approver" in answer.message


def test_an_editor_may_change_the_rest(patch: Any) -> None:
    assert patch(EDITOR, {"spec": {"revoked": "a mistake"}}).ok


def test_an_approver_cannot_sign_for_another(patch: Any) -> None:
    answer = patch(BOB, approvals((CAROL, DIGEST)))
    assert answer.code == 403
    assert f"{BOB} cannot approve in the name of {CAROL}" in answer.message


def test_approvers_sign_for_themselves(patch: Any) -> None:
    assert patch(BOB, approvals((BOB, DIGEST))).ok
    assert patch(CAROL, approvals((BOB, DIGEST), (CAROL, DIGEST))).ok
    assert patch(EDITOR, {"metadata": {"labels": {"seen": "yes"}}}).ok, "others may still touch the object"


def test_nobody_changes_or_takes_back_anothers_word(patch: Any) -> None:
    assert patch(BOB, approvals((BOB, DIGEST))).ok
    changed = patch(CAROL, approvals((BOB, OTHER_DIGEST)))
    assert changed.code == 403
    taken = patch(CAROL, approvals())
    assert taken.code == 403
    assert f"{CAROL} cannot take back or change the approval of {BOB}" in taken.message
    assert not patch(EDITOR, approvals()).ok


def test_one_may_change_and_take_back_ones_own(patch: Any) -> None:
    assert patch(BOB, approvals((BOB, DIGEST))).ok
    assert patch(BOB, approvals((BOB, OTHER_DIGEST))).ok
    assert patch(BOB, approvals()).ok


def test_a_version_cannot_be_born_approved_by_somebody_else(server: ApiServer, space: str) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["metadata"]["name"] = "born-approved"
    manifest["spec"] |= approvals((BOB, DIGEST))["spec"]
    answer = server.create(space, manifest, user=EDITOR, dry=True)
    assert answer.code == 403
    assert f"{EDITOR} cannot approve in the name of {BOB}" in answer.message


def test_an_approver_has_no_other_rights(server: ApiServer, space: str, version: str) -> None:
    path = f"/apis/fairlead.dev/v1alpha1/namespaces/{space}/modelversions/{version}"
    assert server.call("DELETE", path, user=BOB).code == 403
    assert server.call("PATCH", f"{path}/status", {"status": {"phase": "Approved"}}, user=BOB,
                       content="application/merge-patch+json").code == 403  # fmt: skip


def test_the_status_is_the_operators(server: ApiServer, space: str, version: str) -> None:
    path = f"/apis/fairlead.dev/v1alpha1/namespaces/{space}/modelversions/{version}/status"
    answer = server.call(
        "PATCH", path, {"status": {"phase": "Approved"}}, user=EDITOR, content="application/merge-patch+json"
    )
    assert answer.code == 403


OTHERS: list[Json] = [
    {"spec": {"revoked": "because I can"}}, {"metadata": {"annotations": {"a": "b"}}},
    {"metadata": {"labels": {"a": "b"}}},
    {"metadata": {"finalizers": ["example.com/never"]}},
    {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b"}]}},
    {"spec": {"revoked": "because I can"} | approvals((BOB, DIGEST))["spec"]},
]  # fmt: skip


@pytest.mark.parametrize("change", OTHERS)
def test_four_eyes_an_approver_changes_nothing_but_approvals(patch: Any, change: Json) -> None:
    answer = patch(BOB, change)
    assert answer.code == 403
    assert "change nothing else of them than spec.approvals" in answer.message
    assert patch(BOB, approvals((BOB, DIGEST))).ok


def test_four_eyes_who_may_make_versions_too_may_change_the_rest(patch: Any) -> None:
    assert patch(OWNER, {"spec": {"revoked": "a mistake"}}).ok
    assert patch(OWNER, approvals((OWNER, DIGEST))).ok


def test_four_eyes_a_serviceaccount_does_not_approve(server: ApiServer, space: str, patch: Any) -> None:
    robot = f"system:serviceaccount:{space}:robot"
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/rolebindings"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "robot"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fairlead-approver"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": space}],
    }  # fmt: skip
    assert server.call("POST", path, binding).ok
    wait_for_rights(server, space, robot)
    answer = patch(robot, approvals((robot, DIGEST)))
    assert answer.code == 403
    assert "is a ServiceAccount, and people approve" in answer.message
