"""What tests and benchmarks on the real cluster need: a namespace of their own, S3, and waiting by watch."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError
from kubernetes import client, config, dynamic

from fairlead.store.layout import split
from hack.install.chart import NAMESPACE as OPERATOR_NAMESPACE
from hack.install.chart import environment

Json = dict[str, Any]
KINDS = {
    "dataset": ("fairlead.dev/v1alpha1", "Dataset"),
    "pipeline": ("fairlead.dev/v1alpha1", "Pipeline"),
    "pipelinerun": ("fairlead.dev/v1alpha1", "PipelineRun"),
    "modelversion": ("fairlead.dev/v1alpha1", "ModelVersion"),
    "deployment": ("fairlead.dev/v1alpha1", "Deployment"),
    "workload": ("apps/v1", "Deployment"),
    "replicaset": ("apps/v1", "ReplicaSet"),
    "job": ("batch/v1", "Job"),
    "pod": ("v1", "Pod"),
    "event": ("v1", "Event"),
    "secret": ("v1", "Secret"),
    "service": ("v1", "Service"),
    "endpointslice": ("discovery.k8s.io/v1", "EndpointSlice"),
    "namespace": ("v1", "Namespace"),
    "node": ("v1", "Node"),
    "gateway": ("gateway.networking.k8s.io/v1", "Gateway"),
    "prometheus": ("monitoring.coreos.com/v1", "Prometheus"),
    "grpcroute": ("gateway.networking.k8s.io/v1", "GRPCRoute"),
    "httproute": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    "prometheusrule": ("monitoring.coreos.com/v1", "PrometheusRule"),
    "configmap": ("v1", "ConfigMap"),
    "networkpolicy": ("networking.k8s.io/v1", "NetworkPolicy"),
    "lease": ("coordination.k8s.io/v1", "Lease"),
}
STORE_BUCKET = "fairlead"
LOG_LINES, LOG_BYTES = 3000, 1_000_000
"""What is read of a container's log, at most."""


class Cluster:
    """The API server, as an administrator sees it."""

    def __init__(self) -> None:
        kubeconfig = environment().get("KUBECONFIG", "")
        if not Path(kubeconfig).is_file():
            raise RuntimeError("no local cluster: run `python3 hack/cluster up` and `python -m hack.install` first")
        self.api = config.new_client_from_config(config_file=kubeconfig)

    @cached_property
    def dynamic(self) -> Any:
        """The dynamic client (discovery is cached)."""
        return dynamic.DynamicClient(self.api)

    def resource(self, kind: str) -> Any:
        """The resource of a short kind name."""
        api_version, name = KINDS[kind]
        return self.dynamic.resources.get(api_version=api_version, kind=name)

    def apply(self, manifest: Json) -> Json:
        """Server-side apply one manifest."""
        resource = self.dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        done = self.dynamic.server_side_apply(
            resource, body=manifest, name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace"), field_manager="tests", force_conflicts=True,
        )  # fmt: skip
        found: Json = done.to_dict()
        return found

    def get(self, kind: str, name: str, namespace: str) -> Json | None:
        """An object or None."""
        try:
            found: Json = self.resource(kind).get(name=name, namespace=namespace).to_dict()
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise
        return found

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """Objects by label selector."""
        found = self.resource(kind).get(namespace=namespace, label_selector=selector).to_dict()["items"]
        return list(found)

    def delete(self, kind: str, name: str, namespace: str) -> None:
        """Delete, whether or not it is there."""
        try:
            self.resource(kind).delete(name=name, namespace=namespace, body={"propagationPolicy": "Background"})
        except client.ApiException as error:
            if error.status != 404:
                raise

    def wait(
        self, kind: str, name: str, namespace: str, until: Callable[[Json], bool], timeout: float, what: str
    ) -> Json:
        """Watch an object until a predicate holds; fails showing its last state."""
        deadline, last = time.monotonic() + timeout, None
        while (left := deadline - time.monotonic()) > 0:
            stream = self.resource(kind).watch(namespace=namespace, name=name, timeout=max(1, int(left)))
            for event in stream:
                last = event["raw_object"]
                if until(last):
                    return last
                if time.monotonic() > deadline:
                    break
        state = yaml.safe_dump((last or {}).get("status"), allow_unicode=True)
        raise AssertionError(f"{kind} {namespace}/{name}: not {what} within {timeout:.0f} s; status:\n{state}")

    def log(self, namespace: str, pod: str, container: str, previous: bool = False) -> str:
        """The end of a container's log, or of the one before it in its place."""
        found = client.CoreV1Api(self.api).read_namespaced_pod_log(
            pod, namespace, container=container, previous=previous, tail_lines=LOG_LINES, limit_bytes=LOG_BYTES,
        )  # fmt: skip
        return str(found)

    def wait_none(self, kind: str, namespace: str, selector: str, timeout: float) -> None:
        """Watch until no object with these labels is left."""
        deadline = time.monotonic() + timeout
        while self.list(kind, namespace, selector):
            left = deadline - time.monotonic()
            assert left > 0, f"{kind} with {selector} are still there after {timeout:.0f} s"
            events = self.resource(kind).watch(namespace=namespace, label_selector=selector, timeout=max(1, int(left)))
            if any(event["type"] == "DELETED" and not self.list(kind, namespace, selector) for event in events):
                return


