"""Containers and pods that pass the `restricted` Pod Security Standard: the one place where pods are shaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.api.common import Gpu, Placement, Resources
from fairlead.api.limits import SCRATCH_ENV
from fairlead.api.ownserver import ServerResources
from fairlead.api.schema import Model
from fairlead.api.tasks import CREDENTIALS, SECRETS, TASK_ENV
from fairlead.manifests.limits import Limits
from fairlead.manifests.meta import Json, short_hash

USER = 65532
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"
TMP = "/tmp"
WORKER_RESOURCES = Resources(cpu="50m")
"""Of a worker that is not in a Job: what it may use is the pod's matter."""


def resources(wanted: Resources) -> Json:
    """`resources` of a container. Memory and GPUs are request and limit alike; CPU is a request only, but for servers
    that set a limit."""
    limits: Json = {}
    if wanted.memory:
        limits["memory"] = wanted.memory
    if wanted.gpu:
        limits[wanted.gpu.requested] = str(wanted.gpu.count)
    requests = dict(limits)
    if wanted.cpu:
        requests["cpu"] = wanted.cpu
    if isinstance(wanted, ServerResources) and wanted.cpu_limit:
        limits["cpu"] = wanted.cpu_limit
    found: Json = {}
    if requests:
        found["requests"] = requests
    if limits:
        found["limits"] = limits
    return found


def _at_home(env: Mapping[str, str]) -> dict[str, str]:
    """With a HOME, first, unless its value asks for variables before it."""
    first = {} if "$(" in env.get("HOME", "") else {"HOME": TMP}
    return first | dict(env)


def env_list(env: Mapping[str, str]) -> list[Json]:
    """`env` of a container, in the mapping's order."""
    return [{"name": name, "value": value} for name, value in env.items()]


def literal(text: str) -> str:
    """A text that Kubernetes hands to the program as it is: it expands `$(NAME)` otherwise."""
    return text.replace("$", "$$")


def container(
    name: str,
    image: str,
    *,
    command: Sequence[str] = (),
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    wanted: Resources | None = None,
    mounts: Iterable[Json] = (),
    read_only_root: bool = True,
    **extra: Any,
) -> Json:
    """A container without privileges, with a `/tmp` of its own (also its HOME).

    `extra` is taken over as it is: ports, probes, lifecycle, restartPolicy (Kubernetes' own names).
    """
    # A /tmp that containers shared would let a user's program plant files for Fairlead's, which hold credentials.
    found: Json = {
        "name": name,
        "image": image,
        "env": env_list(_at_home(env or {})),
        "volumeMounts": [{"name": _tmp_volume(name), "mountPath": TMP}, *_unique(mounts, "mountPath")],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": read_only_root,
        },
    }
    if "@" in image:
        # pinned bytes need no second look; Kubernetes would ask the registry each time for `name:latest@sha256:…`
        found["imagePullPolicy"] = "IfNotPresent"
    if command:
        found["command"] = list(command)
    if args:
        found["args"] = list(args)
    needs = resources(wanted) if wanted else {}
    if needs:
        found["resources"] = needs
    return found | extra


def worker(
    name: str,
    image: str,
    verb: str,
    task: Model,
    *,
    credentials: Iterable[str | None] = (),
    mounts: Iterable[Json] = (),
    limits: Limits | None = None,
) -> Json:
    """A container of Fairlead's worker: `fairlead worker <verb>` with its task in the environment.

    `credentials` are names of Secrets (None is left out); the pod needs `credentials_volume` of each. `limits`: of
    containers in Jobs.
    """
    keys = [credentials_mount(secret) for secret in credentials if secret]
    made = container(
        name, image, command=["fairlead", "worker", verb],
        env={TASK_ENV: literal(task.model_dump_json(by_alias=True, exclude_none=True))},
        wanted=WORKER_RESOURCES, mounts=[*keys, *mounts],
    )  # fmt: skip
    if limits is None:
        return made
    if limits.scratch:
        bytes_ = {"resourceFieldRef": {"resource": "limits.ephemeral-storage"}}
        made["env"].append({"name": SCRATCH_ENV, "valueFrom": bytes_})
    return made | {"resources": limits.resources()}


def pod_spec(
    containers: Sequence[Json],
    *,
    init_containers: Sequence[Json] = (),
    volumes: Iterable[Json] = (),
    placement: Placement | None = None,
    gpu: Gpu | None = None,
    **extra: Any,
) -> Json:
    """A pod's spec. Each container's `/tmp` is added; volumes are taken once by name.

    `gpu.product` becomes a node selector. `extra` is taken over as it is: restartPolicy, activeDeadlineSeconds …
    """
    everyone = [*init_containers, *containers]
    tmp = [empty_dir(_tmp_volume(one["name"])) for one in everyone]
    found: Json = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(containers),
        "volumes": _unique([*tmp, *volumes], "name"),
    }
    if init_containers:
        found["initContainers"] = list(init_containers)
    return found | _placed(placement, gpu) | extra


def _placed(placement: Placement | None, gpu: Gpu | None) -> Json:
    found: Json = {}
    selector = dict(placement.node_selector) if placement else {}
    if gpu and gpu.product:
        selector[GPU_PRODUCT_LABEL] = gpu.product
    if selector:
        found["nodeSelector"] = selector
    if placement and placement.tolerations:
        found["tolerations"] = [t.model_dump(by_alias=True, exclude_none=True) for t in placement.tolerations]
    return found


def empty_dir(name: str) -> Json:
    """A volume that lives as long as the pod."""
    return {"name": name, "emptyDir": {}}


def mount(volume: str, path: str, *, read_only: bool = False) -> Json:
    """A volume mount."""
    return {"name": volume, "mountPath": path} | ({"readOnly": True} if read_only else {})


def credentials_path(secret: str) -> str:
    """Where a container finds the keys of a credentials Secret: `Access.credentials`."""
    return f"{CREDENTIALS}/{secret}"


def credentials_volume(secret: str) -> Json:
    """The volume of a credentials Secret of the namespace."""
    return _secret_volume("credentials", secret)


def credentials_mount(secret: str) -> Json:
    """Mounts `credentials_volume` at `credentials_path`."""
    return mount(credentials_volume(secret)["name"], credentials_path(secret), read_only=True)


def secret_volume(secret: str) -> Json:
    """The volume of a Secret that a user's program reads."""
    return _secret_volume("secret", secret)


def secret_mount(secret: str) -> Json:
    """Mounts `secret_volume` at `/fairlead/secrets/<name>`."""
    return mount(secret_volume(secret)["name"], f"{SECRETS}/{secret}", read_only=True)


def _secret_volume(prefix: str, secret: str) -> Json:
    return {"name": f"{prefix}-{short_hash(secret)}", "secret": {"secretName": secret, "defaultMode": 0o440}}


def _tmp_volume(container_name: str) -> str:
    return f"tmp-{container_name}"[:63]


def _unique(items: Iterable[Json], key: str) -> list[Json]:
    return list({item[key]: item for item in items}.values())
