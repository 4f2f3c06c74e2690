"""Helm on the chart in this repository."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import yaml
from hack.install.chart import ROOT, environment

Json = dict[str, Any]
CHART = ROOT / "charts" / "fairlead"
EVERYTHING: Json = {
    "store": {
        "bucket": "models", "prefix": "a/", "endpoint": "http://s3.example:9000", "region": "eu-1",
        "credentials": {"name": "s3"},
    },
    "prometheus": {"url": "http://prometheus.example:9090", "labels": {"release": "stack"}},
    "tuning": {"window": 2, "drain": 5, "evidenceDeadline": 20, "monitors": 20},
    "routes": {"granted": [{"path": "/public/"}, {"host": "*.shop.example", "namespaces": ["shop"]}]},
    "endpoints": {"allow": ["s3.example.com", "*.stores.example", "10.7.0.0/16"], "refuse": ["fd00::/8", "10.0.0.3"],
                  "insecure": ["registry.local:5000"]},
    "identity": {"namespaces": ["shop"]},
    "pods": {"labels": {"allowed": ["example.com/team"]}},
    "workers": 4, "jobs": {"deadline": "30m", "memory": "8Gi", "scratch": "50Gi"},
    "monitors": {"falseAlarmsPerYear": 2.5},
    "require": {"approvals": 1, "gates": True, "notAuthor": True},
    "metrics": {
        "podMonitor": {"enabled": True}, "rules": {"enabled": True},
        "dashboards": {"enabled": True, "gpuHour": 2.5, "annotations": {"grafana_folder": "Fairlead"}},
    },
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example"}],
    "podLabels": {"team": "a"},
    "podAnnotations": {"note": "b"},
    "images": {"pullSecrets": [{"name": "registry"}]},
    "serviceAccount": {"annotations": {"role": "c"}},
}  # fmt: skip
"""Values that switch on all that the chart has."""


def helm(*words: str, values: Json | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run helm; `values` come on standard input when the words say `--values -`."""
    return subprocess.run(
        ["helm", *words], cwd=ROOT, env=environment(), input=json.dumps(values or {}), text=True, check=check,
        capture_output=True,
    )  # fmt: skip


def template(values: Json | None = None, namespace: str = "fairlead-system") -> str:
    """The rendered chart."""
    words = ("template", "fairlead", str(CHART), "--namespace", namespace, "--kube-version", "1.35.0", "--values", "-")
    return helm(*words, values=values).stdout


def render(values: Json | None = None) -> list[Json]:
    """The rendered objects."""
    return [found for found in yaml.load_all(template(values), yaml.CSafeLoader) if found]


def one(objects: list[Json], kind: str, name: str = "fairlead") -> Json:
    """The object of that kind and name."""
    return next(o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
