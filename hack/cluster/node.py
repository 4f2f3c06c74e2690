"""The node's processes as a whole: start what is missing, stop all, say how they are."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import cgroups, configs, fingerprints, mounts, network, pki, proc, waiting
from hack.cluster.components import BY_NAME, COMPONENTS, Component
from hack.cluster.progress import Progress
from hack.cluster.settings import RUNTIME_DIR, Paths
from hack.cluster.shell import ClusterError, tail

NICE = -10
"""Of an urgent component: it weighs as much as all pods together (`cgroups.CPU_SHARES`), and takes little."""
OWNER = RUNTIME_DIR / "owner"
STOP_ORDER = [component.name for component in reversed(COMPONENTS)]


@dataclass(frozen=True)
class Health:
    """How one component is."""

    name: str
    identity: proc.Identity | None
    ready: bool


def pid_file(where: Paths, name: str) -> Path:
    """Where a component's pid and start time lie."""
    return where.run / "pids" / f"{name}.json"


def log_file(where: Paths, name: str) -> Path:
    """Where a component's output goes."""
    return where.run / "log" / f"{name}.log"


def living(where: Paths, name: str) -> proc.Identity | None:
    """The component's process, when it runs."""
    identity = proc.read_pid(pid_file(where, name))
    return identity if identity and identity.alive() else None


def health(where: Paths) -> list[Health]:
    """How all components are, in the order in which they start."""
    found = ((component, living(where, component.name)) for component in COMPONENTS)
    return [Health(component.name, identity, bool(identity and component.ready())) for component, identity in found]


def start(where: Paths, pause_image: str, progress: Progress, on_api: Callable[[], None]) -> list[str]:
    """Start every component that doesn't run, wait until all are ready; the names of those that were started.

    `on_api` is called once the API server accepts connections, before the processes that need it are started.
    """
    _prepare(where, pause_image)
    outdated = [c for c in COMPONENTS if living(where, c.name) and fingerprints.stale(where, c)]
    missing = [c for c in COMPONENTS if c in outdated or not living(where, c.name)]
    if not missing:
        _await(where, COMPONENTS)
        return []
    with progress.step("start " + ", ".join(component.name for component in missing), 10):
        for component in reversed(outdated):
            _stop_one(where, component.name)
        ready = False
        for component in missing:
            _await(where, (BY_NAME[name] for name in component.needs))
            if "kube-apiserver" in component.needs and not ready:
                on_api()
                ready = True
            _spawn(where, component)
        _await(where, COMPONENTS)
    return [component.name for component in missing]


def _prepare(where: Paths, pause_image: str) -> None:
    where.run.mkdir(parents=True, exist_ok=True)
    RUNTIME_DIR.mkdir(parents=True, exist_ok=True)
    OWNER.write_text(str(where.state))
    network.ensure()
    cgroups.ensure()
    pki.ensure(where.pki)
    configs.write(where, pause_image)
    if not where.kubeconfig.exists():
        shutil.copyfile(where.pki / "admin.conf", where.kubeconfig)
        where.kubeconfig.chmod(0o600)


def _spawn(where: Paths, component: Component) -> None:
    name = component.name
    identity = proc.spawn(
        name,
        ["nice", "-n", str(NICE), *component.argv(where)] if component.urgent else component.argv(where),
        state=where.state,
        log=log_file(where, name),
        pid_file=pid_file(where, name),
    )
    if component.urgent:
        proc.hurry(identity, NICE)
    fingerprints.record(where, component)


def _await(where: Paths, components: Iterable[Component]) -> None:
    for component in components:

        def died(name: str = component.name) -> str | None:
            if living(where, name):
                return None
            log = log_file(where, name)
            end = tail(log.read_text(errors="replace"), 12) if log.exists() else ""
            return f"{name} ended soon after its start; the end of {log}:\n{end}"

        waiting.until(component.ready, f"{component.name} ready", timeout=component.timeout, stop=died)


def stop(where: Paths, progress: Progress) -> None:
    """Stop the components, kill all containers, unmount, and remove what was made in the kernel."""
    with progress.step("stop the cluster", 5):
        for name in STOP_ORDER:
            _stop_one(where, name)
        sweep(where.state)


def _stop_one(where: Paths, name: str) -> None:
    identity = living(where, name)
    if identity:
        proc.stop(identity)
    pid_file(where, name).unlink(missing_ok=True)


def sweep(state: Path) -> None:
    """Remove what a cluster of this state folder left in the kernel, its processes included."""
    for mark in list(proc.marked()):
        if mark.state == state:
            proc.stop(mark.identity, grace=2.0)
    cgroups.remove()
    mounts.unmount_below([state / "cluster", RUNTIME_DIR])
    network.remove()
    shutil.rmtree(RUNTIME_DIR, ignore_errors=True)


def delete_run_state(where: Paths, keep: tuple[str, ...] = ()) -> None:
    """Delete the run state, but for what `keep` names, once nothing is mounted there."""
    still = mounts.below([where.run])
    if still:
        raise ClusterError(f"still mounted, so nothing was deleted: {', '.join(map(str, still[:5]))}")
    for path in where.run.iterdir() if where.run.exists() else ():
        if path.name not in keep:
            _delete(path)
    if not keep and where.run.exists():
        where.run.rmdir()


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
    if path.exists():
        # A folder made immutable or busy: say which, rather than leave it half there in silence.
        left = subprocess.run(["find", os.fspath(path), "-maxdepth", "2"], text=True, capture_output=True).stdout
        raise ClusterError(f"could not delete {path}; left:\n{tail(left, 10)}")
