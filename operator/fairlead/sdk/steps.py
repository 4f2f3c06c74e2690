"""`@step`: a function with types as a step. Called outside of a pipeline it is that function."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from pathlib import Path
from typing import Any, get_type_hints, overload

from fairlead.sdk import recording, values
from fairlead.sdk.kinds import KEY, NAME, RETURNED, Port, port
from fairlead.sdk.mistakes import Mistake
from fairlead.sdk.modules import module_of

TAKEN = ("after", "needs", "name", "only", "outputs", "recording", "what")
"""What an output can't be called: attributes of a call are its outputs."""
COMMAND = ("python3", "-m", "fairlead.sdk.run")
"""What runs a step in its pod; the function's name follows."""
MANY = 32
"""Inputs, and outputs, of a step at most."""


@dataclass(frozen=True)
class Signature:
    """What a step's function takes, in its order."""

    ports: Mapping[str, Port]
    params: Mapping[str, Any]
    """Types of plain parameters."""
    defaults: Mapping[str, Any]
    returned: Any = None
    """Type of what it returns; None: nothing."""

    @property
    def outputs(self) -> dict[str, Port]:
        """What it leaves."""
        return {name: one for name, one in self.ports.items() if one.way == "out"}


@dataclass(frozen=True)
class Settings:
    """How a step runs, as a Pipeline's step has it."""

    name: str
    image: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """All the others, by their names in the Pipeline."""

    def changed(self, name: str | None, image: str | None, settings: Mapping[str, Any]) -> Settings:
        """These with others in their place. Raises Mistake."""
        more = step_fields(settings)
        if "resources" in more and "resources" in self.fields:
            more["resources"] = self.fields["resources"] | more["resources"]
        return Settings(step_name(name or self.name), image or self.image, {**self.fields, **more})


class Step:
    """A function that can run as a step of a pipeline."""

    def __init__(self, function: Callable[..., Any], settings: Settings, signature: Signature) -> None:
        self.function, self.settings, self.signature = function, settings, signature
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Within a pipeline: a step of it, whose outputs are attributes of what is returned. Elsewhere the function is
        run with these arguments, paths as text or as Path; folders of outputs are made."""
        described = recording.current()
        if described is not None:
            return described.call(self, args, kwargs)
        given = inspect.signature(self.function).bind(*args, **kwargs)
        for name, one in self.signature.ports.items():
            if name in given.arguments:
                given.arguments[name] = _ready(name, one, given.arguments[name])
        return self.function(*given.args, **given.kwargs)

    def options(self, *, name: str | None = None, image: str | None = None, **settings: Any) -> Step:
        """The same step with other settings, which are those of `step`, for one call:
        `train.options(name="train-large", memory="16Gi")(rows=…)`."""
        return Step(self.function, self.settings.changed(name, image, settings), self.signature)

    def program(self, image: str | None) -> dict[str, Any]:
        """What its pod runs. image: unless it names one. Raises Mistake."""
        found = self.settings.image or image
        if not found:
            raise Mistake(f'the step {self.settings.name!r} has no image: @fairlead.step(image="…"), or '
                          '@fairlead.pipeline(image="…") for all steps that name none')  # fmt: skip
        return {"image": found, "command": [*COMMAND, f"{module_of(self.function)}:{self.function.__name__}"]}

    def __repr__(self) -> str:
        return f"<fairlead.step {self.function.__module__}:{self.function.__qualname__}>"


@overload
def step(function: Callable[..., Any], /) -> Step: ...
@overload
def step(
    *,
    name: str | None = None,
    image: str | None = None,
    cpu: str | float | None = None,
    memory: str | None = None,
    gpu: int | Mapping[str, Any] | None = None,
    timeout: str | None = None,
    retry: int | Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Callable[[Callable[..., Any]], Step]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    image: str | None = None,
    cpu: str | float | None = None,
    memory: str | None = None,
    gpu: int | Mapping[str, Any] | None = None,
    timeout: str | None = None,
    retry: int | Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Any:
    """Make a function a step of pipelines.

    Its parameters say what it needs: `raw: In[Dataset]` is read, `features: Out[Dataset]` is written, everything else
    is a value: str, int, float, bool, list, dict, Literal, and one of these or None. What it returns, of one of these
    types and at most 1 KiB as a text, is its output `value`, for parameters of later steps.

    Args:
        name: Of the step. Default: the function's, with `-` for `_`.
        image: The container's. Default: the pipeline's.
        cpu: Cores: `2`, `0.5`, `"500m"`.
        memory: Bytes: `"8Gi"`.
        gpu: How many, or a mapping as in the Pipeline: `{"count": 1, "product": "A100"}`.
        timeout: Of an attempt: `"4h"`.
        retry: How often a failed attempt is repeated, or a mapping as in the Pipeline: `{"limit": 2, "backoff": "1m"}`.
        env: Plain variables, by name.
        fields: All other fields of a step, by their names in the Pipeline: `secrets=["wandb"]`, `cache=True`,
            `when="always"`, `if_=[…]`. They are checked when the pipeline is exported.

    Raises TypeError for a function that can't be a step.
    """

    settings = {"cpu": cpu, "memory": memory, "gpu": gpu, "timeout": timeout, "retry": retry, "env": env, **fields}
    found = step_fields(settings)

    def decorated(one: Callable[..., Any]) -> Step:
        called = getattr(one, "__name__", "").strip("_").replace("_", "-").lower()
        return Step(one, Settings(step_name(name or called), image, found), read(one))

    return decorated(function) if function is not None else decorated


def step_fields(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a Pipeline's step has them; what is None is not set. Raises Mistake for what is no setting."""
    if taken := {"needs", "inputs", "outputs", "command", "args"} & set(settings):
        raise Mistake(f"{', '.join(sorted(taken))} of a step follow from its function and from how it is called")
    found = {key: one for key, one in settings.items() if one is not None}
    resources = dict(found.pop("resources", {}))
    if "cpu" in found:
        resources["cpu"] = _cores(found.pop("cpu"))
    if "memory" in found:
        resources["memory"] = found.pop("memory")
    if "gpu" in found:
        resources["gpu"] = _counted("count", found.pop("gpu"))
    if "retry" in found:
        found["retry"] = _counted("limit", found["retry"])
    if "if_" in found:  # `if` is Python's own
        found["if"] = [_condition(one) for one in found.pop("if_")]
    return ({"resources": resources} if resources else {}) | found


