"""Rows for training: the types decide what is a number and what a category, as they do where the model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd

from fairlead.components import tables, words
from fairlead.components.training.asked import Asked
from fairlead.components.words import Refused, say
from fairlead.worker.tables import name as quoted
from fairlead.worker.tensors import EXACT, NUMBERS, Kind, Type, selected

CATEGORIES = 1000
"""Texts in a column, or classes, beyond which they are taken for names of rows."""
_SHOWN = 10
Role = Literal["number", "category"]
Vector = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Rows:
    """An input's rows."""

    called: str
    """The input."""
    features: pd.DataFrame
    """(n, columns): float64, and texts. What is missing is NaN."""
    roles: Mapping[str, Role]
    """Of each feature, in their order."""
    target: Vector
    """(n,): float64; of classes int64, or texts (object)."""
    weight: Vector | None
    """(n,), float64."""

    def __len__(self) -> int:
        return len(self.features)

    def of(self, role: Role) -> list[str]:
        """The features of a role."""
        return [name for name, one in self.roles.items() if one == role]


def training(db: duckdb.DuckDBPyConnection, asked: Asked) -> Rows:
    """Rows to learn from. Raises Refused for those that nothing can be learned from."""
    found = _read(db, "data", asked, asked.features)
    _check_features(found)
    _check_target(found, asked)
    return found


def validation(db: duckdb.DuckDBPyConnection, asked: Asked, train: Rows) -> Rows | None:
    """Rows to measure on; None where there are none. Raises Refused for those that are not like training's."""
    folder = words.inputs() / "validation"
    if not folder.is_dir():
        return None
    found = _read(db, "validation", asked, list(train.roles), few=True)
    if not len(found):
        say("input validation has no rows: nothing is measured on it")
        return None
    for name, role in train.roles.items():
        if found.roles[name] != role:
            raise Refused(f"the input validation has {name} as a {found.roles[name]}, and the input data as a {role}; "
                          "cast one of them, for example by the builtin sql")  # fmt: skip
    if asked.classes:
        new = sorted(set(found.target.tolist()) - set(train.target.tolist()), key=str)
        if new:
            raise Refused(f"the input validation has rows of {asked.target} {_list(new)}, and the input data has none; "
                          "split by params.stratify, or leave these rows out")  # fmt: skip
    return found


def readable() -> list[Path]:
    """Folders of the inputs that there are."""
    return [path for path in (words.inputs() / "data", words.inputs() / "validation") if path.is_dir()]


def _read(
    db: duckdb.DuckDBPyConnection, called: str, asked: Asked, features: Sequence[str], few: bool = False
) -> Rows:  # fmt: skip
    """few: it may have no rows."""
    tables.view(db, words.inputs() / called, called)
    types = {str(row[0]): Type.of(str(row[1])) for row in db.execute(f"DESCRIBE {quoted(called)}").fetchall()}
    tables.columns(list(types), [asked.target], "target")
    tables.columns(list(types), [asked.weight] if asked.weight else [], "weight")
    tables.columns(list(types), features, "features")
    used = list(features) or [one for one in types if one not in (asked.target, asked.weight)]
    if not used:
        raise Refused(f"the input {called} has no column beside the target; features are needed")
    roles = _roles(called, {one: types[one] for one in used})
    kind = _target_kind(asked, types[asked.target])
    cells = [_cell(one, types[one], roles[one]) for one in used]
    frame = _frame(db, f"SELECT {', '.join(cells)} FROM {quoted(called)}", used)
    if not len(frame) and not few:
        raise Refused(f"the input {called} has no rows; give it some")
    found = Rows(called, frame, roles, np.zeros(0), None)
    _finite(found)
    return replace(
        found, target=_target(db, called, asked, types[asked.target], kind), weight=_weight(db, called, asked, types)
    )


def _frame(db: duckdb.DuckDBPyConnection, query: str, columns: Sequence[str]) -> pd.DataFrame:
    frame: pd.DataFrame = db.execute(query).to_arrow_table().to_pandas()
    frame.columns = pd.Index(columns, dtype=object)
    return frame


def _cell(column: str, type_: Type, role: Role) -> str:
    return f"CAST({quoted(column)} AS DOUBLE) AS {quoted(column)}" if role == "number" else selected(column, type_)


def _roles(called: str, types: Mapping[str, Type]) -> dict[str, Role]:
    """Raises Refused that names all columns which are neither numbers nor categories."""
    roles: dict[str, Role] = {}
    times, others = [], []
    for name, type_ in types.items():
        if type_.depth or type_.kind is None or type_.kind == "bytes":
            others.append(f"{name} ({type_.said[:60]})")
        elif type_.kind in ("date", "time", "timestamp"):
            times.append(f"{name} ({type_.said[:60]})")
        else:
            roles[name] = "category" if type_.kind == "text" else "number"
    if times:
        raise Refused(
            f"params.features: the input {called} has times, of which a model makes nothing: {_list(times)}. Make "
            "numbers of them before, for example by the builtin sql: hour(t), dayofweek(t), epoch(t); or name features "
            "without them"
        )
    if others:
        raise Refused(f"params.features: the input {called} has columns that are no numbers, booleans or texts: "
                      f"{_list(others)}. Flatten them before, or name features without them")  # fmt: skip
    return roles


