"""Errors of the operating system in the house's words: is the disk full, can a name not be, did a connection break?"""

from __future__ import annotations

import errno
import os

from fairlead.api.fetching import TaskError
from fairlead.store import names

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NAME = {
    errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EILSEQ, errno.ELOOP, errno.EEXIST,
    errno.ENOTEMPTY,
}  # fmt: skip
_MODE = {errno.EACCES, errno.EPERM}


def failed(error: OSError) -> TaskError:
    """What to say of it, and whether another attempt may help."""
    where = names.shown(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else ""
    why = f"{where + ': ' if where else ''}{error.strerror or error}"
    if error.errno in _FULL:
        text = f"the pod's disk is full ({why}): raise resources.scratch, or give the node more ephemeral storage"
        return TaskError(reason="Unreachable", message=text, transient=True)
    if error.errno in _NAME:
        return TaskError(reason="BadData", message=f"no file can be kept by this name: {why}; rename it")
    if error.errno in _MODE:
        return TaskError(reason="BadData", message=f"a file may not be used: {why}; change its mode")
    text = f"input or output failed: {why}; see the pod's log. It is tried again"
    return TaskError(reason="Unreachable", message=text, transient=True)
