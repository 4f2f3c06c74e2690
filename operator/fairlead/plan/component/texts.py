"""`{{params.NAME}}` in the texts of programs: where they stand, and a Component's with values in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fairlead.api.common import Container
from fairlead.plan.core import Invalid

BRACES = re.compile(r"\{\{(.*?)\}\}")
PARAM = re.compile(r"\s*params\.([A-Za-z_][A-Za-z0-9_]*)\s*")
LONGEST = 4096
"""Characters that a text may have once its values are in place."""


def texts(program: Container) -> Iterator[tuple[str, str]]:
    """All texts in which values may be put: (path of the field below the program's, text)."""
    yield from ((f"command[{i}]", text) for i, text in enumerate(program.command))
    yield from ((f"args[{i}]", text) for i, text in enumerate(program.args))
    yield from ((f"env[{i}].value", variable.value) for i, variable in enumerate(program.env))


def used(text: str, field_path: str) -> Iterator[str]:
    """The parameters that a text uses, in their order. Raises Invalid for other things in double braces."""
    for inner in BRACES.findall(text):
        found = PARAM.fullmatch(inner)
        if found is None:
            known = "a Component knows its own parameters only: write {{params.NAME}}"
            raise Invalid(field_path, f"{{{{{inner}}}}} is not known; {known}")
        yield found[1]


def render(text: str, given: Mapping[str, str]) -> str:
    """The text with values in place of its parameters. What stands in double braces in a value stays, for the Pipeline
    to fill; Kubernetes' own `$(NAME)` in one is not expanded.

    Raises ValueError where text and values together make double braces that neither has, or are longer than 4096
    characters; KeyError for a parameter that has no value."""
    left = list[str]()

    def value(match: re.Match[str]) -> str:
        found = PARAM.fullmatch(match[1])
        assert found is not None  # `used` has refused all others
        one = given[found[1]]
        left.extend(BRACES.findall(one))
        return one.replace("$", "$$")

    made = BRACES.sub(value, text)
    if [one.replace("$", "$$") for one in left] != BRACES.findall(made):
        raise ValueError(
            "with these values its text has other double braces than they have: put a space between braces"
        )
    if len(made) > LONGEST:
        raise ValueError(f"with these values it has {len(made)} characters, and may have {LONGEST}: give shorter ones")
    return made
