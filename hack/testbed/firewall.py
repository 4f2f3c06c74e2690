"""Cutting a pod off from others, on the machine that it runs on. The local cluster's network enforces no
NetworkPolicies, so the packets are dropped in the pod's own network namespace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.testbed.cluster import Json


@contextmanager
def cut_off(pod: Json, sources: list[str]) -> Iterator[None]:
    """Packets from these addresses to the pod are dropped while the block runs. Raises RuntimeError for a pod that
    does not run on this machine."""
    pid = process_of(pod["metadata"]["uid"])
    rules = [["INPUT", "-s", source, "-j", "DROP"] for source in sources]
    for rule in rules:
        _iptables(pid, "-I", rule)
    try:
        yield
    finally:
        for rule in rules:
            _iptables(pid, "-D", rule)


def process_of(uid: str) -> int:
    """A process of a pod."""
    return processes_of(uid)[0]


def processes_of(uid: str) -> list[int]:
    """All processes of a pod."""
    pids = []
    for found in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if f"pod{uid}" in found.read_text():
                pids.append(int(found.parent.name))
        except OSError:
            continue  # it has ended meanwhile
    if not pids:
        raise RuntimeError(f"pod {uid} has no process on this machine: such a test needs the local cluster and root")
    return pids


def _iptables(pid: int, verb: str, rule: list[str]) -> None:
    chain, *rest = rule
    command = ["nsenter", "-t", str(pid), "-n", "iptables", "-w", verb, chain, *rest]
    subprocess.run(command, check=True, capture_output=True, text=True)
