"""What users saw and which alerts fired, as Prometheus and Alertmanager tell it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

from hack.demo.kube import Json, Kube
from hack.demo.narrate import seconds

PROMETHEUS = ("monitoring", "prometheus:web")
POINTS = 500
"""Points in time that a query over all of it is asked at."""
ALERTMANAGER = ("monitoring", "alertmanager:web")
Labels = dict[str, str]


@dataclass
class Users:
    """What users saw of one version."""

    codes: dict[str, int] = field(default_factory=dict)
    right: int = 0
    wrong: int = 0

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.codes.values())

    @property
    def failed(self) -> int:
        """Those without a good answer."""
        return self.requests - self.codes.get("200", 0)


class Numbers:
    """Queries over the time since the namespace was made."""

    def __init__(self, cluster: Kube, namespace: str) -> None:
        self._cluster, self.namespace = cluster, namespace
        made = cluster.get("namespace", namespace) or {}
        self._since = seconds(made["metadata"]["creationTimestamp"]) if made else time.time()

    def query(self, expression: str) -> list[tuple[Labels, float]]:
        """An instant query: labels and values."""
        answer = self._cluster.service(*PROMETHEUS, "api/v1/query", query=expression)
        return [(dict(item["metric"]), float(item["value"][1])) for item in answer["data"]["result"]]

    def ever(self, expression: str) -> bool:
        """Whether a query has found a value at any time since then."""
        now = time.time()
        when = {"start": str(self._since), "end": str(now), "step": str(round(max(5.0, (now - self._since) / POINTS)))}
        answer = self._cluster.service(*PROMETHEUS, "api/v1/query_range", query=expression, **when)
        return any(value != "NaN" for item in answer["data"]["result"] for _, value in item["values"])

    def peak(self, metric: str, by: str, **labels: str) -> list[tuple[Labels, float]]:
        """The highest value that each of a counter's series had, added up over pods."""
        chosen = ",".join(f'{name}="{value}"' for name, value in ({"namespace": self.namespace} | labels).items())
        window = max(60, int(time.time() - self._since))
        return self.query(f"sum by ({by}) (max_over_time({metric}{{{chosen}}}[{window}s]))")

    def users(self) -> dict[str, Users]:
        """What users saw, by version."""
        found: dict[str, Users] = defaultdict(Users)
        for labels, value in self.peak("app_requests_total", "version,code"):
            found[labels["version"]].codes[labels["code"]] = round(value)
        for labels, value in self.peak("flight_outcomes_total", "version,right"):
            side = "right" if labels["right"] == "true" else "wrong"
            setattr(found[labels["version"]], side, round(value))
        return dict(found)

    def rules(self) -> list[str]:
        """Names of the alert rules that Prometheus has loaded for the namespace."""
        groups = self._cluster.service(*PROMETHEUS, "api/v1/rules", type="alert")["data"]["groups"]
        return sorted({str(rule["name"]) for group in groups for rule in group["rules"] if self._ours(rule)})

    def _ours(self, rule: Json) -> bool:
        return f'namespace="{self.namespace}"' in rule["query"].replace(" ", "") or (
            rule.get("labels", {}).get("namespace") == self.namespace
        )

    def fired(self) -> dict[str, int]:
        """How often each alert of the namespace has fired (in series that fired at least once)."""
        found = self.peak("ALERTS", "alertname,version", alertstate="firing")
        counted: dict[str, int] = defaultdict(int)
        for labels, _ in found:
            counted[labels["alertname"]] += 1
        return dict(counted)

    def at_alertmanager(self) -> list[Labels]:
        """Labels of the namespace's alerts that Alertmanager has now."""
        alerts = self._cluster.service(*ALERTMANAGER, "api/v2/alerts")
        return [dict(a["labels"]) for a in alerts if a["labels"].get("namespace") == self.namespace]
