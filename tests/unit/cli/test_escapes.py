"""What objects say is shown as text: nothing in it is obeyed by a terminal, or makes it show something else."""

import ast
import io
from pathlib import Path

import pytest

from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli import blocks, session, show_run
from fairlead.cli.blocks import Lines, Node, Table, Title
from fairlead.cli.session import FAILED, Problem
from fairlead.cli.text import one_line, printable

ESC, CSI, BELL, OVERRIDE, ISOLATE, RETURN, SEPARATOR = "\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\r", "\u2028"
OBEYED = (ESC, CSI, BELL, OVERRIDE, ISOLATE, RETURN, SEPARATOR, "\x00", "\x08", "\u200f", "\ud800")
HOSTILE = f"a{''.join(OBEYED)}[2J[31mb"
CLI = Path(session.__file__).parent


def shapes(text: str) -> list[blocks.Block]:
    tree = Node(text)
    tree.add(text).add(text)
    return [Title(text, text, text), Lines([text, f"{text}\n{text}"]), Table([text, text], [[text, text]], text), tree]


@pytest.mark.parametrize("block", shapes(HOSTILE), ids=lambda block: type(block).__name__)
def test_plain_text_has_nothing_that_a_terminal_obeys(block: blocks.Block) -> None:
    shown = blocks.plain([block])
    assert not set(shown) & set(OBEYED)
    assert printable(HOSTILE) in shown


@pytest.mark.parametrize("block", shapes(HOSTILE), ids=lambda block: type(block).__name__)
def test_with_colours_the_only_escapes_are_our_own(block: blocks.Block) -> None:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, force_terminal=True, width=1000, soft_wrap=True).print(blocks._drawn(block), highlight=False)
    assert not set(out.getvalue()) & (set(OBEYED) - {ESC})
    assert "\x1b[2J" not in out.getvalue()
    assert "\x1b[31mb" not in out.getvalue()
    assert "\\x1b\\x9b" in out.getvalue()


@pytest.mark.parametrize(("text", "shown"), [
    ("plain", "plain"), ("select 1\nfrom x\r\n", "select 1\\nfrom x\\r\\n"), ("a\tb", "a\\tb"), ("", ""),
    ("x" * 200, "x" * 200), ("x" * 201, "x" * 199 + "…"), ("\n" * 101, "\\n" * 99 + "\\…"),
])  # fmt: skip
def test_a_fact_is_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_parameters_with_line_breaks_are_a_line_each() -> None:
    spec = {"pipeline": "p", "reason": "because\nof", "params": {"a": "1", "query": "select 1\nfrom x\n" * 50}}
    found = PipelineRun.model_validate({"spec": spec, "status": {}})
    shown = blocks.plain(show_run.blocks("p-1", found, 0.0)).splitlines()
    assert [line[:31] for line in shown if line.startswith(("because", "param"))] == [
        "because  because\\nof", "param    a=1", "param    query=select 1\\nfrom x",
    ]  # fmt: skip
    assert all(len(line) < 220 for line in shown)


def test_what_is_told_is_escaped_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    session.tell(f"one{ESC}[2J\ntwo{OVERRIDE}")
    assert capsys.readouterr().out == "one\\x1b[2J\ntwo\\u202e\n"


def test_errors_are_escaped_too(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> int:
        raise Problem(f"message of the object: {ESC}]0;title{BELL}")

    assert session.guarded(fails) == FAILED
    assert capsys.readouterr().err == "error: message of the object: \\x1b]0;title\\x07\n"


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    session.print_json({"message": HOSTILE})
    assert capsys.readouterr().out.isascii()


def test_ordinary_text_of_all_languages_stays() -> None:
    assert printable("Zürich 東京 مرحبا 😀 ½ a\\b") == "Zürich 東京 مرحبا 😀 ½ a\\b"


def prints() -> set[tuple[str, str, int]]:
    """(file, call, arguments) of everything that writes to standard output or error."""
    found = set()
    for file in CLI.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                call = ast.unparse(node.func)
                if call == "print" or call.endswith(("stdout.write", "stderr.write")):
                    found.add((file.name, call, len(node.args)))
    return found


def test_commands_print_by_these_ways_only() -> None:
    assert prints() == {
        ("session.py", "print", 1),  # in `tell` and `print_json`
        ("blocks.py", "sys.stdout.write", 1),  # in `show`
        ("get.py", "sys.stdout.write", 1),  # clears the screen
        ("export.py", "print", 1),  # YAML, which escapes what is not printable
        ("main.py", "print", 1),  # the name of a package that is not installed
        ("logs.py", "sys.stdout.write", 1),  # a log: as it is for programs, for a terminal without escapes but colours
        ("verdict.py", "print", 0),
        ("monitor_page.py", "sys.stdout.write", 1),  # a page whose texts are printable and escaped
        ("profile.py", "sys.stdout.write", 1),  # JSON in ASCII, or a page whose texts are printable and escaped
    }