def condition(obj: Json, type_: str) -> Json:
    """A condition of an object; {} when it isn't there."""
    conditions = obj.get("status", {}).get("conditions", [])
    found: Json = next((c for c in conditions if c["type"] == type_), {})
    return found


@dataclass
class Team:
    """A namespace as a team has it: restricted pods, a secret for S3, a bucket, the operator allowed to poll."""

    cluster: Cluster
    namespace: str
    bucket: str
    keys: tuple[str, str]
    endpoint: str
    """As seen from this machine; pods use the Service's name."""
    extra: list[str] = field(default_factory=list)

    @cached_property
    def s3(self) -> Any:
        """A client of the store."""
        return boto3.client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id=self.keys[0], aws_secret_access_key=self.keys[1],
            region_name="us-east-1", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}),
        )  # fmt: skip

    def apply(self, manifest: str | Json) -> Json:
        """Apply a manifest into the namespace."""
        body = yaml.safe_load(manifest) if isinstance(manifest, str) else manifest
        body["metadata"]["namespace"] = self.namespace
        body.setdefault("apiVersion", "fairlead.dev/v1alpha1")
        return self.cluster.apply(body)

    def get(self, kind: str, name: str) -> Json | None:
        """An object of the namespace."""
        return self.cluster.get(kind, name, self.namespace)

    def wait(self, kind: str, name: str, until: Callable[[Json], bool], timeout: float, what: str) -> Json:
        """Wait for an object of the namespace."""
        return self.cluster.wait(kind, name, self.namespace, until, timeout, what)

    def wait_condition(
        self, kind: str, name: str, type_: str, status: str, reason: str = "", timeout: float = 90
    ) -> Json:
        """Wait for a condition; the object."""

        def holds(obj: Json) -> bool:
            found = condition(obj, type_)
            return found.get("status") == status and reason in ("", found.get("reason"))

        return self.wait(kind, name, holds, timeout, f"{type_}={status} {reason}".strip())

    def read(self, uri: str) -> bytes:
        """What lies at `s3://bucket/key`."""
        bucket, key = split(uri)
        return bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def secret(self, name: str, key: str, secret: str) -> None:
        """An S3 Secret."""
        self.apply({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret},
        })  # fmt: skip


def root_keys(cluster: Cluster) -> tuple[str, str]:
    """The local store's root credentials."""
    data = cluster.get("secret", "root-credentials", "s3")
    assert data, "Secret s3/root-credentials is missing: run `python3 hack/cluster up`"
    key, secret = (base64.b64decode(data["data"][k]).decode() for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    return key, secret


def make_team(cluster: Cluster, name: str) -> Team:
    """A namespace with all that a team needs."""
    cluster.apply({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    })  # fmt: skip
    service = cluster.get("service", "s3", "s3")
    assert service, "Service s3/s3 is missing: run `python3 hack/cluster up`"
    team = Team(cluster, name, name, root_keys(cluster), f"http://{service['spec']['clusterIP']}:9000")
    team.secret("s3", *team.keys)
    team.apply({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "fairlead-credentials-reader"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fairlead-credentials-reader",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "fairlead", "namespace": OPERATOR_NAMESPACE}],
    })  # fmt: skip
    for bucket in (STORE_BUCKET, team.bucket):
        ensure_bucket(team.s3, bucket)
    return team


def ensure_bucket(s3: Any, bucket: str) -> None:
    """Make a bucket unless it is there."""
    if bucket in {b["Name"] for b in s3.list_buckets()["Buckets"]}:
        return
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:  # another test was faster
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
