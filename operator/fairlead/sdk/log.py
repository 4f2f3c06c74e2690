"""`log_metric`, `log_artifact`, `log_figure`: what a program says of itself, in a step and in a plain script.

A step's metrics are lines of JSON in `$FAIRLEAD_METRICS`, its artifacts are files in the folder `artifacts` beside it;
they are kept when the pod is gone. In a plain script both go to `./fairlead-out/`.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairlead.sdk.kinds import KEY

METRICS = "/fairlead/out/.fairlead/metrics.jsonl"
"""Where a step's metrics go when the environment says nothing else."""
PLAIN = "fairlead-out"
"""Folder of a plain script."""
METRICS_BYTES = 64 << 20
"""Of all metrics of a step: as much as is kept."""
ARTIFACT_BYTES, ALL_BYTES = 256 << 20, 1 << 30
"""Of one artifact, and of all of a step."""
ARTIFACTS = 64
"""Of a step."""
PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}){0,7}")
"""What an artifact may be called."""
SUFFIXES = (".png", ".svg", ".html")
"""Of figures."""
_LARGEST_STEP = (1 << 53) - 1
_saying = threading.Lock()
_said = False


def log_metric(name: str, value: Any, step: int | None = None) -> None:
    """Say a number: `log_metric("rmse", 23.1)`, `log_metric("loss", loss, step=epoch)`. Each call adds one; the last
    one of a name is what the run's status shows.

    Args:
        name: Letters, digits and `_`, at most 63.
        value: A finite number, or what float() makes one of.
        step: Counts up, for a curve.

    Threads and processes may call it at the same time. Raises ValueError for a number that is not finite and for a name
    or step that can't be, TypeError for what is no number.
    """
    if not isinstance(name, str) or not KEY.fullmatch(name):
        raise ValueError(f"{name!r} can't be the name of a metric: at most 63 of A-Z, a-z, 0-9 and _, no digit first")
    line: dict[str, Any] = {"name": name, "value": _number(name, value)}
    if step is not None:
        line["step"] = _step(name, step)
    _append(_folder() / "metrics.jsonl", json.dumps(line).encode() + b"\n")


def _number(name: str, value: Any) -> float | int:
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise TypeError(f"the metric {name} is {value!r}, and that is no number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"the metric {name} is {found}: only finite numbers can be compared; leave it out, or say why "
                         "it is so by another metric")  # fmt: skip
    return int(value) if isinstance(value, int) and abs(value) <= _LARGEST_STEP else found


def _step(name: str, step: Any) -> int:
    try:
        found = int(step.__index__())
    except AttributeError:
        raise TypeError(f"the step of the metric {name} is {step!r}, and that is no int") from None
    if not 0 <= found <= _LARGEST_STEP:
        raise ValueError(f"the step of the metric {name} is {found}; steps count from 0 to {_LARGEST_STEP}")
    return found


