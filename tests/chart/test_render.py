"""What the chart makes of its values."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import yaml
from hack.gen import crds, rbac
from hack.gen.files import ROOT
from tests.chart.helm import CHART, EVERYTHING, Json, helm, one, render

from fairlead.api.config import OperatorConfig, PodsConfig, Tuning


@pytest.fixture(scope="module")
def plain() -> list[Json]:
    return render()


@pytest.fixture(scope="module")
def full() -> list[Json]:
    return render(EVERYTHING)


def test_lint() -> None:
    done = helm("lint", "--strict", str(CHART), "--values", "-", values=EVERYTHING, check=False)
    assert done.returncode == 0, done.stdout


def kinds(objects: list[Json]) -> set[str]:
    return {found["kind"] for found in objects}


def test_nothing_needs_prometheus_operator_unless_asked_for(plain: list[Json], full: list[Json]) -> None:
    extra = {"PodMonitor", "PrometheusRule", "NetworkPolicy"}
    assert not kinds(plain) & extra
    assert kinds(full) >= extra


def configuration(objects: list[Json]) -> OperatorConfig:
    return OperatorConfig.model_validate(yaml.safe_load(one(objects, "ConfigMap")["data"]["config.yaml"]))


def test_the_configuration_is_read_by_the_operator(plain: list[Json], full: list[Json]) -> None:
    assert configuration(plain).store is None
    config = configuration(full)
    assert config.store is not None
    assert (config.store.bucket, config.store.prefix, config.store.region) == ("models", "a/", "eu-1")
    assert config.store.credentials is not None
    assert config.store.credentials.name == "s3"
    assert config.prometheus.url == "http://prometheus.example:9090"
    assert config.prometheus.labels == {"release": "stack"}
    assert config.tuning == Tuning(window=2, drain=5, evidence_deadline=20, monitors=20)
    assert [(rule.host, rule.path, rule.namespaces) for rule in config.routes.granted] == [
        (None, "/public/", []), ("*.shop.example", "/", ["shop"]),
    ]  # fmt: skip
    assert config.endpoints.allow == ["s3.example.com", "*.stores.example", "10.7.0.0/16"]
    assert config.endpoints.refuse == ["fd00::/8", "10.0.0.3"]
    assert config.endpoints.insecure == ["registry.local:5000"]
    assert config.identity.namespaces == ["shop"]
    assert config.monitors.false_alarms_per_year == 2.5
    assert config.workers == 4
    assert (config.require.approvals, config.require.gates, config.require.not_author) == (1, True, True)


def test_the_image_that_trains_is_one_value_and_may_be_none(plain: list[Json]) -> None:
    assert "trainer" in (configuration(plain).images.trainer or "")
    assert configuration(render({"images": {"trainer": ""}})).images.trainer is None
    named = configuration(render({"images": {"trainer": "registry.example/trainer@sha256:1"}}))
    assert named.images.trainer == "registry.example/trainer@sha256:1"


def test_the_configuration_has_no_field_that_the_operator_ignores(full: list[Json]) -> None:
    written = yaml.safe_load(one(full, "ConfigMap")["data"]["config.yaml"])
    known = configuration(full).model_dump(by_alias=True)
    assert set(written) <= set(known)
    for part in ("images", "store", "prometheus", "tuning", "require", "routes", "endpoints", "identity"):
        assert set(written[part]) <= set(known[part]), part


def test_a_changed_configuration_restarts_the_pods(plain: list[Json], full: list[Json]) -> None:
    sums = [
        one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for objects in (plain, full)
    ]
    assert sums[0] != sums[1]


def test_definitions_are_those_of_the_generator(plain: list[Json]) -> None:
    rendered = {o["metadata"]["name"]: o for o in plain if o["kind"] == "CustomResourceDefinition"}
    assert len(rendered) == len(crds.KINDS)
    for info in crds.KINDS:
        wanted = yaml.load((ROOT / "crds" / f"{info.plural}.yaml").read_text(), yaml.CSafeLoader)
        found = rendered[wanted["metadata"]["name"]]
        assert found["spec"] == wanted["spec"]
        assert found["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_definitions_can_be_left_out_or_go_with_the_release() -> None:
    assert "CustomResourceDefinition" not in kinds(render({"crds": {"enabled": False}}))
    goes = render({"crds": {"keep": False}})
    assert all("annotations" not in o["metadata"] for o in goes if o["kind"] == "CustomResourceDefinition")


NAMES = {
    "operator": "fairlead-operator", "credentials-reader": "fairlead-credentials-reader", "view": "fairlead-view",
    "edit": "fairlead-edit", "approver": "fairlead-approver",
    "reviewer": "fairlead-reviewer",
}  # fmt: skip


def test_rights_are_those_of_the_table(plain: list[Json]) -> None:
    by_name = {table.name: rbac.rules(table) for table in rbac.TABLES}
    for table, name in NAMES.items():
        assert one(plain, "ClusterRole", name)["rules"] == by_name[table]
    leader = one(plain, "Role", "fairlead-leader")
    assert leader["rules"] == by_name["leader"]
    assert leader["metadata"]["namespace"] == "fairlead-system"
    assert {o["metadata"]["name"] for o in plain if o["kind"] == "ClusterRole"} == set(NAMES.values())


def test_only_the_operators_role_is_bound(plain: list[Json]) -> None:
    bound = {o["roleRef"]["name"] for o in plain if o["kind"] in ("ClusterRoleBinding", "RoleBinding")}
    assert bound == {"fairlead-operator", "fairlead-leader"}


def test_roles_of_namespaces_instead_of_the_clusters() -> None:
    objects = render({"namespaces": ["team-a", "team-b"]})
    assert "ClusterRoleBinding" not in kinds(objects)
    assert not [o for o in objects if o["kind"] == "ClusterRole" and o["metadata"]["name"] == "fairlead-operator"]
    roles = [o for o in objects if o["kind"] == "Role" and o["metadata"]["name"] == "fairlead-operator"]
    assert [role["metadata"]["namespace"] for role in roles] == ["team-a", "team-b"]
    assert all(role["rules"] == rbac.rules(rbac.OPERATOR) for role in roles)
    assert configuration(objects).namespaces == ["team-a", "team-b"]


def test_the_pod_is_restricted(full: list[Json]) -> None:
    pod = one(full, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_one_replica_has_no_disruption_budget(plain: list[Json]) -> None:
    assert "PodDisruptionBudget" in kinds(plain)
    assert "PodDisruptionBudget" not in kinds(render({"replicas": 1}))


def test_every_object_is_labelled_and_placed(full: list[Json]) -> None:
    scoped = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy",
              "ValidatingAdmissionPolicyBinding"}  # fmt: skip
    for found in full:
        if found["kind"] not in scoped:
            assert found["metadata"]["namespace"] == "fairlead-system", found["metadata"]["name"]
        assert found["metadata"]["labels"], found["metadata"]["name"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"replicas": 0}, "replicas"),
        ({"imagess": {}}, "imagess"),
        ({"images": {"worker": ""}}, "worker"),
        ({"prometheus": {"url": "prometheus:9090"}}, "url"),
        ({"store": {"bucket": "No Bucket"}}, "bucket"),
        ({"store": {"endpoint": "http://me:secret@s3"}}, "endpoint"),
        ({"tuning": {"windows": 1}}, "windows"),
        ({"jobs": {"memory": "99999999999T"}}, "memory"),
        ({"jobs": {"deadline": "0s"}}, "deadline"),
        ({"monitors": {"falseAlarmsPerYear": 0}}, "falseAlarmsPerYear"),
        ({"monitors": {"falseAlarmsPerYear": "0.0"}}, "falseAlarmsPerYear"),
        ({"monitors": {"falseAlarmsPerYear": "none"}}, "falseAlarmsPerYear"),
        ({"logLevel": "loud"}, "logLevel"),
        ({"namespaces": ["Team_A"]}, "namespaces"),
        ({"workers": 1000}, "workers"),
        ({"require": {"approvals": 11}}, "approvals"),
        ({"require": {"approval": 1}}, "approval"),
        ({"require": {"approvals": 1}, "approvals": {"enabled": False}}, "require needs approvals.enabled"),
        ({"routes": {"granted": [{"path": "public"}]}}, "path"),
        ({"routes": {"granted": [{}]}}, "granted"),
        ({"endpoints": {"allow": ["http://s3.example.com"]}}, "allow"),
        ({"endpoints": {"refuse": ["10.0.0.0/28/4"]}}, "refuse"),
        ({"endpoints": {"insecure": ["http://registry.local:5000"]}}, "insecure"),
        ({"identity": {"namespaces": ["*.shop"]}}, "namespaces"),
        ({"metrics": {"dashboards": {"gpuHour": -1}}}, "gpuHour"),
        ({"metrics": {"dashboards": {"gpuHour": "2,50"}}}, "gpuHour"),
        ({"prometheus": {"runbooks": ""}}, "runbooks"),
        ({"prometheus": {"runbooks": "https://docs.example/{{ $value }}"}}, "runbooks"),
        ({"prometheus": {"runbooks": "docs #1"}}, "runbooks"),
    ],
)
def test_wrong_values_are_refused_by_name(values: Json, expected: str) -> None:
    done = helm("template", str(CHART), "--kube-version", "1.35.0", "--values", "-", values=values, check=False)
    assert done.returncode != 0
    assert expected in done.stderr


@pytest.mark.parametrize("given", [4, 0.5, "0.5", "0.05", "12"])
def test_a_number_may_be_given_as_helms_set_gives_it(given: float | str) -> None:
    """A fraction comes as a text."""
    found = one(render({"monitors": {"falseAlarmsPerYear": given}}), "ConfigMap")
    config = OperatorConfig.model_validate(yaml.safe_load(found["data"]["config.yaml"]))
    assert config.monitors.false_alarms_per_year == float(given)


@pytest.mark.parametrize("base", ["@docs", "docs:", "*", "!docs", "%docs", "https://docs.example/a?ref=main"])
def test_where_docs_are_read_is_text_whatever_it_begins_with(base: str) -> None:
    found = render({"prometheus": {"runbooks": base}, "metrics": {"rules": {"enabled": True}}})
    (rules,) = [one for one in found if one["kind"] == "PrometheusRule"]
    links = [rule["annotations"]["runbook_url"] for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert links
    assert all(link.startswith(f"{base}/how-to/act-on-alerts.md#") for link in links)


def test_all_values_are_in_the_schema() -> None:
    def covered(values: Any, schema: Json, path: str) -> None:
        for key, value in values.items():
            assert key in schema["properties"], f"{path}{key}"
            below = schema["properties"][key]
            if isinstance(value, dict) and "properties" in below:
                covered(value, below, f"{path}{key}.")

    covered(yaml.safe_load((CHART / "values.yaml").read_text()),
            yaml.safe_load((CHART / "values.schema.json").read_text()), "")  # fmt: skip


def policies(objects: list[Json]) -> dict[str, str]:
    """Each policy's text, by name."""
    return {o["metadata"]["name"]: str(o["spec"]) for o in objects if o["kind"] == "ValidatingAdmissionPolicy"}


