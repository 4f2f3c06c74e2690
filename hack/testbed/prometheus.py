"""What the stack's Prometheus says."""

from __future__ import annotations

import json
import time
from typing import Any

from hack.testbed.cluster import Team

PROXY = "/api/v1/namespaces/monitoring/services/prometheus:web/proxy/api/v1/query"
EVERY = 1.0
"""Seconds between questions: Prometheus has no watch."""


def query(team: Team, expression: str) -> list[dict[str, Any]]:
    """An instant query, asked through the API server: the series found."""
    answer = team.cluster.dynamic.request("get", PROXY, query_params=[("query", expression)], serialize=False)
    return list(json.loads(answer.data)["data"]["result"])


def wait_for_alert(team: Team, name: str, timeout: float) -> None:
    """Until an alert of the team's namespace fires."""
    deadline = time.monotonic() + timeout
    wanted = f'ALERTS{{alertname="{name}",namespace="{team.namespace}",alertstate="firing"}}'
    while not query(team, wanted):
        assert time.monotonic() < deadline, f"{name} does not fire within {timeout:.0f} s"
        time.sleep(EVERY)
