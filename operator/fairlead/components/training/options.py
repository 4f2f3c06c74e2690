"""Hyperparameters, checked against the estimator's own before any row is read."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.components.words import Refused

Types = tuple[type, ...]
RESERVED: Mapping[str, str] = {
    "random_state": "give params.seed", "n_jobs": "the step's resources.cpu say how many cores there are",
    "verbose": "the step's log says what was trained", "warm_start": "a step begins anew each time",
}  # fmt: skip
"""What no library takes, and what to do instead."""
_JSON: Mapping[Any, Types] = {
    int: (int,), float: (int, float), str: (str,), bool: (bool,), dict: (dict,), list: (list,),
    type(None): (type(None),),
}  # fmt: skip
_CALLED: Mapping[type, str] = {
    int: "an integer", float: "a number", str: "a string", bool: "true or false", dict: "an object", list: "a list",
    type(None): "null",
}  # fmt: skip
_LISTED = 60


def named(given: Mapping[str, Any], known: Sequence[str], reserved: Mapping[str, str], estimator: str) -> None:
    """Raises Refused for a name that the estimator does not have, or that something else says.

    Args:
        given: The options.
        known: The estimator's parameters.
        reserved: Those of them that are not given here, and what to do instead.
        estimator: What it is called.
    """
    for name, value in given.items():
        if name in reserved or name in RESERVED:
            raise Refused(
                f"params.options has {name}, which is not chosen here: {reserved.get(name) or RESERVED[name]}"
            )
        if name not in known:
            open_ = sorted(one for one in known if one not in reserved and one not in RESERVED)
            near = difflib.get_close_matches(name, open_, 3, 0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(open_[:_LISTED])}"
            raise Refused(f"params.options has {name}, which {estimator} does not have; {hint}")
        if name == "class_weight" and isinstance(value, dict):
            raise Refused('params.options has class_weight as an object; give "balanced", or a column by params.weight')


def typed(given: Mapping[str, Any], accepted: Mapping[str, Types]) -> None:
    """Raises Refused for a value of a type that its parameter does not take; one that isn't listed takes all."""
    for name, value in given.items():
        wanted = accepted.get(name, ())
        if wanted and not _fits(value, wanted):
            said = " or ".join(dict.fromkeys(_called(one, wanted) for one in wanted))
            raise Refused(f"params.options.{name} is {json.dumps(value)[:60]}; give {said}")


def _fits(value: Any, wanted: Types) -> bool:
    if isinstance(value, bool):  # Python's are integers too
        return bool in wanted
    return isinstance(value, wanted)


def _called(one: type, wanted: Types) -> str:
    return _CALLED[float if one is int and float in wanted else one]


def hints(function: Any) -> dict[str, Types]:
    """What JSON can give for the parameters of a function that says their types."""
    found = {name: _json(hint) for name, hint in typing.get_type_hints(function).items()}
    return {name: accepted for name, accepted in found.items() if accepted}


def _json(hint: Any) -> Types:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return tuple(dict.fromkeys(one for part in typing.get_args(hint) for one in _json(part)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return (dict,)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return (list,)
    return _JSON.get(hint, ())
