"""What runs in the cluster besides Fairlead: gateway, monitoring, object store; every `up` repairs it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hack.cluster import assets, images
from hack.cluster.checks import Problem
from hack.cluster.kube import MANIFESTS, Kube, fill
from hack.cluster.parts import PARTS, Context, Part
from hack.cluster.progress import Progress
from hack.cluster.shell import ClusterError

RECORD = "fairlead-local"
RECORD_NAMESPACE = "kube-system"
INSTALLING = "installing"
Result = TypeVar("Result")
Unfit = Callable[[Sequence[str]], Sequence[Problem]]
"""From the names of parts that are another's to what does not fit about them."""


def version(part: Part, context: Context) -> str:
    """A hash of what the part is installed from."""
    digest = hashlib.sha256(repr((part.name, assets.MODULES.get(part.module))).encode())
    for name in part.manifests:
        digest.update(fill((MANIFESTS / name).read_text(), context.values()).encode())
    return digest.hexdigest()[:16]


def plan(part_version: str, recorded: str | None, exists: bool) -> str:
    """What to do with a part: `install`, `keep` (ours, as it should be), or `foreign` (another's: leave it alone)."""
    if recorded is None:
        return "foreign" if exists else "install"
    return "keep" if recorded == part_version and exists else "install"


def install(
    context: Context, progress: Progress, known_images: set[str] | None = None, unfit: Unfit = lambda _: []
) -> None:
    """Install what is absent or changed, wait for all that is ours.

    `known_images` are the images that a cluster of somebody else's has; None when ours are all there. `unfit` judges
    the parts that are another's: with a problem, and where images are lacking, nothing is installed at all.
    """
    record = read_record(context.kube)
    parts = [part for part in PARTS if known_images is None or not part.extra]
    wanted = {part.name: _wanted(part, context, record, known_images is not None) for part in parts}
    found = _at_once(lambda part: context.kube.ok("get", *part.probe), parts)
    todo = {
        part.name: plan(wanted[part.name], record.get(_key(part)), there)
        for part, there in zip(parts, found, strict=True)
    }
    refuse(todo, known_images, unfit([name for name, what in todo.items() if what == "foreign"]))
    for part in parts:
        if todo[part.name] == "foreign":
            progress.say(f"{part.name}: this cluster has its own; left as it is")
        elif todo[part.name] == "install":
            write_record(context.kube, record | {_key(part): INSTALLING})
            with progress.step(f"install {part.name}", part.expected):
                part.install(context)
            record[_key(part)] = wanted[part.name]
            write_record(context.kube, record)
    ours = [part for part in parts if _key(part) in record]
    with progress.step("wait for " + ", ".join(part.name for part in ours), 20):
        _at_once(lambda part: _wait(part, context), ours)


def _wanted(part: Part, context: Context, record: dict[str, str], somebodys: bool) -> str:
    """The version to have: in somebody's own cluster a part of ours that works is not changed."""
    recorded = record.get(_key(part))
    return recorded if somebodys and recorded not in (None, INSTALLING) else version(part, context)


def refuse(todo: dict[str, str], known_images: set[str] | None, problems: Sequence[Problem]) -> None:
    """Raise, before anything is changed, when parts can't be installed or another's don't fit."""
    lacking = [
        Problem(
            f"this cluster has no {part.name}, and not the images of ours: {', '.join(sorted(_references(part)))}",
            "install it by its own means, or load these images into every node and wait a minute",
        )
        for part in PARTS
        if todo.get(part.name) == "install" and known_images is not None and not _references(part) <= known_images
    ]
    if lacking or problems:
        lines = "\n".join(map(str, [*lacking, *problems]))
        raise ClusterError(f"the cluster is not ready for Fairlead; nothing was changed:\n{lines}")


def _at_once(function: Callable[[Part], Result], several: Sequence[Part]) -> list[Result]:
    """For all parts at the same time: each mostly waits for a kubectl."""
    with ThreadPoolExecutor(max_workers=len(PARTS)) as pool:
        return list(pool.map(function, several))


def _wait(part: Part, context: Context) -> None:
    try:
        part.wait(context)
    except ClusterError as error:
        raise ClusterError(f"{part.name} does not get ready: {error}\n{troubles(context.kube)}") from None


def troubles(kube: Kube) -> str:
    """Pods that are not ready, and why, as their containers say."""
    lines = []
    for pod in (kube.get("pods", "-A") or {"items": []})["items"]:
        status = pod["status"]
        for part in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            reason = part["state"].get("waiting") or part["state"].get("terminated") or {}
            if reason and reason.get("reason") != "Completed":
                where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']} {part['name']}"
                lines.append(f"  {where}: {reason.get('reason')} {reason.get('message', '')}".rstrip())
    return "\n".join(lines)


def _references(part: Part) -> set[str]:
    return {images.BY_IMAGE[name].reference for name in part.images}


def _key(part: Part) -> str:
    return part.name.lower().replace(" ", "-")


def read_record(kube: Kube) -> dict[str, str]:
    """What was installed by us, and from what."""
    found = kube.get("configmap", RECORD, "-n", RECORD_NAMESPACE)
    return dict(found.get("data") or {}) if found else {}


def write_record(kube: Kube, record: dict[str, str]) -> None:
    """Keep the record in the cluster itself."""
    meta = {"name": RECORD, "namespace": RECORD_NAMESPACE}
    kube.apply(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": record}))
