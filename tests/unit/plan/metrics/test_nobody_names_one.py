"""A metric's name stands in its own file and in the definition of the API: whoever else asks which one it is finds that
out here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fairlead
from fairlead.plan.deployment.metrics.registry import METRICS

ROOT = Path(fairlead.__file__).parent
OWN = ("api", "plan/deployment/metrics")


def named(source: str) -> list[int]:
    """Lines in which something is held against a metric's name, or a table goes by several of them."""
    return sorted({line for node in ast.walk(ast.parse(source)) for line in _named(node)})


def _named(node: ast.AST) -> Iterator[int]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if any(map(_names, sides)) and any(_about(side) for side in sides if not _names(side)):
            yield node.lineno
    elif isinstance(node, ast.Match) and _about(node.subject):
        yield from (case.pattern.lineno for case in node.cases if any(map(_is_name, ast.walk(case.pattern))))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("with"):
        yield from (arg.lineno for arg in node.args if any(f"/{name}" in ast.unparse(arg) for name in METRICS))
    elif isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict) and _several(node):
        yield node.lineno


def _names(node: ast.AST) -> bool:
    return _is_name(node) or (isinstance(node, ast.Tuple | ast.List | ast.Set) and any(map(_is_name, node.elts)))


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in METRICS


def _about(node: ast.AST) -> bool:
    return any(word in ast.unparse(node) for word in ("metric", "guard"))


def _several(node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> bool:
    return (
        sum(key is not None and _is_name(key) for key in (node.keys if isinstance(node, ast.Dict) else node.elts)) > 1
    )


@pytest.mark.parametrize(
    "text",
    [
        'guard.metric == "errors"', '"review" != metric', 'one.metric in ("labels", "x")', 'x = ("errors", "gauge")',
        'REASONS = {"errors": 1, "latency": 2}', 'state.guard.endswith("/latency")', 'one.guard.endswith(f"/errors")',
        'match guard.guard:\n    case "gauge":\n        pass', 'guard.split("/")[1] == "scores"',
    ],
)  # fmt: skip
def test_it_is_found_out(text: str) -> None:
    assert named(text)


@pytest.mark.parametrize("text", ['one.of == "latency"', 'pod["labels"]', "guard.metric == self.name", '{"labels": 1}'])
def test_other_words_are_none_of_it(text: str) -> None:
    assert not named(text)


def test_nobody_else_names_a_metric() -> None:
    files = [path for path in ROOT.rglob("*.py") if not path.relative_to(ROOT).as_posix().startswith(OWN)]
    assert len(files) > 200
    found = {path.relative_to(ROOT).as_posix(): lines for path in files if (lines := named(path.read_text()))}
    assert found == {}
