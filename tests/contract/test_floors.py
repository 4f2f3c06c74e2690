"""What a namespace asks of versions is changed only by who is trusted with it, and only to what can be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fairlead.cluster.client import HttpKube
from fairlead.engine.resolve import Namespaces
from fairlead.plan.requests import NamespaceSeen
from tests.contract.apiserver import Answer, ApiServer
from tests.contract.users import server_with, space_with

Json = dict[str, Any]
ADMIN, TEAM, TRUSTED = "admin@example.com", "team@example.com", "trusted@example.com"
PREFIX = "fairlead.dev/require-"


def role(name: str, *rules: Json) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)
    }  # fmt: skip


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return server_with("fairlead-floors", kubeconfig)


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    """A namespace whose team may change its Namespace, as some platforms have it."""
    changes = {
        "apiGroups": [""], "resources": ["namespaces", "namespaces/status", "namespaces/finalize"],
        "verbs": ["get", "update", "patch"],
    }  # fmt: skip
    asks = {"apiGroups": ["fairlead.dev"], "resources": ["deployments"], "verbs": ["require"]}
    users = {"admin": [ADMIN, TEAM], "changer": [TEAM], "asker": [TRUSTED]}
    with space_with(server, "fl-floors", users, role("changer", changes), role("asker", changes, asks)) as name:
        yield name


@pytest.fixture
def annotate(server: ApiServer, space: str) -> Any:
    """Annotate the Namespace as a user; None takes an annotation away."""

    def send(user: str, below: str = "", **values: str | None) -> Answer:
        found = {PREFIX + key.replace("_", "-"): value for key, value in values.items()}
        return server.call("PATCH", f"/api/v1/namespaces/{space}{below}", {"metadata": {"annotations": found}},
                           user=user, content="application/merge-patch+json")  # fmt: skip

    return send


def test_four_eyes_a_team_that_may_change_its_namespace_does_not_change_its_floor(annotate: Any) -> None:
    answer = annotate(TEAM, approvals="1")
    assert answer.code == 403
    assert "needs the verb require on deployments.fairlead.dev there" in answer.message
    assert annotate(TRUSTED, approvals="1", gates="true", not_author="true").ok
    for change in ({"approvals": "0"}, {"approvals": None}, {"gates": "false"}, {"not_author": None}):
        assert annotate(TEAM, **change).code == 403
        assert annotate(TEAM, "/status", **change).code == 403
    assert annotate(ADMIN, approvals="0").code == 403


def test_four_eyes_the_rest_of_a_namespace_is_its_teams(server: ApiServer, space: str) -> None:
    for change in ({"annotations": {"team": "a"}}, {"labels": {"team": "a"}}):
        assert server.call("PATCH", f"/api/v1/namespaces/{space}", {"metadata": change}, user=TEAM,
                           content="application/merge-patch+json").ok  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"approvals": "one"}, {"approvals": "11"}, {"approvals": ""}, {"gates": "yes"}, {"not_author": "True"},
     {"aprovals": "1"}],
)  # fmt: skip
def test_four_eyes_a_floor_that_nobody_could_read_is_refused(annotate: Any, change: Json) -> None:
    answer = annotate(TRUSTED, **change)
    assert answer.code in (403, 422)
    assert "there are only fairlead.dev/require-approvals" in answer.message


def test_four_eyes_a_namespace_may_begin_with_a_floor_and_ends_with_it(server: ApiServer) -> None:
    def manifest(value: str) -> Json:
        meta = {"generateName": "fl-floors-", "annotations": {f"{PREFIX}approvals": value}}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}

    assert not server.call("POST", "/api/v1/namespaces", manifest("many")).ok
    made = server.call("POST", "/api/v1/namespaces", manifest("2"))
    assert made.ok, made.message
    assert server.call("DELETE", f"/api/v1/namespaces/{made.body['metadata']['name']}").ok


def test_four_eyes_the_operator_reads_namespaces_and_no_more(server: ApiServer, space: str) -> None:
    account, path = "system:serviceaccount:fairlead-system:fairlead", f"/api/v1/namespaces/{space}"
    assert server.call("GET", path, user=account).ok
    change = {"metadata": {"annotations": {"a": "b"}}}
    assert server.call("PATCH", path, change, user=account, content="application/merge-patch+json").code == 403
    assert server.call("GET", "/api/v1/namespaces", user=account).code == 403


async def test_four_eyes_what_was_written_is_what_is_asked_for(http: HttpKube, space: str, annotate: Any) -> None:
    assert annotate(TRUSTED, approvals="2", gates="false", not_author=None).ok
    expected = ((f"{PREFIX}approvals", "2"), (f"{PREFIX}gates", "false"))
    assert await Namespaces(http).read(space) == NamespaceSeen(expected)
