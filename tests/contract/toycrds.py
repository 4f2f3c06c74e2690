"""CustomResourceDefinitions of the toy kinds, for a real API server."""

from __future__ import annotations

from typing import Any

from fairlead.plan.core import Kind

CRD = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions")
NAMESPACE = Kind("v1", "Namespace", "namespaces")
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TOY_STATUS = {
    "type": "object",
    "properties": {
        "observedGeneration": {"type": "integer"},
        "phase": {"type": "string"},
        "message": {"type": "string"},
        "problem": {"type": "string"},
        "conditions": {"type": "array", "items": _OPEN},
        "attempt": {"type": "integer"},
        "job": {"type": "string"},
        "jobUid": {"type": "string"},
        "done": {"type": "boolean"},
        "asked": {"type": "string"},
        "windows": {"type": "array", "items": {"type": "number"}, "maxItems": 10},
        "lastWindowAt": {"type": "string", "maxLength": 40},
    },
}
_SPEC = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "maxLength": 16},
        "attempts": {"type": "integer"},
        "explode": {"type": "boolean"},
        "ask": {"type": "string"},
        "every": {"type": "number"},
    },
}


def crd(kind: str, plural: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """A definition in group test.fairlead.dev."""
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": schema}
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.kind,
        "metadata": {"name": f"{plural}.test.fairlead.dev"},
        "spec": {
            "group": "test.fairlead.dev",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }


CRDS = (crd("Toy", "toys", _SPEC, _TOY_STATUS), crd("Shelf", "shelves", _OPEN, _OPEN))
