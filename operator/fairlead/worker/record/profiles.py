"""The profile, as the recorder has it: from the pod's own folder, else by a child process from the store."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.worker.record.bins import Get, NotHad

if TYPE_CHECKING:
    from fairlead.monitor.profile import Profile

SECONDS = 60.0
"""That the child may take."""
FINAL = ("BadTask", "DigestMismatch")
"""Reasons after which asking again does not help."""


def kept_in(folder: str) -> Path:
    """The profile's file in the pod."""
    return Path(folder) / "profile.json"


def getter(told: Mapping[str, Any], folder: str) -> Get:
    """Has the profile that the task names (`ProfileAt`); it is kept in `folder`, so that a recorder that starts again
    needs no store."""
    digest, kept = str(told["sha256"]), kept_in(folder)

    def get() -> Profile:
        from fairlead.monitor.profile import BadProfile, parse

        if not _there(kept, digest):
            _bring(kept)
        try:
            return parse(kept.read_bytes(), digest)
        except BadProfile as bad:
            raise NotHad("BadProfile", str(bad), final=True) from bad
        except OSError as error:
            raise NotHad("Unreadable", f"the profile can't be kept in the pod: {error}") from error

    return get


def _there(kept: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(kept.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _bring(to: Path) -> None:
    command = [sys.executable, "-m", "fairlead.worker.record.learnt", str(to)]
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        ended = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise NotHad("Unreachable", f"the store did not give the profile within {SECONDS:g} s") from None
    except OSError as error:
        raise NotHad("Unreadable", f"the profile can't be kept in the pod: {error}") from error
    if ended.returncode == 0:
        return
    try:
        said = json.loads(ended.stdout)
        reason, message = str(said["reason"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        reason, message = "Unreadable", ended.stderr.decode(errors="replace")[-300:].strip()
    raise NotHad(reason, message, final=reason in FINAL)
