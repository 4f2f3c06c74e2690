"""The definitions of kinds that run without a cluster, for `fairlead dev run`: what the API server would refuse."""

from __future__ import annotations

import json
from typing import Any

from fairlead.api.kinds import KINDS
from hack.gen import crds

PATH = "operator/fairlead/local/definitions.json"
KIND_NAMES = ("Component", "Dataset", "Pipeline")
RULES = "x-kubernetes-validations"


def wordless(node: Any) -> Any:
    """A schema without its descriptions; a field may be called so."""
    if isinstance(node, list):
        return [wordless(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {
        key: wordless(value) for key, value in node.items() if not (key == "description" and isinstance(value, str))
    }
    if "properties" in node:
        found["properties"] = {name: wordless(child) for name, child in node["properties"].items()}
    return found


def files() -> dict[str, str]:
    """Text by path."""
    found = {}
    for info in KINDS:
        if info.kind in KIND_NAMES:
            root = crds.root(info)
            found[info.kind] = {RULES: root[RULES], "spec": wordless(root["properties"]["spec"])}
    return {PATH: json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"}
