"""While a pipeline's function runs: which steps it calls, with what, and which models come of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin

from fairlead.sdk import values
from fairlead.sdk.handles import Call, OpenCall, Output, Param, Unknown
from fairlead.sdk.kinds import RETURNED, After, Dataset, Model, Port, Value
from fairlead.sdk.mistakes import Mistake

if TYPE_CHECKING:
    from fairlead.sdk.components import Component
    from fairlead.sdk.steps import Step

Json = dict[str, Any]
LONGEST = 4096
"""Characters of an argument, as Pipelines have them."""
_current: ContextVar[Recording | None] = ContextVar("fairlead_recording", default=None)


def current() -> Recording | None:
    """The pipeline that is being described here; None: none is."""
    return _current.get()


@dataclass(frozen=True)
class Made:
    """A step that was called."""

    step: Step | Component
    call: Call
    values: Json
    """What its program is told: `args`, or `params`."""
    inputs: Json
    given: list[Any]
    """Values of its parameters."""


class Recording:
    """What a pipeline's function has done so far."""

    def __init__(self, image: str | None) -> None:
        self.image = image
        """Of steps that name none."""
        self.made: dict[str, Made] = {}
        self.produced: list[Json] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within, steps that are called belong to this pipeline."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def call(self, step: Step, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Add a step. Raises Mistake for arguments that it can't have."""
        name, signature = self._new(step, step.function.__name__), step.signature
        given = _bound(step, args, kwargs)
        returned = None if signature.returned is None else (RETURNED, signature.returned)
        call = Call(self, name, {out: one.kind or Model for out, one in signature.outputs.items()}, returned)
        inputs = {key: self._input(f"{name}.{key}", one, given[key])
                  for key, one in signature.ports.items() if one.way == "in"}  # fmt: skip
        arguments = [
            self._argument(f"{name}.{key}", key, wanted, given[key])
            for key, wanted in signature.params.items()
            if key in given
        ]
        plain = [given[key] for key in signature.params if key in given]
        self.made[name] = Made(step, call, {"args": arguments}, inputs, plain)
        return call

    def use(self, component: Component, given: Mapping[str, Any]) -> Call:
        """Add a step whose program is a component's: what has bytes is an input, everything else is a parameter.
        Raises Mistake for what is neither."""
        name = self._new(component, "…")
        inputs, params = dict[str, Any](), dict[str, Any]()
        for key, one in given.items():
            where = f"{name}.{key}"
            if isinstance(one, Dataset | After | Call | Output) and _returned(one) is None:
                inputs[key] = self._input(where, Port("in", None), one)
            elif one is not None:
                params[key] = self._template(where, None, one) or _text(where, one)
        call = OpenCall(self, name, {})
        self.made[name] = Made(component, call, {"params": params}, inputs, list(given.values()))
        return call

    def _new(self, step: Step | Component, called: str) -> str:
        """The name of one more step. Raises Mistake if there is one of that name."""
        name = step.settings.name
        if name in self.made:
            raise Mistake(f'there is a step {name!r} already; name this one: {called}.options(name="…")(…)')
        return name

    def _input(self, where: str, wanted: Port, given: Any) -> Json:
        if isinstance(given, Call):
            given = given.only()
        if isinstance(given, Dataset):
            if wanted.kind not in (Dataset, None):
                raise Mistake(f"{where} is {wanted}, and {given!r} is a Dataset")
            return {"dataset": given.name}
        if isinstance(given, After):
            return {"after": {"pipeline": given.pipeline, "output": given.output}}
        if isinstance(given, Output):
            self.own(where, given)
            if given.kind is not None and wanted.kind not in (given.kind, None):
                raise Mistake(f"{where} is {wanted}, and {given!r} is a {given.kind.__name__}")
            return {"output": given.ref}
        raise Mistake(f'{where} is {wanted}: give it fairlead.Dataset("…") or the output of a step, not {given!r}')

    def _argument(self, where: str, name: str, wanted: Any, given: Any) -> str:
        if (text := self._template(where, wanted, given)) is not None:
            return f"--{name}={text}"
        if isinstance(given, Unknown | Dataset | After):
            raise Mistake(f"{where} is {values.word(wanted)}, a plain value: to read {given!r}, annotate "
                          f"{name} as fairlead.In[…]")  # fmt: skip
        return _constant(where, name, wanted, given)

    def _template(self, where: str, wanted: Any, given: Any) -> str | None:
        """What stands for a parameter, or for what a step returns; None: it is something else. wanted: its type, or
        None for any."""
        if (returned := _returned(given)) is not None:
            given = returned
        if isinstance(given, Output) and given.kind in (Value, None):
            self.own(where, given)
            template = f"{{{{steps.{given.ref}}}}}"
        elif isinstance(given, Param):
            template = f"{{{{params.{given.name}}}}}"
        else:
            return None
        told = isinstance(given, Param) or given.kind is not None  # a component's outputs have types that only it knows
        if told and wanted is not None and not _takes(wanted, given.wanted):
            raise Mistake(f"{where} is {values.word(wanted)}, and {given.what} is {values.word(given.wanted)}: give "
                          "both the same type")  # fmt: skip
        return template

    def own(self, where: str, output: Output) -> None:
        """Raises Mistake for the output of another pipeline's step."""
        if output.call.recording is not self:
            raise Mistake(f"{where}: {output!r} is of another pipeline")

    def steps(self) -> list[Json]:
        """All steps, as a Pipeline has them."""
        return [self._as_json(one) for one in self.made.values()]

    def _as_json(self, made: Made) -> Json:
        settings = made.step.settings
        fields = self.resolved(settings.name, dict(settings.fields) | {"env": None})
        found = {
            "name": settings.name,
            "needs": self._needs(made),
            **made.step.program(self.image),
            **made.values,
            "env": self._env(settings.name, settings.fields.get("env") or {}),
            "inputs": made.inputs,
            "outputs": {name: {"type": one.kind.word} for name, one in made.call.outputs.items() if one.kind},
        } | {key: one for key, one in fields.items() if key != "env"}
        return {key: one for key, one in found.items() if one not in ([], {}, None)}

    def _needs(self, made: Made) -> list[str]:
        """Steps that it comes after, besides those whose outputs it reads: as asked for, and whose values and metrics
        it goes by."""
        fields = made.step.settings.fields
        named = [one.get("metric") or one.get("value") for one in fields.get("if", ())]
        by_name = [one.partition(".")[0] for one in named if isinstance(one, str)]
        read = {str(one.get("output", "")).partition(".")[0] for one in made.inputs.values()}
        wanted = [
            *made.call.needs,
            *(one.call.name for one in _handles([made.given, fields])),
            *(one for one in by_name if one in self.made),
        ]
        return [one for one in dict.fromkeys(wanted) if one not in read]

    def _env(self, step: str, given: Mapping[str, Any]) -> list[Json]:
        found = list[Json]()
        for name, one in given.items():
            where = f"{step}.env.{_key(step, name)}"
            found.append({"name": name, "value": self._template(where, None, one) or _variable(where, one)})
        return found

    def resolved(self, where: str, value: Any) -> Any:
        """A part of a Pipeline as people write it here, with outputs as `step.output`. Raises Mistake."""
        if isinstance(value, Output):
            self.own(where, value)
            return value.ref
        if isinstance(value, Param):
            raise Mistake(f"{where}: {value!r} can't stand here; parameters go into steps and their env")
        if isinstance(value, Mapping):
            return {_key(where, key): self.resolved(f"{where}.{key}", one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.resolved(f"{where}[{index}]", one) for index, one in enumerate(value)]
        if value is None or type(value) in (str, int, float, bool):
            return value
        raise Mistake(f"{where} is {value!r}: write what the Pipeline's YAML has there")


def _key(where: str, key: Any) -> str:
    if not isinstance(key, str):
        raise Mistake(f"{where}: the key {key!r} is no text")
    return key


def _bound(step: Step, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was given, by the names of parameters. Outputs are not given: the step makes them."""
    takes = inspect.signature(step.function)
    outs = set(step.signature.outputs)
    if outs & set(kwargs):
        raise Mistake(f"{step.settings.name}: {', '.join(sorted(outs & set(kwargs)))} is what the step leaves: in a "
                      "pipeline nobody gives it; use it as an attribute of what the call returns")  # fmt: skip
    without = takes.replace(parameters=[one for name, one in takes.parameters.items() if name not in outs])
    try:
        return without.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise Mistake(f"{step.settings.name}: {error}") from None


def _constant(where: str, name: str, wanted: Any, given: Any) -> str:
    _no_handles(where, given)
    try:
        found = values.argument(name, values.checked(given, wanted))
    except values.Unfit as error:
        raise Mistake(f"{where}: {error}") from None
    if len(found) > LONGEST:
        raise Mistake(f"{where} has {len(found)} characters, and {LONGEST} fit into an argument: keep it in a file of "
                      "the image, or in a Dataset")  # fmt: skip
    return found


def _text(where: str, given: Any) -> str:
    """The value of a component's parameter. Raises Mistake."""
    _no_handles(where, given)
    if isinstance(given, Unknown):
        raise Mistake(f"{where} can't be {given!r}: give it a value, or an output by its name")
    try:
        found = values.listed(given) if isinstance(given, list | tuple) else values.text(given)
    except values.Unfit as error:
        raise Mistake(f"{where}: {error}") from None
    _no_braces(where, found)
    if len(found) > LONGEST:
        raise Mistake(f"{where} has {len(found)} characters, and a component's parameter may have {LONGEST}")
    return found


def _returned(given: Any) -> Output | None:
    """What a step returns: of that output, or of a step that leaves nothing else. None: it is something else."""
    if isinstance(given, Call) and [one.kind for one in given.outputs.values()] == [Value]:
        return given.only()
    return given if isinstance(given, Output) and given.kind is Value else None


def _handles(value: Any) -> Iterator[Output]:
    """All values of steps inside of something."""
    if isinstance(value, Call):
        yield from (one for one in value.outputs.values() if one.kind is Value)
    elif isinstance(value, Output):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _handles(one)


def _no_handles(where: str, value: Any) -> None:
    """Raises Mistake if something that is not known yet is inside of a list or a dict."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for one in inner:
        if isinstance(one, Unknown):
            raise Mistake(f"{where}: {one.what} can't stand inside of a list or a dict; give it a parameter of its own")
        _no_handles(where, one)


def _takes(wanted: Any, given: Any) -> bool:
    """Whether every text that gives the one type gives the other, as far as types can say."""
    for one in values.parts(wanted):
        same_shape = (get_origin(one) or one) is (get_origin(given) or given) and (get_origin(one) or one) in (
            list,
            dict,
        )
        of_these = bool(get_args(given)) and not same_shape and all(type(option) is one for option in get_args(given))
        if given == one or same_shape or of_these or (given is int and one is float):
            return True
    return bool(given == wanted)


def _variable(where: str, given: Any) -> str:
    """The value of a variable; neither Kubernetes nor Fairlead finds anything of theirs in a text."""
    if type(given) not in values.PLAIN:
        raise Mistake(f"{where} is {given!r}: a variable is str, int, float, bool, a parameter of the pipeline, or "
                      "what a step returns")  # fmt: skip
    said = values.text(given)
    _no_braces(where, said)
    return said.replace("$", "$$")


def _no_braces(where: str, said: str) -> None:
    """Raises Mistake for a text in which Fairlead would find something of its own."""
    if "{{" in said:
        raise Mistake(f"{where} has {{{{ in it, which is Fairlead's own: pass it as a parameter of the pipeline")
