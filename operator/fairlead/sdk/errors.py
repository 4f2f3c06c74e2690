"""An error as the person should see it who wrote the step: from where their own code begins."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import TracebackType

from fairlead.sdk.mistakes import Mistake

_OURS = (f"{Path(__file__).parents[1]}{os.sep}", f"{Path(importlib.__file__).parent}{os.sep}", "<frozen importlib")


def show(error: BaseException) -> None:
    """Its traceback on standard error, without Fairlead's part at its beginning; of a Mistake also without that at
    its end, so that its last line of code is the one to be changed."""
    sys.stdout.flush()
    began = _theirs(error.__traceback__)
    if isinstance(error, Mistake):
        if began is None:
            print(f"error: {error}", file=sys.stderr)
            return
        _cut(began)
    sys.excepthook(type(error), error.with_traceback(began), began)


def _theirs(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and _ours(traceback):
        traceback = traceback.tb_next
    return traceback


def _cut(began: TracebackType) -> None:
    """End it where theirs ends."""
    last, one = began, began.tb_next
    while one is not None:
        last = last if _ours(one) else one
        one = one.tb_next
    last.tb_next = None


def _ours(traceback: TracebackType) -> bool:
    return traceback.tb_frame.f_code.co_filename.startswith(_OURS)
