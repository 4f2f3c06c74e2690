"""Component: a step's program with its inputs, outputs and parameters, described once and used in many Pipelines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Container, StatusBase
from fairlead.api.schema import LIST_SET, Decimal, Key, Model, Name, Text, cel, exactly_one_of

OutputType = Literal["dataset", "model", "file", "preview", "value"]
StepParams = Annotated[dict[Key, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]
Version = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+){0,2}$")]
"""`1`, `1.4` or `1.4.2`."""
Namespace = Annotated[str, Field(max_length=63, pattern=r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$")]


class Output(Model):
    """What a step leaves at `/fairlead/out/<name>` (a file or a folder)."""

    type: Literal["dataset", "model", "file", "preview", "value"] = "file"
    """`preview`: for people to look at, up to 64 MiB; it may be called `<name>.png`, `.svg`, `.html`, `.csv`, `.parquet`,
    `.md` …; `value`: a text of at most 1 KiB, for `{{steps.<step>.<output>}}` and `if` of steps that come after it."""


class ComponentRef(Model):
    """A Component: one that comes with Fairlead, or an object."""

    builtin: Name | None = None
    """One that comes with Fairlead: `kubectl fairlead components` lists them."""
    name: Name | None = None
    """A Component of the namespace,"""
    namespace: Name | None = None
    """or of this one, if it is granted there."""
    version: Version | None = None
    """It must have this version, or one that begins with it: `1.4` is also 1.4.2. Default: whatever it has when a run
    starts."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one_of("builtin", "name"),
            ("!has(self.namespace) || has(self.name)", "namespace goes with name"),
        )
    )


class Param(Model):
    """What may be chosen where the Component is used."""

    type: Literal["string", "integer", "number", "boolean", "duration"] = "string"
    """`boolean`: `true` or `false`; `duration`: `30s`, `12h`, `7d`."""
    description: Text = ""
    default: Annotated[str, Field(max_length=4096)] | None = None
    """Without one a value must be given."""
    min: Decimal | None = None
    """Of a number."""
    max: Decimal | None = None
    in_: Annotated[
        list[Annotated[str, Field(max_length=256)]] | None,
        Field(alias="in", min_length=1, max_length=64, json_schema_extra=LIST_SET),
    ] = None
    """Only these."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!(has(self.min) || has(self.max)) || (has(self.type) && self.type in ['integer', 'number'])",
             "min and max are a number's"),
        )
    )  # fmt: skip


class ComponentInput(Model):
    """What its program reads, at `/fairlead/in/<name>/`."""

    type: OutputType | None = None
    """Only this: an output of that type, or for `dataset` a Dataset. Default: whatever is given."""
    optional: bool = False
    """Its program does without."""
    description: Text = ""


class ComponentOutput(Output):
    """What its program leaves."""

    description: Text = ""


class ComponentSpec(Container):
    """A program. Its texts may contain `{{params.NAME}}` of its own parameters, and nothing else in double braces."""

    version: Version
    """What is changed gets another version; only `description` and `allowedNamespaces` may change without."""
    description: Text = ""
    allowed_namespaces: Annotated[list[Namespace], Field(max_length=64, json_schema_extra=LIST_SET)] = []
    """Namespaces whose Pipelines may use it, besides its own; `*`: all."""
    params: Annotated[dict[Key, Param], Field(max_length=64)] = {}
    inputs: Annotated[dict[Key, ComponentInput], Field(max_length=32)] = {}
    more_inputs: bool = False
    """Further inputs may be given, under names of one's own."""
    outputs: Annotated[dict[Key, ComponentOutput], Field(max_length=32)] = {}

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.secrets)",
             "a Component names no Secrets: they would be those of whoever uses it; the step that uses it names them"),
            *(
                (f"self.version != oldSelf.version || has(self.{one}) == has(oldSelf.{one}) && "
                 f"(!has(self.{one}) || self.{one} == oldSelf.{one})",
                 f"{one} has changed: give the Component another version, so that whoever has pinned this one gets what it was")
                for one in ("command", "args", "env", "resources", "nodeSelector", "tolerations",
                            "params", "inputs", "moreInputs", "outputs")
            ),
            ("self.version != oldSelf.version || self.image == oldSelf.image",
             "image has changed: give the Component another version, so that whoever has pinned this one gets what it was"),
        )
    )  # fmt: skip


class ComponentStatus(StatusBase):
    """Whether it can be used. Conditions: Ready."""

    digest: Annotated[str, Field(max_length=64)] = ""
    """SHA-256 of all that its results can follow from."""
    version: Annotated[str, Field(max_length=32)] = ""
    """The version that `digest` is of."""


class Component(Model):
    """A step's program with its inputs, outputs and parameters, to be used in many Pipelines."""

    spec: ComponentSpec
    status: ComponentStatus = ComponentStatus()
