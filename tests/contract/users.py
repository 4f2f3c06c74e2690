"""Namespaces in which real users have roles, for tests of who may do what."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes import config

from tests.contract.apiserver import ApiServer

Json = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"


def server_with(policy: str, kubeconfig: str) -> ApiServer:
    """The API server; fails where it has not the policy."""
    found = ApiServer(config.new_client_from_config(config_file=kubeconfig))
    if not found.call("GET", f"{POLICIES}/{policy}").ok:
        pytest.fail(f"the policy {policy} is not installed; run `python -m hack.install`")
    return found


@contextmanager
def space_with(
    server: ApiServer, prefix: str, users: Mapping[str, Sequence[str]], *own: Json
) -> Iterator[str]:  # fmt: skip
    """A namespace while the block runs. users: by role; roles that are not among its `own` are of the cluster."""
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    server.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for role in own:
        made = server.call("POST", f"{RBAC}/{name}/roles", role)
        assert made.ok, made.message
    known = {role["metadata"]["name"] for role in own}
    for role_name, names in users.items():
        kind = "Role" if role_name in known else "ClusterRole"
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role_name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role_name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user} for user in names],
        }  # fmt: skip
        made = server.call("POST", f"{RBAC}/{name}/rolebindings", binding)
        assert made.ok, made.message
    for user in names:  # the API server learns of bindings in their order: of the last one, of all
        wait_for_rights(server, name, user)
    try:
        yield name
    finally:
        server.call("DELETE", f"/api/v1/namespaces/{name}")


def wait_for_rights(server: ApiServer, namespace: str, user: str) -> None:
    """Until the API server's authorizer, which follows bindings a little behind, knows of a user's."""
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        said = server.call("POST", REVIEWS, kind | {"spec": {"namespace": namespace}}, user=user).body
        groups = [group for rule in said["status"]["resourceRules"] for group in rule.get("apiGroups", [])]
        if any(not group.startswith("auth") for group in groups):
            return
        time.sleep(0.05)
    pytest.fail(f"{user} has no rights in {namespace} yet")
