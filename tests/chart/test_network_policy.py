"""Whom the operator may be reached by, and where it may go."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chart.helm import Json, one, render

DNS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


def policy(**values: Any) -> Json:
    found: Json = one(render({"networkPolicy": {"enabled": True}, **values}), "NetworkPolicy")["spec"]
    return found


def ports(rules: list[Json]) -> list[int]:
    """Of the rules that let out to anybody."""
    return [port["port"] for rule in rules if "to" not in rule for port in rule["ports"]]


def test_it_goes_out_to_names_the_api_server_its_pods_and_the_store_only() -> None:
    found = policy()
    assert found["policyTypes"] == ["Ingress", "Egress"]
    assert found["egress"] == [
        {"ports": DNS},
        {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]},
        {"to": [{
            "podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "fairlead"}}, "namespaceSelector": {},
        }]},
        {"ports": [{"port": 443, "protocol": "TCP"}]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("", 443), ("http://s3.s3.svc:9000", 9000), ("https://s3.example", 443), ("http://s3.example", 80),
     ("https://s3.example:8443", 8443), ("http://[fd00::1]:9000", 9000), ("http://[fd00::9000]", 80)],
)  # fmt: skip
def test_the_store_is_reached_at_its_port(endpoint: str, port: int) -> None:
    assert ports(policy(store={"bucket": "models", "endpoint": endpoint})["egress"])[4:] == [port]


def test_prometheus_is_reached_at_its_port() -> None:
    assert ports(policy(prometheus={"url": "http://prometheus.monitoring.svc:9090/base"})["egress"])[5:] == [9090]
    assert ports(policy(prometheus={"url": "https://prometheus.example"})["egress"])[5:] == [443]


def test_with_a_list_of_namespaces_only_their_pods_are_reached() -> None:
    (rule,) = [rule for rule in policy(namespaces=["a", "b"])["egress"] if "to" in rule]
    wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}
    assert rule["to"][0]["namespaceSelector"] == {"matchExpressions": [wanted]}


def test_more_can_be_let_out_and_all_of_it_left_open() -> None:
    more = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 9000, "protocol": "TCP"}]}
    wanted = {"enabled": True, "egress": {"more": [more], "apiServerPorts": [8443]}}
    found = policy(networkPolicy=wanted)["egress"]
    assert found[-1] == more
    assert ports(found)[2] == 8443
    assert policy(networkPolicy={"enabled": True, "egress": {"enabled": False}})["policyTypes"] == ["Ingress"]
