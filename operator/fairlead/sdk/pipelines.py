"""`@pipeline`: a function that calls steps, as a Pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any, NoReturn, overload

from fairlead.sdk import values
from fairlead.sdk.handles import Call, Output, Param
from fairlead.sdk.kinds import KEY, NAME, Dataset, Model
from fairlead.sdk.mistakes import Mistake
from fairlead.sdk.recording import Json, Recording, current
from fairlead.sdk.steps import default, hints, plain

API_VERSION = "fairlead.dev/v1alpha1"


class Pipeline:
    """A function that says which steps there are, and what goes from one to the other."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        namespace: str | None,
        image: str | None,
        fields: Mapping[str, Any],
    ) -> None:
        self.function, self.name, self.namespace, self.image, self.fields = function, name, namespace, image, fields
        self.params, self.defaults = _params(function)
        update_wrapper(self, function)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"a pipeline is not called: `fairlead export` prints it, `fairlead submit` sends it. To try a step of "
            f"{self.name!r} here, call the step"
        )

    def manifest(self, image: str | None = None) -> Json:
        """The Pipeline as a resource: what `fairlead export` prints. The function runs once for it.

        image: of steps that name none; default: the decorator's. Raises Mistake for what can't be a Pipeline.
        """
        recording = Recording(image or self.image)
        if current() is not None:
            raise Mistake(f"the pipeline {self.name!r} is described inside of another one")
        with recording.running():
            self.function(**{name: Param(name, wanted) for name, wanted in self.params.items()})
        if not recording.made:
            raise Mistake(f"the pipeline {self.name!r} calls no step")
        spec = {
            "params": {name: _text(name, value) for name, value in self.defaults.items()},
            **recording.resolved("spec", self.fields),
            "steps": recording.steps(),
            "produces": recording.produced,
        }
        place = {"namespace": self.namespace} if self.namespace else {}
        return {
            "apiVersion": API_VERSION, "kind": "Pipeline", "metadata": {"name": self.name, **place},
            "spec": {key: one for key, one in spec.items() if one not in ([], {}, None)},
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<fairlead.pipeline {self.name}>"


@overload
def pipeline(function: Callable[..., Any], /) -> Pipeline: ...
@overload
def pipeline(
    *,
    name: str | None = None,
    namespace: str | None = None,
    image: str | None = None,
    triggers: Iterable[Any] = (),
    **fields: Any,
) -> Callable[[Callable[..., Any]], Pipeline]: ...
def pipeline(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    namespace: str | None = None,
    image: str | None = None,
    triggers: Iterable[Any] = (),
    **fields: Any,
) -> Any:
    """Make a function that calls steps a Pipeline.

    It runs once, when the Pipeline is exported, to find out which steps there are. Its parameters are those of the
    Pipeline: they need a type and a default, and a run may change them. What a step leaves is an attribute of what its
    call returns.

    Args:
        name: Of the Pipeline. Default: the function's, with `-` for `_`.
        namespace: Default: wherever it is sent to.
        image: Of steps that name none.
        triggers: As in the Pipeline, `{"schedule": {"cron": "0 3 * * 1"}}`; or `Dataset("flights")`, for a run with
            each new version.
        fields: All other fields of a Pipeline's spec, by their names there: `concurrency="Forbid"`,
            `limits={"perDay": 6}`. They are checked when it is exported.

    Raises TypeError for a function that can't be a pipeline.
    """

    if taken := {"steps", "params", "produces"} & set(fields):
        raise Mistake(f"{', '.join(sorted(taken))} of a pipeline follow from its function")
    listed = [{"dataset": {"name": one.name}} if isinstance(one, Dataset) else one for one in triggers]

    def decorated(one: Callable[..., Any]) -> Pipeline:
        called = name or one.__name__.strip("_").replace("_", "-").lower()
        if not NAME.fullmatch(called):
            raise Mistake(
                f"{called!r} can't be the name of a Pipeline: at most 63 of a-z, 0-9 and -; give another by name="
            )
        return Pipeline(one, called, namespace, image, {"triggers": listed, **fields})

    return decorated(function) if function is not None else decorated


def produces(model: str, output: Any, version: Mapping[str, Any]) -> None:
    """Within a pipeline: each run that succeeds makes a version of a model.

    Args:
        model: Its name.
        output: What a step leaves as `Out[Model]`.
        version: As in the Pipeline, `produces[].version`; outputs of steps may stand in it:
            `{"evaluation": {"data": {"output": prepared.test}, …}}`.

    Raises TypeError for anything else.
    """
    recording = current()
    if recording is None:
        raise Mistake("fairlead.produces() belongs into a function with @fairlead.pipeline")
    if isinstance(output, Call):
        output = output.only()
    if not isinstance(output, Output) or output.kind not in (Model, None):
        raise Mistake(f"produces({model!r}, …) takes what a step leaves as Out[Model], not {output!r}")
    where = f"produces({model!r})"
    recording.own(where, output)
    recording.produced.append({"model": model, "from": output.ref, "version": recording.resolved(where, version)})


def _params(function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Types and defaults of a pipeline's parameters. Raises Mistake."""
    where = f"the pipeline {getattr(function, '__name__', function)!r}"
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise Mistake(f"{where}: @fairlead.pipeline stands before a plain function")
    found = hints(function, where)
    types, defaults = dict[str, Any](), dict[str, Any]()
    for name, one in inspect.signature(function).parameters.items():
        if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) or not KEY.fullmatch(name):
            raise Mistake(f"{where}: {one} can't be a parameter: it needs a name of its own, of A-Z, a-z, 0-9 and _")
        if name not in found:
            raise Mistake(f"{where}: {name} has no type; write {name}: int = …")
        if one.default is one.empty:
            raise Mistake(f"{where}: {name} has no default, and nobody gives it one when a trigger starts a run")
        if type(None) in values.parts(found[name]):
            raise Mistake(f"{where}: {name} may be None, and a run's parameters are texts, which can't say that")
        types[name] = plain(f"{where}: {name}", found[name])
        defaults[name] = default(f"{where}: {name}", one.default, None, found[name])
    return types, defaults


def _text(name: str, value: Any) -> str:
    """A default as the Pipeline has it. Raises Mistake for a text that no program can be given."""
    try:
        said = values.text(value)
        said.encode()
    except (values.Unfit, UnicodeEncodeError) as error:
        raise Mistake(f"the parameter {name!r}: {error}") from None
    if "\0" in said:
        raise Mistake(f"the parameter {name!r} has a NUL in it, and a program's arguments can't")
    return said
