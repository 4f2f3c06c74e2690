"""`python -m fairlead.sdk.run module:function --name=value …`: a step, in its pod.

Its inputs lie below `$FAIRLEAD_IN`, its outputs go below `$FAIRLEAD_OUT`. If the function fails its own traceback is
the end of the log.
"""

from __future__ import annotations

import faulthandler
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairlead.sdk import values
from fairlead.sdk.errors import show
from fairlead.sdk.kinds import RETURNED, VALUE_BYTES, Port, Preview
from fairlead.sdk.steps import Signature, Step, prepare

INPUTS, OUTPUTS = "/fairlead/in", "/fairlead/out"
"""Where they are when the environment says nothing else."""
OK, FAILED, USAGE = 0, 1, 2


class Refused(Exception):  # noqa: N818 - what a person reads
    """Why the function is not run. (A user's own error is never one.)"""


def main(argv: Sequence[str]) -> int:
    """Run a step. Returns the exit code."""
    try:
        if not argv:
            raise Refused("which step? python -m fairlead.sdk.run module:function --name=value …")
        step = found(argv[0])
        given = arguments(step.signature, argv[1:])
        paths = ports(step.signature)
        returned = step.function(**paths, **given)
        return left(step.signature, paths) or keep(step.signature, returned)
    except Refused as refused:
        return _told(f"{argv[0] if argv else 'fairlead.sdk.run'}: {refused}", USAGE)
    except Exception as error:  # noqa: BLE001 - whatever it is, its traceback is shown, and the step has failed
        show(error)
        return FAILED


def _told(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr)
    return code


def found(target: str) -> Step:
    """The step that `module:function` names. Raises Refused, and whatever its module raises."""
    module, colon, name = target.partition(":")
    if not module or not colon or not name:
        raise Refused("a step is named by module:function")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise Refused(f"there is no module {error.name!r} in {os.getcwd()} or on PYTHONPATH: is it in the image, and "
                      "is that the working directory?") from None  # fmt: skip
    one = getattr(loaded, name, None)
    if not isinstance(one, Step):
        raise Refused(f"{name} is no step of {module}: it needs @fairlead.step")
    return one


def arguments(signature: Signature, given: Sequence[str]) -> dict[str, Any]:
    """Values by name, of arguments `--name=text` and `--name:=JSON`. Raises Refused."""
    read = dict[str, Any]()
    for one in given:
        name, equals, said = one.removeprefix("--").partition("=")
        as_json = name.endswith(":")
        name = name.removesuffix(":")
        if not one.startswith("--") or not equals:
            raise Refused(f"{one!r} is no --name=value")
        if name not in signature.params:
            raise Refused(f"there is no parameter {name!r}; there are {', '.join(signature.params) or 'none'}")
        try:
            wanted = signature.params[name]
            read[name] = values.from_json(said, wanted) if as_json else values.parse(said, wanted)
        except values.Unfit as error:
            raise Refused(f"--{name}: {error}") from None
    if lacking := [name for name in signature.params if name not in read and name not in signature.defaults]:
        raise Refused(f"it needs {', '.join(f'--{name}=…' for name in lacking)}")
    return read


def ports(signature: Signature) -> dict[str, Path]:
    """The paths of inputs and outputs; folders of outputs are made. Raises Refused for an input that is not there."""
    inputs = Path(os.environ.get("FAIRLEAD_IN") or INPUTS)
    paths = {name: (inputs if one.way == "in" else _outputs()) / name for name, one in signature.ports.items()}
    for name, one in signature.ports.items():
        if one.way == "out":
            prepare(paths[name], one)
        elif not paths[name].exists():
            raise Refused(f"the input {name!r} is not there, at {paths[name]}")
        elif one.kind is not None and not one.kind.folder:
            paths[name] = _file(name, paths[name])
    return paths


def _file(name: str, folder: Path) -> Path:
    """The one file of an input: it comes in a folder."""
    if folder.is_file():
        return folder
    files = [one for one in folder.iterdir() if one.is_file()]
    if len(files) != 1:
        raise Refused(
            f"the input {name!r} is one file, and there are {len(files)} files at {folder}; In[Dataset] is a folder"
        )
    return files[0]


def left(signature: Signature, paths: Mapping[str, Path]) -> int:
    """The exit code of a step that has ended: it must have left something at each output."""
    lacking = [
        f"{name} ({one}) at {paths[name]}" for name, one in signature.outputs.items() if not _left(one, paths[name])
    ]
    return _told(f"the step has ended, and has not written {', '.join(lacking)}", FAILED) if lacking else OK


def keep(signature: Signature, returned: Any) -> int:
    """Write what a step has returned, for the steps after it. Returns the exit code."""
    if signature.returned is None:
        if returned is not None:
            print("what the step has returned goes nowhere: annotate it, `-> float`", file=sys.stderr)
        return OK
    try:
        said = values.text(values.checked(returned, signature.returned))
    except values.Unfit as error:
        return _told(f"what the step has returned can't be kept: {error}", FAILED)
    try:
        body = said.encode()
    except UnicodeEncodeError as error:
        return _told(f"what the step has returned can't be kept: {error}", FAILED)
    if len(body) > VALUE_BYTES or any(ord(one) < 32 and one not in "\t\n" for one in said):
        return _told(f"what the step has returned has {len(body)} bytes, or control characters: a value is a text of "
                     f"at most {VALUE_BYTES}; leave it in an Out[File]", FAILED)  # fmt: skip
    _outputs().mkdir(parents=True, exist_ok=True)
    (_outputs() / RETURNED).write_bytes(body + b"\n")
    return OK


def _outputs() -> Path:
    return Path(os.environ.get("FAIRLEAD_OUT") or OUTPUTS)


def _left(one: Port, path: Path) -> bool:
    if one.kind is Preview and not path.exists():
        return any(other.name.startswith(f"{path.name}.") for other in path.parent.iterdir())
    return any(path.iterdir()) if path.is_dir() else path.exists()


def tell_at_once() -> None:
    """What is printed is in the log even if the process is killed a moment later, and a crash of native code says where
    in Python it was called."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    faulthandler.enable()


if __name__ == "__main__":
    tell_at_once()
    sys.exit(main(sys.argv[1:]))
