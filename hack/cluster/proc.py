"""Processes told apart by pid and start time, so that a recycled pid is never taken for one of ours."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster.settings import ENV_COMPONENT, ENV_STATE
from hack.cluster.shell import environment

PROC = Path("/proc")
SHIM = "containerd-shim"


@dataclass(frozen=True)
class Identity:
    """One process of this machine, in this boot."""

    pid: int
    started: int
    boot: str

    def alive(self) -> bool:
        """Whether just this process still runs."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.started

    def age(self) -> float:
        """Seconds since it started."""
        uptime = float((PROC / "uptime").read_text().split()[0])
        return max(0.0, uptime - self.started / os.sysconf("SC_CLK_TCK"))


def boot_id() -> str:
    """What distinguishes this boot of the machine from any other."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def parse_stat(text: str) -> tuple[str, int]:
    """State and start time (in clock ticks) from a /proc/PID/stat line; the name may hold blanks and brackets."""
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def start_ticks(pid: int) -> int | None:
    """When the process started; None when there is none or it is a zombie."""
    try:
        state, started = parse_stat((PROC / str(pid) / "stat").read_text())
    except (OSError, IndexError, ValueError):
        return None
    return None if state in "ZX" else started


def identify(pid: int) -> Identity | None:
    """The identity of a running process."""
    started = start_ticks(pid)
    return None if started is None else Identity(pid, started, boot_id())


def read_pid(path: Path) -> Identity | None:
    """What a pid file names, when it is whole."""
    try:
        return Identity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def spawn(name: str, argv: Sequence[str], *, state: Path, log: Path, pid_file: Path) -> Identity:
    """Start a process that outlives this one, and write its pid file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    marks = {ENV_STATE: str(state), ENV_COMPONENT: name}
    with log.open("ab") as out:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(marks),
            cwd="/",
            start_new_session=True,
        )
    process.returncode = 0  # It stays behind on purpose; no ResourceWarning.
    identity = identify(process.pid) or Identity(process.pid, -1, boot_id())
    pid_file.write_text(json.dumps(asdict(identity)))
    while identity.alive() and not _block(process.pid):
        os.sched_yield()  # the kernel tells of the new program a moment before it shows its environment, the mark
    return identity


def hurry(identity: Identity, nice: int) -> None:
    """Give a process's session this niceness. Where the kernel divides processors among sessions first (autogroups), a
    process's own counts only within its session."""
    with suppress(FileNotFoundError, ProcessLookupError):  # a kernel without them; a process that has ended
        (PROC / str(identity.pid) / "autogroup").write_text(str(nice))


def _block(pid: int) -> bytes:
    """A process's environment; empty if it is gone, or not there yet."""
    try:
        return (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""


def wait_gone(identity: Identity, timeout: float) -> bool:
    """Wait until the process is gone, on the kernel's own notice of it."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        if not identity.alive():
            return True
        return bool(select.select([handle], [], [], timeout)[0])
    finally:
        os.close(handle)


def stop(identity: Identity, grace: float = 10.0) -> None:
    """Ask the process to end; kill it when it doesn't."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if not identity.alive():
            return
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return
        if wait_gone(identity, patience):
            return


@dataclass(frozen=True)
class Marked:
    """A process that carries the mark of a local cluster."""

    identity: Identity
    state: Path
    component: str
    shim: bool


def marked() -> Iterator[Marked]:
    """All processes of all local clusters on this machine, found by the mark in their environment."""
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            block = (entry / "environ").read_bytes()
            name = (entry / "comm").read_text().strip()
        except OSError:
            continue
        found = parse_environ(block)
        identity = identify(int(entry.name)) if ENV_STATE in found else None
        if identity:
            component = found.get(ENV_COMPONENT, "?")
            yield Marked(identity, Path(found[ENV_STATE]), component, name.startswith(SHIM))


def parse_environ(block: bytes) -> dict[str, str]:
    """A /proc/PID/environ block as a mapping."""
    pairs = (item.partition("=") for item in block.decode(errors="replace").split("\0") if "=" in item)
    return {key: value for key, _, value in pairs}
