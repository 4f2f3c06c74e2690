"""The YAML of a person: its Pipeline, and the Datasets that stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fairlead.api.common import API_VERSION
from fairlead.api.component import Component
from fairlead.api.dataset import Dataset
from fairlead.api.pipeline import Pipeline
from fairlead.local.trouble import Trouble
from fairlead.plan.component.check import check
from fairlead.plan.core import Invalid, Json, World
from fairlead.plan.pipeline import dag
from fairlead.plan.pipeline.components.expand import Expanded, expand, explained
from fairlead.plan.pipeline.components.find import NotUsable

LIMIT = 4 << 20
"""Bytes of a file; etcd takes less of one object."""


@dataclass(frozen=True)
class Given:
    """What was read."""

    name: str
    namespace: str
    pipeline: Pipeline
    datasets: dict[str, Json]
    """By name, as they are written."""
    components: list[Json]
    """As they are written; each may be of a namespace of its own."""
    others: list[str]
    """What else stands in the file, and is not used: `Deployment delay`."""


def read(path: Path, more: Sequence[Path] = ()) -> Given:
    """The file's Pipeline, Datasets and Components. more: files with Components. Raises Trouble for what the API
    server, or the operator, would refuse too."""
    return given(path, [one for one in _documents(path) if one is not None], more)


def given(path: Path, documents: Sequence[Any], more: Sequence[Path] = ()) -> Given:
    """Of documents that a file has, or describes. Raises Trouble."""
    ours = [one for one in documents if isinstance(one, dict) and one.get("apiVersion") == API_VERSION]
    pipelines = [one for one in ours if one.get("kind") == "Pipeline"]
    if len(pipelines) != 1:
        found = ", ".join(_named(one) for one in documents) or "nothing"
        raise Trouble(f"{path} must have one Pipeline (apiVersion: {API_VERSION}, kind: Pipeline); it has {found}")
    datasets = [one for one in ours if one.get("kind") == "Dataset"]
    components = [one for one in ours if one.get("kind") == "Component"]
    for one in (*pipelines, *datasets, *components):
        _accepted(path, one)
    for beside in more:
        components += _components(beside)
    meta = pipelines[0]["metadata"]
    used = (*pipelines, *datasets, *components)
    return Given(
        name=meta["name"], namespace=str(meta.get("namespace") or "default"), pipeline=_pipeline(pipelines[0]),
        datasets={one["metadata"]["name"]: one for one in datasets}, components=_checked(components),
        others=[_named(one) for one in documents if one not in used],
    )  # fmt: skip


def _components(path: Path) -> list[Json]:
    """The Components of a file that has nothing else. Raises Trouble."""
    found = [one for one in _documents(path) if one is not None]
    for one in found:
        if not isinstance(one, dict) or (one.get("apiVersion"), one.get("kind")) != (API_VERSION, "Component"):
            raise Trouble(
                f"--components {path}: {_named(one)} is no Component (apiVersion: {API_VERSION}); take it out"
            )
        _accepted(path, one)
    return found


def _checked(components: list[Json]) -> list[Json]:
    """Components that the operator would not refuse. Raises Trouble."""
    for one in components:
        try:
            check(Component.model_validate({"spec": one["spec"]}).spec)
        except Invalid as invalid:
            raise Trouble(f"Component {one['metadata']['name']}: {invalid}") from None
        except ValidationError as error:
            raise _unread("Component", one, error) from None
    return components


def _unread(kind: str, raw: Json, error: ValidationError) -> Trouble:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return Trouble(f"{kind} {raw['metadata']['name']}: {where}: {first['msg']}")


def _documents(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > LIMIT:
            raise Trouble(f"{path} has more than {LIMIT >> 20} MiB; is it a manifest?")
        return list(yaml.load_all(path.read_text(encoding="utf-8"), _Strict))
    except OSError as error:
        raise Trouble(f"{path} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise Trouble(f"{path} is not YAML: {error}") from None


class _Strict(yaml.SafeLoader):
    """A key that stands twice is an error, as for kubectl: one of its values would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See SafeConstructor."""
        keys = [
            key.value
            for key, _ in node.value
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge"
        ]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice in a map", node.start_mark)
        return super().construct_mapping(node, deep)


def _named(one: Any) -> str:
    if not isinstance(one, dict):
        return "a document that is no object"
    meta = one.get("metadata")
    name = meta.get("name", "") if isinstance(meta, dict) else ""
    return f"{one.get('kind', 'an object without a kind')} {name}".strip()


def _accepted(path: Path, one: Json) -> None:
    """As the API server would say it."""
    from fairlead.local import schema

    if wrong := schema.problems(one):
        listed = "".join(f"\n  {line}" for line in wrong[:20])
        more = f"\n  … and {len(wrong) - 20} more" if len(wrong) > 20 else ""
        raise Trouble(f"{path}: {_named(one)} would be refused:{listed}{more}")


def _pipeline(raw: Json) -> Pipeline:
    try:
        return Pipeline.model_validate({"spec": raw["spec"]})
    except ValidationError as error:
        raise _unread("Pipeline", raw, error) from None


def expanded(given: Given, world: World) -> Expanded:
    """The Pipeline with ordinary steps in place of Components, as the operator checks it. Raises Trouble."""
    spec = given.pipeline.spec
    try:
        found = expand(spec, world, given.namespace)
        dag.validate(found.spec, given.name)
    except Invalid as invalid:
        raise Trouble(f"Pipeline {given.name}: {explained(invalid, spec)}") from None
    except NotUsable as why:
        raise Trouble(f"Pipeline {given.name}: {why.message}") from None
    return found


def dataset(raw: Json) -> Dataset:
    """A Dataset that was accepted. Raises Trouble."""
    try:
        return Dataset.model_validate({"spec": raw["spec"]})
    except ValidationError as error:
        raise _unread("Dataset", raw, error) from None
