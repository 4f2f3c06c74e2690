"""The YAML of a person: its Pipeline, and the Datasets that stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fairlead.api.common import API_VERSION
from fairlead.api.dataset import Dataset
from fairlead.api.pipeline import Pipeline
from fairlead.local.trouble import Trouble
from fairlead.plan.core import Invalid, Json
from fairlead.plan.pipeline import dag, measuring

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
    others: list[str]
    """What else stands in the file, and is not used: `Deployment delay`."""


def read(path: Path) -> Given:
    """The file's Pipeline and Datasets. Raises Trouble for what the API server, or the operator, would refuse too."""
    return given(path, [one for one in _documents(path) if one is not None])


def given(path: Path, documents: Sequence[Any]) -> Given:
    """Of documents that a file has, or describes. Raises Trouble."""
    ours = [one for one in documents if isinstance(one, dict) and one.get("apiVersion") == API_VERSION]
    pipelines = [one for one in ours if one.get("kind") == "Pipeline"]
    if len(pipelines) != 1:
        found = ", ".join(_named(one) for one in documents) or "nothing"
        raise Trouble(f"{path} must have one Pipeline (apiVersion: {API_VERSION}, kind: Pipeline); it has {found}")
    datasets = [one for one in ours if one.get("kind") == "Dataset"]
    for one in (*pipelines, *datasets):
        _accepted(path, one)
    meta = pipelines[0]["metadata"]
    return Given(
        name=meta["name"], namespace=str(meta.get("namespace") or "default"), pipeline=_pipeline(pipelines[0]),
        datasets={one["metadata"]["name"]: one for one in datasets},
        others=[_named(one) for one in documents if one not in pipelines and one not in datasets],
    )  # fmt: skip


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
        found = Pipeline.model_validate({"spec": raw["spec"]})
        found = found.model_copy(update={"spec": measuring.filled(found.spec, None)})
        dag.validate(found.spec, raw["metadata"]["name"])
    except Invalid as invalid:
        raise Trouble(f"Pipeline {raw['metadata']['name']}: {invalid}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Trouble(f"Pipeline {raw['metadata']['name']}: {where}: {first['msg']}") from None
    return found


def dataset(raw: Json) -> Dataset:
    """A Dataset that was accepted. Raises Trouble."""
    try:
        return Dataset.model_validate({"spec": raw["spec"]})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Trouble(f"Dataset {raw['metadata']['name']}: {where}: {first['msg']}") from None
