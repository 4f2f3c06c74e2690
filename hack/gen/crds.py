"""CustomResourceDefinitions from the models: `crds/*.yaml`."""

from __future__ import annotations

import json
from pathlib import Path

from fairlead.api.common import GROUP, VERSION
from fairlead.api.halves import MARK
from fairlead.api.kinds import KINDS, NAME_RULE, Column, KindInfo
from hack.gen.files import HEADER, DenseDumper, to_yaml
from hack.gen.structural import KEPT, ORDER, Node, plain, schema_of

CATEGORY = "fairlead"
FOLDERS = ("crds", "charts/fairlead/files/crds")
COPIES = ("template",)
"""Members of a status that repeat a spec."""


def definition(info: KindInfo) -> Node:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{info.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": info.kind,
                "listKind": f"{info.kind}List",
                "plural": info.plural,
                "singular": info.kind.lower(),
                "shortNames": [info.short],
                "categories": [CATEGORY],
            },
            "versions": [version(info)],
        },
    }


def version(info: KindInfo) -> Node:
    """The one version, served and stored."""
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": subresources(info),
        "selectableFields": [{"jsonPath": path} for path in info.selectable],
        "additionalPrinterColumns": [printed(column) for column in info.columns],
        "schema": {"openAPIV3Schema": root(info)},
    }


def subresources(info: KindInfo) -> Node:
    """The parts of an object that are written by their own addresses."""
    if info.scale is None:
        return {"status": {}}
    paths = {"specReplicasPath": info.scale.wanted, "statusReplicasPath": info.scale.there}
    return {"status": {}, "scale": paths | {"labelSelectorPath": info.scale.selector}}


def printed(column: Column) -> Node:
    """A column of `kubectl get`; wide ones have priority 1."""
    shown = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return shown | ({"priority": 1} if column.wide else {})


def root(info: KindInfo) -> Node:
    """The schema of a whole object."""
    schema = schema_of(info.model)
    return {
        "description": schema["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": undefaulted(schema["properties"]["spec"]),
            "status": status(schema["properties"]["status"]),
        },
        **NAME_RULE,
    }


def undefaulted(node: Node, *, listed: bool = False) -> Node:
    """A spec's schema without defaults inside of lists. What the API server adds to an item makes the whole list
    another one than was applied: kubectl sends it again each time, and whoever compares with git sees a difference. The
    operator knows what is meant when it reads it; here it is said in words."""
    out = {key: value for key, value in node.items() if not (listed and key == "default")}
    if listed and node.get("default", {}) != {}:
        said = str(json.dumps(node["default"])).strip('"')
        out["description"] = f"{node.get('description', '')} Default: `{said}`.".strip()
    if "properties" in node:
        out["properties"] = {name: undefaulted(child, listed=listed) for name, child in node["properties"].items()}
    if "items" in node:
        out["items"] = undefaulted(node["items"], listed=True)
    if "additionalProperties" in node:
        out["additionalProperties"] = undefaulted(node["additionalProperties"], listed=listed)
    return {key: out[key] for key in ORDER if key in out}


def status(schema: Node) -> Node:
    """The status's schema, without what only serves people who write. Its fields are explained here, what lies below
    them in the reference: the words of a Deployment's status would be half of its definition."""
    out = plain(told(schema), described=True)
    out["properties"] = {
        name: plain(node, described=False) | {key: node[key] for key in ("description",) if key in node}
        for name, node in out["properties"].items()
    }
    for name in COPIES:
        if name in out["properties"]:
            out["properties"][name] = plain(schema["properties"][name], described=False)
    return whole(out)


def told(schema: Node) -> Node:
    """A status's schema with what Fairlead writes for itself in one member, `record`, as it is."""
    found = _told(schema)
    if found == schema:
        return schema
    return found | {"properties": found["properties"] | {"record": RECORD}}


RECORD: Node = {
    "description": "What Fairlead writes for itself: state of tests, how far counters have been read, lines of "
    "evidence that wait for the store. Its form may change with each release; `version` says which one it is.",
    "type": "object",
    KEPT: True,
}


def _told(node: Node) -> Node:
    """Without Fairlead's own fields. Where there were some, unknown ones are kept: an operator of a release without
    records writes them there, while the definitions are newer than itself."""
    found = dict(node)
    if "items" in node:
        found["items"] = _told(node["items"])
    if "properties" in node:
        left = {name: _told(child) for name, child in node["properties"].items() if MARK not in child}
        found["properties"] = left
        if len(left) < len(node["properties"]):
            found[KEPT] = True
            if "required" in node:
                found["required"] = [name for name in node["required"] if name in left]
    return found


def whole(schema: Node) -> Node:
    """A status as one piece: one writer replaces it, and nobody needs to know who owns which of its fields. The API
    server compares, validates and keeps it with a third less work so."""
    conditions = schema["properties"]["conditions"]
    parts = {name: _unkeyed(node) for name, node in schema["properties"].items()} | {"conditions": conditions}
    return schema | {"properties": parts, "x-kubernetes-map-type": "atomic"}


def _unkeyed(node: Node) -> Node:
    """Without lists whose items are told apart by their keys."""
    found = {
        name: {key: _unkeyed(child) for key, child in value.items()} if name == "properties"
        else _unkeyed(value) if name in ("items", "additionalProperties") and isinstance(value, dict) else value
        for name, value in node.items() if name != "x-kubernetes-list-map-keys"
    }  # fmt: skip
    return found | ({"x-kubernetes-list-type": "atomic"} if "x-kubernetes-list-map-keys" in node else {})


def sizes() -> str:
    """How large each file is, in words."""
    found = {path: len(text.encode()) for path, text in files().items() if path.startswith(FOLDERS[0])}
    return ", ".join(f"{Path(path).stem} {size / 1000:.1f} kB" for path, size in found.items())


def files() -> dict[str, str]:
    """Text by path: for kubectl, and the same for the chart."""
    texts = {f"{info.plural}.yaml": HEADER + to_yaml(definition(info), DenseDumper) for info in KINDS}
    return {f"{folder}/{name}": text for folder in FOLDERS for name, text in texts.items()}