def _condition(given: Mapping[str, Any]) -> dict[str, Any]:
    """One of `if`, with numbers as the texts that they are there."""
    return {key: values.text(one) if isinstance(one, int | float) else one for key, one in given.items()}


def _counted(word: str, given: Any) -> Any:
    return {word: given} if isinstance(given, int) else given


def _cores(cpu: Any) -> Any:
    return f"{cpu:g}" if isinstance(cpu, int | float) else cpu


def step_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Mistake(f"{name!r} can't be the name of a step: at most 63 of a-z, 0-9 and -; give another by name=")
    return name


def read(function: Callable[..., Any]) -> Signature:
    """What a function takes. Raises Mistake for one that can't be a step."""
    where = f"the step {getattr(function, '__name__', function)!r}"
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise Mistake(f"{where}: @fairlead.step stands before a plain function")
    if "<locals>" in function.__qualname__ or "." in function.__qualname__:
        raise Mistake(f"{where} is defined inside of something else: its pod finds functions of a module only")
    typed = hints(function, where)
    returned = _returned(where, typed.pop("return", type(None)))
    ports, params, defaults = dict[str, Port](), dict[str, Any](), dict[str, Any]()
    for name, one in inspect.signature(function).parameters.items():
        _named(where, name, one)
        if name not in typed:
            raise Mistake(f"{where}: {name} has no type; write {name}: int, or {name}: fairlead.In[fairlead.Dataset]")
        found = port(f"{where}: {name}", typed[name])
        if found is not None:
            ports[name] = found
        else:
            params[name] = plain(f"{where}: {name}", typed[name])
        if one.default is not one.empty:
            defaults[name] = default(f"{where}: {name}", one.default, found, typed[name])
    _few(where, ports)
    if returned is not None and RETURNED in ports:
        raise Mistake(f"{where}: what it returns is called {RETURNED!r}, and so is {ports[RETURNED]}: rename that one")
    return Signature(ports, params, defaults, returned)


def _returned(where: str, wanted: Any) -> Any:
    """The type of what a step returns; None: nothing."""
    if wanted is type(None):
        return None
    if type(None) in values.parts(wanted):
        raise Mistake(f"{where} may return None, and what it returns is a text, which can't say that")
    return plain(f"{where}: what it returns", wanted)


def hints(function: Callable[..., Any], where: str) -> dict[str, Any]:
    """The types of a function's parameters. Raises Mistake."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise Mistake(f"{where}: its types can't be read: {error}") from None


def _named(where: str, name: str, one: inspect.Parameter) -> None:
    if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
        raise Mistake(f"{where}: {one} can't be given by name; a step has named parameters only")
    if not KEY.fullmatch(name):
        raise Mistake(f"{where}: {name!r} can't be the name of a parameter: at most 63 of A-Z, a-z, 0-9 and _")


def _few(where: str, ports: Mapping[str, Port]) -> None:
    for way in ("in", "out"):
        if len([one for one in ports.values() if one.way == way]) > MANY:
            raise Mistake(f"{where} has more than {MANY} {way}puts")
    for name, one in ports.items():
        if one.way == "out" and name in TAKEN:
            raise Mistake(f"{where}: an output can't be called {name!r}; give it another name")


def plain(where: str, wanted: Any) -> Any:
    """The type of a plain parameter. Raises Mistake for one that no text can give."""
    if not values.known(wanted):
        raise Mistake(
            f"{where} has the type {values.word(wanted)}; there are str, int, float, bool, list, dict, Literal, one of "
            "these or None, and fairlead.In[…] and fairlead.Out[…]"
        )
    return wanted


def default(where: str, value: Any, found: Port | None, wanted: Any) -> Any:
    """A default, checked. Raises Mistake."""
    if found is not None:
        raise Mistake(f"{where} has a default; inputs and outputs have none")
    try:
        return values.checked(value, wanted)
    except values.Unfit as error:
        raise Mistake(f"{where}: its default {error}") from None


def _ready(name: str, one: Port, given: Any) -> Path:
    """A path as the function gets it in its pod."""
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"{name} is {one}: give it a path, not {given!r}")
    found = Path(given)
    if one.way == "out":
        prepare(found, one)
    return found


def prepare(path: Path, one: Port) -> None:
    """What is there before a step begins to write: a folder, or the folder of a file."""
    folder = path if one.kind is not None and one.kind.folder else path.parent
    folder.mkdir(parents=True, exist_ok=True)
