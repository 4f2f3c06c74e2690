"""What a step's result can follow from, part by part, and the key: a digest of all parts.

A part is a name that people know and a text: the value's JSON if that is short, else its digest. The key is the digest
of exactly these, so where two keys differ a part does, and it can be named. Whatever a program can see of its pod is a
part, but for the run's own name and the number of the attempt (`FAIRLEAD_RUN`, `FAIRLEAD_ATTEMPT`), and how much CPU,
memory and time it gets. All parameters are, since a program can read all of them in `FAIRLEAD_PARAMS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fairlead.api import cached
from fairlead.api.answers import canonical
from fairlead.api.pipeline import Input, Step
from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.plan.pipeline import code, refs, template
from fairlead.plan.pipeline.types import registry as types

VERSION = 1
"""Of the way in which keys are made."""
SHORT = 96
"""Characters of a value that is kept as it is."""
_SHA256 = "sha256:"


@dataclass
class NotKeyable(Exception):  # noqa: N818 - the house's names of errors
    """Nobody can say what a step's result follows from; the message says why, and what to do."""

    message: str


def key(parts: dict[str, str]) -> str:
    """SHA-256 of the parts."""
    return hashlib.sha256(canonical({"key": VERSION, "parts": parts})).hexdigest()


def parts(step: Step, run: PipelineRunStatus, ran: str = "") -> dict[str, str]:
    """All of a step whose inputs are there. ran: the image of an attempt that has ended, with its digest. Raises
    NotKeyable."""
    if step.each is not None:
        raise NotKeyable("it runs for each item of a list, and what such steps leave is not taken from earlier runs")
    if why := types.own_run(step):
        raise NotKeyable(f"{why}, and is not taken from earlier ones")
    own = types.parts(step, run.template)
    found: dict[str, Any] = {
        "step": step.name,
        "format": cached.FORMAT,
        **{_nth("image", index): digest(image, run, ran) for index, image in enumerate(types.images(step))},
        **_code(run),
        **{f"param {name}": value for name, value in run.params.items()},
        **{f"input {name}": _input(source, run) for name, source in types.inputs(step).items()},
        **{f"output {name}": one.model_dump(mode="json", by_alias=True) for name, one in types.outputs(step).items()},
        **own,
    }
    said = refs.values(run)
    values = {f"value {ref}": said[ref] for value in own.values() for ref in _used(value) if ref in said}
    return {name: _text(value) for name, value in (found | values).items()}


def _used(value: Any) -> Iterator[str]:
    """Outputs of type `value` that texts are filled with."""
    if isinstance(value, str):
        yield from template.values(value)
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _used(one)


def _nth(word: str, index: int) -> str:
    return word if index == 0 else f"{word} {index + 1}"


def _text(value: Any) -> str:
    """A short value as JSON, a long one's digest; never the same for two values, since no JSON begins like a digest."""
    text = canonical(value)
    return text.decode() if len(text) <= SHORT else _SHA256 + hashlib.sha256(text).hexdigest()


def digest(image: str, run: PipelineRunStatus, ran: str) -> str:
    """`sha256:…` of an image. Raises NotKeyable."""
    for known in (image, run.images.get(image, ""), ran):
        found = known.rpartition("@")[2]
        if found.startswith(_SHA256):
            return found
    raise NotKeyable(
        f"nobody knows which image {image} means: write it with its digest, name@sha256:…, or let Fairlead ask its "
        "registry"
    )


def _code(run: PipelineRunStatus) -> dict[str, list[str]]:
    """All files of the commit are there to be read, in whichever folder the program begins."""
    git = code.git_of(run.template) if run.template else None
    return {"code": [run.commit, git.path]} if git else {}


def _input(source: Input, run: PipelineRunStatus) -> list[Any]:
    """What an input consists of, and whatever else is asked of it."""
    asked = source.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"dataset", "output", "after"})
    return [*_content(source, run), *([asked] if asked else [])]


def _content(source: Input, run: PipelineRunStatus) -> list[str]:
    """A version of a Dataset, or an output, with the name of its file where it is one."""
    if source.dataset:
        pinned = next(one for one in run.datasets if one.name == source.dataset)
        return ["version", pinned.digest]
    if source.after:
        wanted = (source.after.pipeline, source.after.output)
        taken = next(one.artifact for one in run.after if (one.pipeline, one.output) == wanted)
        return _bytes(taken.uri, taken.sha256)
    if (listed := _items(source, run)) is not None:
        return listed
    found = refs.output(run, source.output or "")
    return _bytes(found.uri, found.sha256)


def _items(source: Input, run: PipelineRunStatus) -> list[str] | None:
    """What a step with `each` has left, by the digest that its reader verifies; None: it is another's output."""
    name, output = refs.split(source.output or "")
    found = next((one.items for one in run.steps if one.name == name), None)
    if found is None:
        return None
    if source.item is not None or not found.digest:
        raise NotKeyable(f"it reads one item of what step {name} leaves, and only all of it together has a digest")
    return ["items", found.digest, output]


def _bytes(uri: str, sha256: str) -> list[str]:
    return ["folder", sha256] if uri.endswith("/") else ["file", sha256, PurePosixPath(uri).name]
