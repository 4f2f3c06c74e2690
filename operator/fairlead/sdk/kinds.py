"""What a step reads and leaves, as types of a function's parameters: `raw: In[Dataset]`, `model: Out[Model]`.

For a type checker both are paths. At run time they are `Annotated[Path, …]`, which `steps` reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from fairlead.sdk.mistakes import Mistake

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""What an object, or a step, may be called."""
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
"""What an input, an output, a parameter or a metric may be called."""


RETURNED = "value"
"""What the output is called that a step returns."""
VALUE_BYTES = 1024
"""Of what a step returns, as a text."""


class Kind:
    """What an artifact is. Its classes are the kinds that there are."""

    word = ""
    """As the Pipeline says it, `outputs.NAME.type`."""
    folder = True
    """It is a folder that is there before the step begins; otherwise a path at which the step writes one file."""


class Dataset(Kind):
    """A folder of files, mostly Parquet. With a name, a Dataset of the namespace: in a pipeline, `Dataset("flights")`
    is the version of it that a run has pinned."""

    word = "dataset"

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{name!r} can't be the name of a Dataset: at most 63 of a-z, 0-9 and -")
        self.name = name

    def __repr__(self) -> str:
        return f"fairlead.Dataset({self.name!r})"


class After:
    """What a run of another Pipeline has left: in a pipeline, `After("prepare", "train.model")` is an output of the run
    that has started this one, else of the newest that completed."""

    def __init__(self, pipeline: str, output: str) -> None:
        step, _, name = str(output).partition(".")
        if not isinstance(pipeline, str) or not NAME.fullmatch(pipeline):
            raise ValueError(f"{pipeline!r} can't be the name of a Pipeline: at most 63 of a-z, 0-9 and -")
        if not NAME.fullmatch(step) or not KEY.fullmatch(name):
            raise ValueError(f"{output!r} is no output of a step; write step.output")
        self.pipeline, self.output = pipeline, output

    def __repr__(self) -> str:
        return f"fairlead.After({self.pipeline!r}, {self.output!r})"


class Model(Kind):
    """A folder with a model's files, as the model server reads them."""

    word = "model"


class File(Kind):
    """One file."""

    word = "file"
    folder = False


class Preview(Kind):
    """One file for people to look at: a plot, a page, a table, a notebook. The path of an output has no suffix, and the
    file may have one: `figure.savefig(plot)`, `plot.with_suffix(".html").write_text(page)`."""

    word = "preview"
    folder = False


class Value(Kind):
    """What a step returns: a short text. It is no type of a parameter."""

    word = "value"
    folder = False


@dataclass(frozen=True)
class Port:
    """Where bytes go into a step, or out of it."""

    way: Literal["in", "out"]
    kind: type[Kind] | None
    """None: of any kind, as a folder."""

    def __str__(self) -> str:
        return f"{self.way.capitalize()}[{self.kind.__name__}]" if self.kind else self.way.capitalize()


T = TypeVar("T")

if TYPE_CHECKING:

    class In(Path, Generic[T]):
        """What a step reads."""

    class Out(Path, Generic[T]):
        """What a step leaves."""

else:

    class _Marker:
        """`In[Dataset]` is `Annotated[Path, Port]`."""

        way: Literal["in", "out"]

        def __class_getitem__(cls, kind: Any) -> Any:
            if not (isinstance(kind, type) and issubclass(kind, Kind) and kind not in (Kind, Value)):
                raise TypeError(f"{cls.__name__}[…] takes Dataset, Model, File or Preview, not {kind!r}")
            return Annotated[Path, Port(cls.way, kind)]

    class In(_Marker):
        """What a step reads: `In[Dataset]` and `In[Model]` are folders, `In[File]` and `In[Preview]` are files, all of
        them for reading only. `In` alone takes what any step has left, as a folder."""

        way = "in"

    class Out(_Marker):
        """What a step leaves: `Out[Dataset]` and `Out[Model]` are folders that are there already; `Out[File]` and
        `Out[Preview]` are paths of one file to be written."""

        way = "out"


def port(where: str, annotation: Any) -> Port | None:
    """What a parameter's type says of bytes; None if it is a plain value's. Raises Mistake."""
    if annotation is In:
        return Port("in", None)
    if annotation is Out:
        raise Mistake(f"{where}: Out needs a kind: Out[Dataset], Out[Model], Out[File] or Out[Preview]")
    found = [one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Port)]
    return found[0] if found else None
