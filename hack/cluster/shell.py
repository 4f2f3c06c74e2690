"""Run programs: output into a log file, and an error that shows the end of it."""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

TAIL_LINES = 25
Word = str | Path


class ClusterError(Exception):
    """Something that the user should read, with what to do about it. Shown without a traceback."""


class CommandError(ClusterError):
    """A program failed."""

    def __init__(self, argv: Sequence[str], code: int, output: str, log: Path | None = None) -> None:
        where = f"\n  whole log: {log}" if log else ""
        super().__init__(f"`{' '.join(argv[:6])}` failed with status {code}:\n{indent(tail(output))}{where}")
        self.code = code
        self.output = output


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a text."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def indent(text: str) -> str:
    """The text, two spaces to the right."""
    return "\n".join("  " + line for line in text.splitlines())


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without the user's own cluster in it, plus `extra`."""
    env = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    return {**env, **(extra or {})}


def run(
    argv: Sequence[Word],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a short program and return its output; raise CommandError with stderr when it fails."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, env=environment(env), cwd=cwd, input=stdin, timeout=timeout, text=True, capture_output=True
        )
    except FileNotFoundError:
        raise ClusterError(f"the program {words[0]!r} was not found") from None
    except subprocess.TimeoutExpired as late:
        raise CommandError(words, 124, f"no end after {late.timeout} s") from None
    if check and done.returncode:
        raise CommandError(words, done.returncode, done.stderr or done.stdout)
    return done


class Logged:
    """A long program that writes into a log file; it can be stopped from another thread."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def run(
        self, argv: Sequence[Word], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Run to the end, appending all output to `log`."""
        words = [str(word) for word in argv]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            out.write(f"$ {' '.join(words)}\n".encode())
            out.flush()
            try:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment(env), cwd=cwd
                )
            except FileNotFoundError:
                raise ClusterError(f"the program {words[0]!r} was not found") from None
            with self._lock:
                self._processes.add(process)
            try:
                code = process.wait()
            finally:
                with self._lock:
                    self._processes.discard(process)
        if code:
            raise CommandError(words, code, log.read_text(errors="replace"), log)

    def stop(self) -> None:
        """End what still runs."""
        with self._lock:
            for process in self._processes:
                process.terminate()
