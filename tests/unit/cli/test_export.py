"""`fairlead export`: a Python file becomes YAML that every reader reads alike, or is said to be none."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import fairlead
from fairlead.cli import export, session
from fairlead.cli.main import main
from fairlead.cli.yamltext import dumped

FLOW = Path(__file__).parents[1] / "sdk" / "flow.py"
SMALL = """
import fairlead

@fairlead.step(image="x")
def one(raw: fairlead.In[fairlead.Dataset], rows: fairlead.Out[fairlead.Dataset]) -> None: ...

@fairlead.pipeline
def whole():
    one(fairlead.Dataset("flights"))
"""
_numbers = itertools.count()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a file of a name that no other test's has."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(text: str, start: str = SMALL) -> str:
        path = tmp_path / f"exported_{next(_numbers)}.py"
        path.write_text(f"{start}\n{text}\n")
        return str(path)

    return write


def test_the_same_file_gives_the_same_bytes_in_every_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["export", str(FLOW), "-n", "airline"]) == session.OK
    here = capsys.readouterr().out
    code = "import sys; from fairlead.cli.main import main; sys.exit(main(sys.argv[1:]))"
    there = subprocess.run(
        [sys.executable, "-c", code, "export", str(FLOW), "-n", "airline"],
        env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert there.stdout == here
    made = yaml.safe_load(here)
    assert made["metadata"] == {"name": "whole-flow", "namespace": "airline"}
    assert [one["name"] for one in made["spec"]["steps"]] == ["prepare", "train", "train-large", "report"]


@pytest.mark.parametrize(
    "text",
    [
        "on", "y", "No", "NULL", "~", "1e3", "0x1f", "1_000", "2024-01-01", "12:30:00", ".inf", "=", "<<", "a: b",
        "a #b", "- a", "é\u0085b", "", " ", "a\nb", "\x07", "\ufeff", "{a}", "[a]", "&a", "*a", "!a", "%a", "@a", "`a`",
        "a" * 5000, "true", "0o17", "+1", "-", "'", '"',
    ],
)  # fmt: skip
def test_texts_stay_texts(text):
    assert yaml.safe_load(dumped({"a": text, "list": [text]})) == {"a": text, "list": [text]}
    plain = dumped({"a": text}).removeprefix("a: ").strip()
    assert plain.startswith('"') or text == "a" * 5000
    assert dumped({"a": "v1/x-y.z:1"}) == "a: v1/x-y.z:1\n"


def test_an_image_and_a_name_can_be_given(written, capsys):
    other = """
@fairlead.step
def two(rows: fairlead.In[fairlead.Dataset]) -> None: ...

@fairlead.pipeline
def other():
    two(fairlead.Dataset("flights"))
"""
    file = written(other)
    assert main(["export", file]) == session.USAGE
    assert f"has several pipelines; write {file}:whole or {file}:other" in capsys.readouterr().err
    assert main(["export", f"{file}:other", "--image", "registry.example/it@sha256:0"]) == session.OK
    (step,) = yaml.safe_load(capsys.readouterr().out)["spec"]["steps"]
    assert step["image"] == "registry.example/it@sha256:0"
    assert main(["export", f"{file}:other"]) == session.FAILED
    assert capsys.readouterr().err.startswith("error: the step 'two' has no image")
    assert main(["export", f"{file}:third"]) == session.USAGE
    assert "has no pipeline 'third'; it has whole, other" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("whole.fields = {'concurency': 'Forbid'}", "spec.concurency is no field of a Pipeline"),
        ("whole.fields = {'concurrency': 'Sometimes'}", "spec.concurrency: Input should be"),
        (
            "whole.fields = {'triggers': [{'dataset': {'name': 'a', 'rows': 1}}]}",
            "spec.triggers[0].dataset.rows is no field",
        ),
        ("one.settings.fields['timeout'] = 'soon'", "spec.steps[0].timeout: String should match pattern"),
        ("one.settings.fields['volumes'] = []\none.settings.fields['memory'] = 1", "spec.steps[0].memory is no field"),
        (
            "one.settings.fields['node_selector'] = {'a': 'b'}",
            "spec.steps[0].node_selector is no field of a Pipeline; write nodeSelector",
        ),
        ("one.settings.fields['no_de'] = 1", "spec.steps[0].no_de is no field of a Pipeline; see docs"),
        ("one.settings.fields['resources'] = {'gpus': 1}", "spec.steps[0].resources.gpus is no field"),
    ],
)
def test_fields_that_no_pipeline_has(written, capsys, more, said):
    assert main(["export", written(more)]) == session.FAILED
    read = capsys.readouterr()
    assert (read.out, read.err.startswith(f"error: {said}")) == ("", True), read.err


def test_what_no_schema_can_say_is_checked_too(written, capsys):
    again = """