def _append(path: Path, line: bytes) -> None:
    """Add a line, as a whole, whoever else is adding one. Raises ValueError when there is too much already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.fstat(file).st_size + len(line) > METRICS_BYTES:
            raise ValueError(f"{path} would have more than {METRICS_BYTES >> 20} MiB: log fewer metrics, for example "
                             "one a hundred steps")  # fmt: skip
        if os.write(file, line) != len(line):
            raise OSError(f"{path} can't be written to its end: is the disk full?")
    finally:
        os.close(file)


def log_artifact(content: str | os.PathLike[str] | bytes, name: str | None = None) -> Path:
    """Keep a file beside the run: `log_artifact("errors.csv")`, `log_artifact(text.encode(), "notes.md")`. Returns
    where it is.

    Args:
        content: The path of a file, or bytes.
        name: As people find it, `tables/errors.csv`. Default: the file's own.

    What was logged under the name before is replaced. Raises ValueError for a name that can't be, for more than 256
    MiB, and for more than 64 artifacts or 1 GiB of them; FileNotFoundError and IsADirectoryError.
    """
    if isinstance(content, bytes):
        if name is None:
            raise ValueError('bytes need a name: log_artifact(…, name="notes.md")')
        if len(content) > ARTIFACT_BYTES:
            raise _too_large(name, len(content))
        with _kept(name) as path:
            path.write_bytes(content)
        return _artifacts() / name
    source = Path(content)
    name = source.name if name is None else name
    if source.is_dir():
        raise IsADirectoryError(f"{source} is a folder: log its files, or leave it as an output of the step")
    if (size := source.stat().st_size) > ARTIFACT_BYTES:
        raise _too_large(name, size)
    with _kept(name) as path:
        shutil.copyfile(source, path)
    return _artifacts() / name


def log_figure(figure: Any, name: str) -> Path:
    """Keep a picture: a figure or axes of matplotlib or seaborn, `matplotlib.pyplot` itself, a figure of plotly, a
    chart of altair. Returns where it is.

    Args:
        figure: It is drawn by its own method: savefig, write_html, write_image or save.
        name: With `.png`, `.svg` or `.html`; without: `.png` for what matplotlib draws, `.html` for all others.

    Raises TypeError for what can't be drawn so, ValueError as log_artifact does.
    """
    draw, usual = _drawing(figure)
    _check_name(name)
    if not name.endswith(SUFFIXES):
        name += usual
    suffix = name[name.rindex(".") :]
    with _kept(name, suffix) as path:
        draw(path, suffix)
    return _artifacts() / name


def _drawing(figure: Any) -> tuple[Callable[[Path, str], object], str]:
    """What draws a figure into a file, by its methods, and the suffix that suits it."""
    if not hasattr(figure, "savefig") and hasattr(getattr(figure, "figure", None), "savefig"):
        figure = figure.figure  # axes
    if hasattr(figure, "savefig"):
        return _matplotlib(figure), ".png"
    if hasattr(figure, "write_html"):
        return _plotly(figure), ".html"
    if hasattr(figure, "save"):
        return _altair(figure), ".html"
    raise TypeError(f"{type(figure).__name__} has none of savefig, write_html and save: write it to a file, and log "
                    "that by log_artifact")  # fmt: skip


def _matplotlib(figure: Any) -> Callable[[Path, str], object]:
    def draw(path: Path, suffix: str) -> None:
        if suffix == ".html":
            raise ValueError("matplotlib draws .png and .svg, no .html")
        figure.savefig(path, format=suffix[1:])

    return draw


def _plotly(figure: Any) -> Callable[[Path, str], object]:
    return lambda path, suffix: figure.write_html(str(path)) if suffix == ".html" else figure.write_image(str(path))


def _altair(figure: Any) -> Callable[[Path, str], object]:
    return lambda path, suffix: figure.save(str(path), format=suffix[1:])


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not PATH.fullmatch(name):
        raise ValueError(
            f"{name!r} can't be the name of an artifact: letters, digits, `_`, `-` and `.`, folders by `/`, no dot "
            "or dash first"
        )


@contextmanager
def _kept(name: str, suffix: str = "") -> Iterator[Path]:
    """A path to write to; when that went well, it becomes the artifact of this name, as a whole. Raises ValueError."""
    _check_name(name)
    folder = _artifacts()
    target = folder / name
    others = sum(1 for one in _files(folder) if one != target)
    if others >= ARTIFACTS:
        raise ValueError(f"{folder} has {others} artifacts already: pack what belongs together into one file")
    target.parent.mkdir(parents=True, exist_ok=True)
    # beside the folder of artifacts: what is half written is none
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as unfinished:
        path = Path(unfinished) / f"artifact{suffix}"
        yield path
        if (size := path.stat().st_size) > ARTIFACT_BYTES:
            raise _too_large(name, size)
        if size + sum(one.stat().st_size for one in _files(folder) if one != target) > ALL_BYTES:
            raise ValueError(
                f"with {name}, the artifacts of {folder} would have more than {ALL_BYTES >> 30} GiB: leave it as an "
                "output of the step, Out[File]"
            )
        os.replace(path, target)


def _files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


def _too_large(name: str, size: int) -> ValueError:
    return ValueError(f"{name} has {size >> 20} MiB, and {ARTIFACT_BYTES >> 20} MiB are kept at most: leave it as an "
                      "output of the step, Out[File]")  # fmt: skip


def _artifacts() -> Path:
    return _folder() / "artifacts"


def _folder() -> Path:
    """Where metrics and artifacts go: of the step, or of a plain script."""
    if named := os.environ.get("FAIRLEAD_METRICS"):
        return Path(named).parent
    if out := os.environ.get("FAIRLEAD_OUT"):
        return Path(out) / ".fairlead"
    if os.environ.get("FAIRLEAD_RUN"):
        return Path(METRICS).parent
    _say_once()
    return Path.cwd() / PLAIN


def _say_once() -> None:
    global _said
    with _saying:
        if not _said:
            _said = True
            print(f"fairlead: no step of a pipeline runs here; what is logged goes to ./{PLAIN}/", file=sys.stderr)
