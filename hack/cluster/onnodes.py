"""Images that the nodes of somebody else's cluster report to have: pure, over the list of nodes as the API gives it."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

Json = dict[str, Any]
REPORTED = 50
"""How many images a kubelet reports at most, by default (nodeStatusMaxImages)."""
REPELLING = ("NoSchedule", "NoExecute")


def workers(nodes: Json) -> list[Json]:
    """The nodes that take any pod; all of them when each is cordoned or tainted."""
    items = nodes.get("items") or []
    return [node for node in items if _open(node.get("spec") or {})] or items


def _open(spec: Json) -> bool:
    tainted = any(taint.get("effect") in REPELLING for taint in spec.get("taints") or [])
    return not tainted and not spec.get("unschedulable")


def everywhere(nodes: Json) -> set[str]:
    """Names of the images that each node reports on which a pod may be put."""
    return _common({name for names in _entries(node) for name in names} for node in workers(nodes))


def usable(nodes: Json, reference: str, digest: str | None = None) -> str | None:
    """The reference by which pods find the image `NAME:TAG` on whatever node they are put; None when they can't.

    It carries `digest` when the nodes have just that one, else the digest that the name stands for on all of them, and
    none when they differ or report none. The kubelet looks for `NAME:TAG@DIGEST` as `NAME@DIGEST`.

    Where a node has pulled the same image from a registry, the reference is the one there: a kubelet remembers under
    which name it has pulled an image, and wants to pull it again for another one (Kubernetes 1.35, KEP 2535).
    """
    found = _named(nodes, reference, digest)
    if found is None:
        return None
    wanted = {found, pinned(found)}
    host = reference.partition("/")[0]
    pulled = {
        name
        for node in workers(nodes)
        for names in _entries(node)
        if wanted & set(names)
        for name in names
        if "@" in name and name.partition("/")[0] != host
    }
    return min(pulled) if pulled else found


def pinned(reference: str) -> str:
    """`NAME:TAG@DIGEST` as the kubelet looks for it: `NAME@DIGEST`."""
    named, at, digest = reference.partition("@")
    return f"{named.rpartition(':')[0]}@{digest}" if at else reference


def _named(nodes: Json, reference: str, digest: str | None) -> str | None:
    repository = reference.rpartition(":")[0]
    names = everywhere(nodes)
    if digest and f"{repository}@{digest}" in names:
        return f"{reference}@{digest}"
    if reference not in names:
        return None
    same = _common(
        {name for names in _entries(node) if reference in names for name in names if name.startswith(f"{repository}@")}
        for node in workers(nodes)
    )
    return f"{reference}@{min(same).rpartition('@')[2]}" if same else reference


def _entries(node: Json) -> Iterator[list[str]]:
    for entry in node.get("status", {}).get("images") or []:
        yield entry.get("names") or []


def _common(sets: Iterator[set[str]]) -> set[str]:
    found = list(sets)
    return reduce(set.__and__, found) if found else set()
