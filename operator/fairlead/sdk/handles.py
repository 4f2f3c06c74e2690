"""What stands for something that is not known yet while a pipeline is described: a parameter, a step's output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from fairlead.sdk.kinds import KEY, Kind, Value

if TYPE_CHECKING:
    from fairlead.sdk.recording import Recording


class Unknown:
    """Python must not take it for a value: `if`, a comparison, arithmetic and text are errors that say so."""

    __hash__ = object.__hash__
    what = "it"

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"{self.what} has no value while the pipeline is described: pass it to a step, and decide there. (A "
            "pipeline's function runs once, when it is exported, to find out which steps there are.)"
        )


_OPERATIONS = (
    "bool str format bytes int float complex index len iter next reversed contains getitem setitem delitem call "
    "fspath eq ne lt le gt ge neg pos abs invert round trunc floor ceil add sub mul matmul truediv floordiv mod "
    "divmod pow and or xor lshift rshift radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rand ror rxor "
    "rlshift rrshift enter exit "
)
for _one in _OPERATIONS.split():
    setattr(Unknown, f"__{_one}__", Unknown._refuse)


class Param(Unknown):
    """A parameter of the pipeline."""

    def __init__(self, name: str, wanted: Any) -> None:
        self.name, self.wanted = name, wanted
        self.what = f"the parameter {name!r}"

    def __repr__(self) -> str:
        return f"{{{{params.{self.name}}}}}"


class Output(Unknown):
    """What a step leaves under a name."""

    def __init__(self, call: Call, name: str, kind: type[Kind] | None, wanted: Any = None) -> None:
        """kind: None: only its component knows."""
        self.call, self.name, self.kind, self.wanted = call, name, kind, wanted
        self.what = f"the output {self!r}"

    @property
    def ref(self) -> str:
        """`step.output`, as a Pipeline has it."""
        return f"{self.call.name}.{self.name}"

    def __repr__(self) -> str:
        return self.ref


class Call(Unknown):
    """A step of the pipeline that is being described; its outputs are its attributes."""

    open = False
    """Whether any name may be one of its outputs: a component's, which is not at hand."""

    def __init__(
        self, recording: Recording, name: str, outputs: dict[str, type[Kind]], returned: tuple[str, Any] | None = None
    ) -> None:
        self.recording, self.name, self.needs = recording, name, dict[str, None]()
        self.what = f"the step {name!r}"
        self.outputs = {one: Output(self, one, kind) for one, kind in outputs.items()}
        if returned is not None:
            self.outputs[returned[0]] = Output(self, returned[0], Value, returned[1])

    def __getattr__(self, name: str) -> Output:
        found = self.__dict__.get("outputs", {}).get(name)
        if found is None and self.open and KEY.fullmatch(name) and not name.startswith("_"):
            found = self.outputs[name] = Output(self, name, None)
        if found is None:
            there = ", ".join(self.__dict__.get("outputs", {})) or "none"
            raise AttributeError(f"the step {self.__dict__.get('name')!r} has no output {name!r}; it has {there}")
        return found  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<step {self.name}>"

    def after(self, *steps: Call) -> Call:
        """Begin when these have succeeded, too, though nothing of theirs is read. Returns the step itself."""
        for one in steps:
            if not isinstance(one, Call) or one.recording is not self.recording:
                raise TypeError(f"after() takes steps of the same pipeline, not {one!r}")
            self.needs[one.name] = None
        return self

    def only(self) -> Output:
        """Its only output. Raises TypeError if there are none, or several."""
        if self.open:
            raise TypeError(f"what the component of step {self.name!r} leaves is not known here: name the output that "
                            f"you mean, as in {self.name.replace('-', '_')}.data")  # fmt: skip
        if len(self.outputs) != 1:
            names = ", ".join(f"{self.name}.{one}" for one in self.outputs) or "none"
            raise TypeError(f"the step {self.name!r} does not have one output but {names}: name the one that you mean")
        return next(iter(self.outputs.values()))


class OpenCall(Call):
    """A step whose program is a component's: whichever attribute is asked for is taken for an output, and whether there
    is one is found out where the component is."""

    open = True