@fairlead.pipeline
def round_and_round():
    a = one.options(name="a")(fairlead.Dataset("flights"))
    b = one.options(name="b")(a)
    a.after(b)
"""
    assert main(["export", f"{written(again)}:round_and_round"]) == session.FAILED
    assert "steps wait for each other" in capsys.readouterr().err


def test_an_error_of_the_file_is_shown_as_it_is(written, capsys):
    file = written("1 / 0")
    assert main(["export", file]) == session.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert lines[1] == f'  File "{file}", line 11, in <module>'


def test_a_mistake_in_a_pipeline_ends_with_its_line(written, capsys):
    file = written("@fairlead.pipeline\ndef wrong():\n    one('flights')\n")
    assert main(["export", f"{file}:wrong"]) == session.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert "one.raw is In[Dataset]: give it fairlead.Dataset" in lines[-1]
    assert "one('flights')" in lines[-2] or "one('flights')" in lines[-3]


def test_what_is_no_file_and_no_pipeline(written, tmp_path, capsys):
    assert main(["export", str(tmp_path / "nothing.py")]) == session.USAGE
    assert "there is no file" in capsys.readouterr().err
    assert main(["export", written("", start="import fairlead")]) == session.USAGE
    assert "has no function with @fairlead.pipeline" in capsys.readouterr().err
    for name, said in (
        ("statistics.py", "has the name of another module, statistics"),
        ("a-b.py", "can't be imported"),
    ):
        (tmp_path / name).write_text(SMALL)
        assert main(["export", str(tmp_path / name)]) == session.FAILED
        assert said in capsys.readouterr().err


def test_a_file_in_a_package_is_imported_as_its_pod_does_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    package = tmp_path / f"exported_{next(_numbers)}" / "steps"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "common.py").write_text("NAME = 'flights'\n")
    (package / "flow.py").write_text(f"from .common import NAME\n{SMALL}")
    assert main(["export", str(package / "flow.py")]) == session.OK
    (step,) = yaml.safe_load(capsys.readouterr().out)["spec"]["steps"]
    assert step["command"][-1] == f"{package.parent.name}.steps.flow:one"


def test_all_that_was_given_was_read():
    assert export.unknown({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, "spec") == ""
    assert export.unknown({"a": [{"b": 1}, {"d": 1}]}, {"a": [{"b": 1}, {}]}, "spec").startswith(
        "spec.a[1].d is no field"
    )


@pytest.mark.parametrize(
    ("words", "extra"),
    [(["get", "run", "a"], "cli"), (["operator", "--config", "a"], "operator"), (["worker", "fetch"], "worker")],
)  # fmt: skip
def test_without_its_packages_a_command_says_what_to_install(words, extra):
    ours = str(Path(fairlead.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {ours!r}); from fairlead.cli.main import main; sys.exit(main({words}))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(f"is not installed: pip install 'fairlead[{extra}]'\n")
    assert len(done.stderr.splitlines()) == 1
