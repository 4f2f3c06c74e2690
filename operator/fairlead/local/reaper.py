"""Runs a program, and ends with all that it has started, also with what has made a session of its own (`setsid`).

A script of its own, of which nothing else is loaded: the kernel (Linux) hands orphans to the nearest ancestor that asks
for them, and only a process that is the ancestor of one program knows whose they are. It is of the program's process
group, and SIGTERM is no matter to it; SIGUSR1 ends all at once. Its exit code is the program's, as shells give it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NoReturn

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of shells for what can't be started."""
ALL = signal.SIGUSR1
"""Ends all at once."""
_PATIENCE = 5.0
"""Seconds until what can't be killed (a program of another user, one that hangs in the kernel) is given up."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_HANDLED = {signal.SIGTERM, ALL}


def main(words: Sequence[str]) -> int:
    """Run it to its end."""
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    child = os.fork()
    if child == 0:
        _become(words)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    signal.signal(ALL, lambda _number, _frame: _kill())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    ended, status = 0, 0
    while ended != child:  # others are orphans
        ended, status = os.waitpid(-1, 0)
    _end()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(words: Sequence[str]) -> NoReturn:
    """The program; it ends if this process is killed."""
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    try:
        os.execvp(words[0], list(words))
    except OSError as error:
        os.write(1, f"{words[0]}: {error.strerror}\n".encode())
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _end() -> None:
    """End what is left, until nothing is: the children of what was killed come here."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    with suppress(ChildProcessError, KeyboardInterrupt):
        while True:
            _kill()
            os.waitpid(-1, 0)


def _kill() -> None:
    for pid in _children():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _children() -> Iterator[int]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            parent = int(file.read().rpartition(b")")[2].split()[1])  # the program's name may have brackets
            if parent == os.getpid():
                yield int(name)


def _control(option: int, value: int) -> None:
    """Where the kernel refuses it, what leaves its group is not ended."""
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
