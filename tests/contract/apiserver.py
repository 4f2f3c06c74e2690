"""Requests to the real API server as this or that user, with its answers as plain JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kubernetes import client

Json = dict[str, Any]
GROUP = "/apis/fairlead.dev/v1alpha1"
PLURALS = {
    "Component": "components",
    "Dataset": "datasets",
    "Pipeline": "pipelines",
    "PipelineRun": "pipelineruns",
    "ModelVersion": "modelversions",
    "Deployment": "deployments",
}


@dataclass(frozen=True)
class Answer:
    """HTTP status and body."""

    code: int
    body: Json

    @property
    def ok(self) -> bool:
        """Whether the request was accepted."""
        return self.code < 400

    @property
    def message(self) -> str:
        """What the API server says, to a person."""
        return str(self.body.get("message", ""))


class ApiServer:
    """Requests with strict field validation, as `kubectl apply` sends them."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    def call(
        self, method: str, path: str, body: Any = None, *, user: str = "", dry: bool = False,
        content: str = "application/json", manager: str = "",
    ) -> Answer:  # fmt: skip
        """One request; with `user`, as that user by impersonation; `manager`: who sets fields by it."""
        query = [("fieldValidation", "Strict"), *([("dryRun", "All")] if dry else [])] if method != "GET" else []
        query += [("fieldManager", manager)] if manager else []
        headers = {"Content-Type": content, "Accept": "application/json"}
        if user:
            headers |= {"Impersonate-User": user, "Impersonate-Group": "system:authenticated"}
        request = self._api.param_serialize(
            method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        answer = self._api.call_api(*request)
        return Answer(answer.status, json.loads(answer.read() or b"{}"))

    def create(self, namespace: str, manifest: Json, *, user: str = "", dry: bool = False) -> Answer:
        """Make an object of one of Fairlead's kinds."""
        path = f"{GROUP}/namespaces/{namespace}/{PLURALS[manifest['kind']]}"
        return self.call("POST", path, manifest, user=user, dry=dry)

    def patch(self, namespace: str, plural: str, name: str, patch: Json, *, user: str = "") -> Answer:
        """Merge a patch into an object."""
        path = f"{GROUP}/namespaces/{namespace}/{plural}/{name}"
        return self.call("PATCH", path, patch, user=user, content="application/merge-patch+json")