def _target_kind(asked: Asked, type_: Type) -> Kind:
    """Raises Refused for a type that the task has no use for."""
    target, kind = asked.target, type_.kind
    if type_.depth or kind is None or kind in ("bytes", "date", "time", "timestamp"):
        raise Refused(f"params.target: {target} is {type_.said[:60]}; a target is a number, a boolean or a text")
    if not asked.classes and kind not in NUMBERS:
        raise Refused(f"params.target: {target} is {type_.said[:60]}, and regression is of numbers; give task: "
                      "classification, or another target")  # fmt: skip
    return kind


def _target(db: duckdb.DuckDBPyConnection, called: str, asked: Asked, type_: Type, kind: Kind) -> Vector:
    cell = quoted(asked.target)
    if kind == "text":
        query = f"SELECT {selected(asked.target, type_)} FROM {quoted(called)}"
        series = _frame(db, query, [asked.target])[asked.target]
        _complete(called, asked.target, series.isna().to_numpy())
        return np.asarray(series, dtype=np.object_)
    wanted = "BIGINT" if asked.classes and kind in ("integer", "boolean") else "DOUBLE"
    column = db.execute(f"SELECT CAST({cell} AS {wanted}) AS y FROM {quoted(called)}").to_arrow_table().column("y")
    _complete(called, asked.target, np.asarray(column.is_null(nan_is_null=True)))
    found: Vector = column.to_numpy()
    if np.isinf(found).any():
        raise Refused(f"params.target: {int(np.isinf(found).sum())} rows of the input {called} have an infinite "
                      f"{asked.target}; leave them out")  # fmt: skip
    return _whole(asked.target, found) if asked.classes else found.astype(np.float64)


def _whole(target: str, found: Vector) -> Vector:
    """Classes that are numbers."""
    if (np.abs(found) > EXACT).any():
        raise Refused(f"params.target: {target} has integers above 2^53, which are no classes; cast it to a text")
    if (found != np.trunc(found)).any():
        example = found[found != np.trunc(found)][0]
        raise Refused(f"params.target: {target} has numbers such as {example}, and classes are whole numbers, booleans "
                      "or texts; give task: regression, or cast it")  # fmt: skip
    return found.astype(np.int64)


def _complete(called: str, target: str, missing: Vector) -> None:
    if count := int(missing.sum()):
        raise Refused(
            f"params.target: {count} of {len(missing)} rows of the input {called} have no {target}; leave them out "
            f"before, for example by the builtin sql: where {target} is not null"
        )


def _weight(db: duckdb.DuckDBPyConnection, called: str, asked: Asked, types: Mapping[str, Type]) -> Vector | None:
    if not asked.weight:
        return None
    if types[asked.weight].depth or types[asked.weight].kind not in NUMBERS:
        raise Refused(f"params.weight: {asked.weight} is {types[asked.weight].said[:60]}; weights are numbers")
    query = f"SELECT CAST({quoted(asked.weight)} AS DOUBLE) AS w FROM {quoted(called)}"
    found: Vector = db.execute(query).to_arrow_table().column("w").to_numpy()
    wrong = ~(np.isfinite(found) & (found >= 0))
    if wrong.any():
        raise Refused(f"params.weight: {int(wrong.sum())} rows of the input {called} have a {asked.weight} that is "
                      "missing, negative or infinite; weights are numbers from 0")  # fmt: skip
    if len(found) and not found.any():
        raise Refused(f"params.weight: {asked.weight} is 0 in all rows of the input {called}; nothing would count")
    return found


def _finite(found: Rows) -> None:
    for name in found.of("number"):
        if count := int(np.isinf(found.features[name].to_numpy()).sum()):
            raise Refused(f"params.features: {count} rows of the input {found.called} have an infinite {name}, which "
                          "no request to a model can carry; correct them, or make them null")  # fmt: skip


def _check_features(found: Rows) -> None:
    """Raises Refused for features that say nothing, or too much; says which are constant."""
    empty = [name for name in found.roles if found.features[name].isna().all()]
    if empty:
        raise Refused(f"params.features: the input {found.called} has no value of {_list(empty)} in any row; name "
                      "features without")  # fmt: skip
    counts = {name: int(found.features[name].nunique()) for name in found.of("category")}
    many = [f"{name} ({count})" for name, count in counts.items() if count > CATEGORIES]
    if many:
        raise Refused(
            f"params.features: more than {CATEGORIES} different texts are names of rows rather than categories: "
            f"{_list(many)}. Name features without them, or group their texts before, for example by the builtin sql"
        )
    for name in found.roles:
        column = found.features[name]
        if column.notna().all() and column.nunique() == 1:
            say(f"note: {name} is {column.iloc[0]} in all rows: the model can't learn from it")


def _check_target(found: Rows, asked: Asked) -> None:
    values = pd.unique(found.target)
    if len(values) == 1:
        what = "there is one class only" if asked.classes else "there is nothing to learn"
        raise Refused(f"params.target: {asked.target} is {values[0]} in all {len(found)} rows of the input "
                      f"{found.called}; {what}. Name another target, or give other rows")  # fmt: skip
    if asked.classes and len(values) > CATEGORIES:
        raise Refused(f"params.target: {asked.target} has {len(values)} different values, and at most {CATEGORIES} "
                      "classes are told apart; give task: regression, or another target")  # fmt: skip


def _list(names: Sequence[object]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(str(name)[:80] for name in names[:_SHOWN]) + more
