"""A pipeline in Python, of which a pod gets this file."""

from __future__ import annotations

import fairlead
from fairlead import File, In, Out

WHERE = {"PYTHONPATH": "/app/package:/fairlead/in/code"}
"""Where the worker's image has `fairlead`, and where this file lies."""


@fairlead.step(cpu=0.05, env=WHERE)
def tell(code: In, note: Out[File], words: list[str], alpha: float) -> str:
    """Leave a note."""
    note.write_text(f"{words!r} {alpha!r} {sorted(one.name for one in code.iterdir())}")
    fairlead.log_metric("words", len(words))
    return words[0]


@fairlead.step(name="fails", cpu=0.05, env=WHERE)
def fails(code: In, note: In[File], word: str) -> None:
    """End as people's programs do."""
    raise LookupError(f"{word}: {note.read_text()} is not in {code.name}")


@fairlead.pipeline(name="in-python")
def in_python(alpha: float = 0.1) -> None:
    """`code` is this file, as a step that is no Python function leaves it."""
    code = fairlead.Dataset("code")
    told = tell(code, words=["$(HOME)", "{{x}}", "é"], alpha=alpha)
    fails(code, told.note, word=told.value)
