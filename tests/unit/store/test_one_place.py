"""What a source or a format is, its own file says: no other one names it. So one more is one file, and one line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import fairlead
from fairlead.api import dataset
from fairlead.api.formats import OPTIONS, FormatName
from fairlead.plan.sources.registry import SOURCES
from fairlead.store.sources.registry import KINDS
from fairlead.worker.formats.registry import FORMATS

ROOT = Path(fairlead.__file__).parent
NAMES = {*SOURCES, *FORMATS}
FOLDERS = ("plan/sources", "store/sources", "worker/formats")
ALLOWED = {
    "api/dataset.py": "the fields that people write",
    "api/formats.py": "what plans have to know of a format",
    "api/tasks.py": "the same fields, told to a worker",
}
"""Files that may say a name, and why."""
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
COMMON = {"base", "registry", "typed", "words"}
"""Modules of these folders that others may import."""


ABOUT = re.compile(rf"source|format|\bform|task|dataset|spec\.({'|'.join(NAMES)})\b", re.IGNORECASE)
"""What a statement speaks of in which a name is one of a source or a format: `http` is a scheme elsewhere."""


def said(tree: ast.AST) -> Iterator[str]:
    """Names of sources and formats: as texts, as fields that are read or given."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt):
            parts = list(own(statement))
            if ABOUT.search(" ".join(ast.unparse(part) for part in parts)):
                line = getattr(statement, "lineno", "?")
                yield from (f"{name} in line {line}" for part in parts for name in names(part))


def own(node: ast.AST) -> Iterator[ast.AST]:
    """What of a statement is no statement in it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.match_case):
            yield child.pattern
        elif not isinstance(child, ast.stmt):
            yield child


def names(part: ast.AST) -> Iterator[str]:
    for node in ast.walk(part):
        match node:
            case ast.Constant(value=str() as name) | ast.Attribute(attr=name) | ast.keyword(arg=str() as name):
                if name in NAMES:
                    yield name


def imported(tree: ast.AST) -> Iterator[str]:
    """Modules, and what may be modules, that a file imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names)
            case ast.ImportFrom(module=str() as module, names=names):
                yield module
                yield from (f"{module}.{one.name}" for one in names)


@cache
def tree(file: str) -> ast.AST:
    return ast.parse((ROOT / file).read_text())


@pytest.mark.parametrize(
    "text",
    [
        'form: str = "parquet"', "reach(spec.source.s3, config)", "x = spec.csv", 'if reading.format == "csv":\n  pass',
        "SnapshotTask(csv=1)",
        'for one in (spec.get("store"), spec.get("source").get("s3")):\n  pass', 'match form:\n  case "csv":\n    pass',
        'def read(form: str = "csv"): ...', 'return "x" if spec.format != "jsonl" else ""',
    ],
)  # fmt: skip
def test_a_name_is_found_wherever_it_is_said(text: str) -> None:
    assert list(said(ast.parse(text)))


def test_a_word_of_another_meaning_is_no_name() -> None:
    assert not list(said(ast.parse('client.make("s3")\nif parts.scheme == "s3":\n  pass')))


def test_no_other_file_names_a_source_or_a_format() -> None:
    others = [file for file in FILES if not file.startswith(FOLDERS) and file not in ALLOWED]
    assert {file: list(said(tree(file))) for file in others if list(said(tree(file)))} == {}


@pytest.mark.parametrize("file", sorted(ALLOWED))
def test_what_is_allowed_is_needed(file: str) -> None:
    targets = [node.target for node in ast.walk(tree(file)) if isinstance(node, ast.AnnAssign)]
    fields = {target.id for target in targets if isinstance(target, ast.Name)}
    assert fields & NAMES or list(said(tree(file)))


def within(module: str, folder: str) -> str:
    """The module of a folder that an import is of; empty if of none, or of one that all may import."""
    parts, room = module.split("."), ["fairlead", *folder.split("/")]
    found = parts[len(room)] if parts[: len(room)] == room and len(parts) > len(room) else ""
    return "" if found in COMMON else found


@pytest.mark.parametrize("folder", FOLDERS)
def test_others_know_the_registry_only(folder: str) -> None:
    """But for a source's reader, which knows what the plan's half of the same source asks."""
    modules = [file for file in FILES if not file.startswith(folder)]
    found = {file: {within(one, folder) for one in imported(tree(file))} - {""} for file in modules}
    twins = {file: {Path(file).stem} for file in modules if file.startswith(FOLDERS)}
    assert {file: names for file, names in found.items() if names - twins.get(file, set())} == {}


@pytest.mark.parametrize("one", [*SOURCES.values(), *KINDS.values(), *FORMATS.values()])
def test_siblings_do_not_know_each_other(one: object) -> None:
    """Each is in a module of its own, which only the registry imports."""
    module = one.__module__
    folder = module.rpartition(".")[0].removeprefix("fairlead.").replace(".", "/")
    files = [file for file in FILES if file.startswith(folder) and Path(file).stem != "registry"]
    assert not [file for file in files if module in imported(tree(file))]


def test_both_sides_and_the_api_know_the_same_ones() -> None:
    assert list(SOURCES) == list(KINDS) == [f for f in dataset.Source.model_fields if f != "exclude"]
    assert set(FORMATS) == set(FormatName.__args__)  # type: ignore[attr-defined]
    assert set(OPTIONS) <= set(FORMATS)