def test_four_eyes_each_policy_is_bound_and_goes_with_the_switch(plain: list[Json]) -> None:
    expected = {"fairlead-approvals", "fairlead-authors", "fairlead-floors", "fairlead-judgements", "fairlead-pods"}
    bound = [o for o in plain if o["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert set(policies(plain)) == expected == {o["spec"]["policyName"] for o in bound}
    assert all(o["spec"]["validationActions"] == ["Deny"] for o in bound)
    assert set(policies(render({"approvals": {"enabled": False}}))) == {"fairlead-pods"}


def test_four_eyes_the_operators_own_account_alone_names_others_as_authors() -> None:
    found = policies(render({"serviceAccount": {"name": "robot"}}))["fairlead-authors"]
    assert "request.userInfo.username == 'system:serviceaccount:fairlead-system:robot'" in found


def test_four_eyes_serviceaccounts_approve_only_where_a_value_says_so(plain: list[Json]) -> None:
    assert "system:serviceaccount:" in policies(plain)["fairlead-approvals"]
    allowed = policies(render({"approvals": {"serviceAccounts": True}}))["fairlead-approvals"]
    assert "system:serviceaccount:" not in allowed


def test_forged_evidence_who_makes_pods_is_a_value_and_the_policy_can_be_left_out() -> None:
    found = policies(render({"pods": {"makers": ["vc:syncer", "other"]}}))["fairlead-pods"]
    assert 'request.userInfo.username in ["vc:syncer","other"]' in found
    assert "fairlead-pods" not in policies(render({"pods": {"enabled": False}}))


def test_marks_of_serving_pods_are_allowed_by_values_and_must_have_a_domain() -> None:
    allowed = {"labels": {"allowed": ["example.com/"]}, "annotations": {"allowed": ["iam.example.com/role"]}}
    assert configuration(render({"pods": allowed})).pods.model_dump() == allowed
    assert configuration(render({})).pods == PodsConfig()
    with pytest.raises(subprocess.CalledProcessError):
        render({"pods": {"labels": {"allowed": ["team"]}}})


def test_dashboards_are_found_by_grafanas_sidecar(plain: list[Json], full: list[Json]) -> None:
    found = [o for o in full if o["kind"] == "ConfigMap" and "-dashboard-" in o["metadata"]["name"]]
    names = ("deployment", "models", "operator")
    assert [o["metadata"]["name"] for o in found] == [f"fairlead-dashboard-{name}" for name in names]
    for config in found:
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert config["metadata"]["annotations"] == {"grafana_folder": "Fairlead"}
        ((name, text),) = config["data"].items()
        assert price(text) in ("2.5", None)
        as_kept = text.replace('"query": "2.5"', '"query": "0"')
        assert as_kept.strip() == (CHART / "dashboards" / name.removeprefix("fairlead-")).read_text().strip()
    assert not [o for o in plain if "-dashboard-" in o["metadata"]["name"]]


def price(text: str) -> str | None:
    """The price at the top of a dashboard, if it has one."""
    choices = json.loads(text)["templating"]["list"]
    return next((one["query"] for one in choices if one["name"] == "price"), None)


def test_dashboards_know_no_price_unless_it_is_said() -> None:
    objects = render({"metrics": {"dashboards": {"enabled": True, "gpuHour": None}}})
    (text,) = one(objects, "ConfigMap", "fairlead-dashboard-deployment")["data"].values()
    assert price(text) == "0"
    for said in (2.5, "2.5"):  # helm's --set makes text of it
        objects = render({"metrics": {"dashboards": {"enabled": True, "gpuHour": said}}})
        (text,) = one(objects, "ConfigMap", "fairlead-dashboard-deployment")["data"].values()
        assert price(text) == "2.5"
