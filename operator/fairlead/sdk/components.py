"""`component`: a step whose program is described elsewhere: by a Component, or by one that comes with Fairlead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.sdk import recording
from fairlead.sdk.handles import Call
from fairlead.sdk.kinds import NAME
from fairlead.sdk.mistakes import Mistake
from fairlead.sdk.steps import Settings, step_fields, step_name


class Component:
    """A component, as a step of pipelines."""

    def __init__(self, ref: Mapping[str, str], settings: Settings) -> None:
        self.ref, self.settings = dict(ref), settings

    def __call__(self, **given: Any) -> Call:
        """Within a pipeline: a step of it. Datasets and outputs of steps are its inputs, everything else is a
        parameter. What it leaves are attributes of what is returned: `parts.train`."""
        described = recording.current()
        if described is None:
            raise Mistake(f"{self!r} runs as a step of a pipeline only; try it with `fairlead dev run`")
        return described.use(self, given)

    def options(self, *, name: str | None = None, **settings: Any) -> Component:
        """The same with other settings, which are those of `fairlead.step`, for one call."""
        if "image" in settings:
            raise Mistake(f"{self!r} brings its image")
        return Component(self.ref, self.settings.changed(name, None, settings))

    def program(self, _image: str | None) -> dict[str, Any]:
        """What its pod runs: whatever the component says when a run starts."""
        return {"component": self.ref}

    def __repr__(self) -> str:
        return f"<fairlead.component {self.ref.get('builtin') or self.ref['name']}>"


def component(
    name: str | None = None, *, builtin: str | None = None, namespace: str | None = None,
    version: str | None = None, **settings: Any,
) -> Component:  # fmt: skip
    """A component as a step: `split = fairlead.component(builtin="split")`.

    Args:
        name: Of a Component of the namespace; or
        builtin: of one that comes with Fairlead (`kubectl fairlead components` lists them).
        namespace: Of another one, whose Component is granted to this one.
        version: `"1"` or `"1.4"`: it must have this one, or one that begins so. Default: whatever there is when a run
            starts.
        settings: Those of `fairlead.step`, but for the image: `cpu=2`, `memory="4Gi"`, `cache=True`.

    Raises TypeError for what can't name a component.
    """
    if (name is None) == (builtin is None):
        raise Mistake('a component has a name or is builtin: component("clean"), or component(builtin="split")')
    if namespace is not None and name is None:
        raise Mistake("a namespace goes with the name of a Component; those that come with Fairlead have none")
    called = str(builtin if name is None else name)
    if not NAME.fullmatch(called):
        raise Mistake(f"{called!r} can't be the name of a component: at most 63 of a-z, 0-9 and -")
    if "image" in settings:
        raise Mistake(f"the component {called!r} brings its image")
    ref = {"builtin": builtin, "name": name, "namespace": namespace, "version": version}
    found = {key: str(one) for key, one in ref.items() if one is not None}
    return Component(found, Settings(step_name(called), None, step_fields(settings)))
