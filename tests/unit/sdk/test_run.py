"""A step in its pod: with Python alone, and with the user's own words when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fairlead

HERE = Path(__file__).parent
OURS = Path(fairlead.__file__).parents[1]
ALONE = (
    "import runpy, sys; sys.path[:0] = sys.argv[1].split(':'); sys.argv[:2] = ['run']; "
    "runpy.run_module('fairlead.sdk.run', run_name='__main__', alter_sys=True)"
)
"""What `python -m fairlead.sdk.run` does, where neither the environment nor site-packages add anything."""


@pytest.fixture
def pod(tmp_path):
    """A pod's folders; `run(module:function, *arguments)` runs a step in it."""
    (tmp_path / "in" / "raw").mkdir(parents=True)
    (tmp_path / "in" / "raw" / "rows.csv").write_text("1\n2\n3\n4")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "flow.py").write_text((HERE / "flow.py").read_text())

    class Pod:
        folder = tmp_path
        out = tmp_path / "out"

        def write(self, name: str, text: str) -> None:
            (tmp_path / "code" / f"{name}.py").write_text(f"import fairlead\n{text}")

        def run(self, *words: str) -> subprocess.CompletedProcess[str]:
            paths = {"FAIRLEAD_IN": str(tmp_path / "in"), "FAIRLEAD_OUT": str(tmp_path / "out")}
            return subprocess.run(
                [sys.executable, "-I", "-S", "-c", ALONE, f"{OURS}:{tmp_path / 'code'}", *words],
                env={"PATH": os.environ["PATH"], **paths}, cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip

    return Pod()


def test_a_step_runs_with_python_alone(pod):
    done = pod.run("flow:prepare", "--rows=3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (pod.out / "train" / "rows.csv").read_text() == "1\n2"
    assert (pod.out / "test" / "rows.csv").read_text() == "3"
    assert (pod.out / "stats").read_text() == "3"
    assert json.loads((pod.out / ".fairlead" / "metrics.jsonl").read_text()) == {"name": "rows", "value": 3}


def test_nothing_but_the_standard_library_is_loaded(pod):
    tell = "print(*sorted(set(sys.modules) - sys.stdlib_module_names))"
    pod.write("loaded", f"import sys\n@fairlead.step\ndef tell() -> None:\n    {tell}\n")
    packages = {
        one for one in pod.run("loaded:tell").stdout.split() if one.partition(".")[0] not in sys.stdlib_module_names
    }
    assert "fairlead.sdk" in packages
    assert {one for one in packages if not one.startswith("fairlead.sdk")} == {"__main__", "fairlead", "loaded"}


def test_defaults_are_the_functions(pod):
    (pod.folder / "in" / "rows").mkdir()
    (pod.folder / "in" / "rows" / "rows.csv").write_text("1")
    done = pod.run("flow:train", "--kind=boosted")
    assert done.returncode == 0, done.stderr
    assert (pod.out / "model" / "model.txt").read_text() == "boosted 0.1 1"


def test_a_files_input_is_the_file(pod):
    for name, file in (("model", "m.txt"), ("stats", "stats")):
        (pod.folder / "in" / name).mkdir()
        (pod.folder / "in" / name / file).write_text("7")
    assert pod.run("flow:report").stdout == "7 ['m.txt']\n"
    (pod.folder / "in" / "stats" / "more").write_text("7")
    done = pod.run("flow:report")
    assert done.returncode == 2
    assert "the input 'stats' is one file, and there are 2 files" in done.stderr


def test_a_users_traceback_is_the_end_of_the_log(pod):
    (pod.folder / "in" / "rows").mkdir()
    (pod.folder / "in" / "rows" / "rows.csv").write_text("1")
    done = pod.run("flow:train", "--kind=linear")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "RuntimeError: a linear model won't do"
    assert "fairlead/sdk" not in done.stderr
    assert lines[1].lstrip().startswith(f'File "{pod.folder / "code" / "flow.py"}"')


def test_an_error_when_its_module_is_imported_is_the_users_too(pod):
    pod.write("broken", "import nothing_of_that_name\n")
    done = pod.run("broken:step")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'nothing_of_that_name'"
    assert "fairlead/sdk" not in done.stderr
    pod.write("cut_off", "def (\n")
    assert pod.run("cut_off:step").stderr.splitlines()[-1].startswith("SyntaxError")


def test_a_mistake_ends_with_the_line_to_be_changed(pod):
    pod.write("wrong", "@fairlead.step\ndef wrong(a) -> None:\n    pass\n")
    done = pod.run("wrong:wrong")
    assert done.returncode == 1
    assert "fairlead/sdk" not in done.stderr
    assert "wrong.py" in done.stderr
    assert "a has no type" in done.stderr.splitlines()[-1]


def test_an_error_of_ours_within_a_step_has_its_line(pod):
    pod.write("nan", "@fairlead.step\ndef nan() -> None:\n    fairlead.log_metric('a', float('nan'))\n")
    done = pod.run("nan:nan")
    assert done.returncode == 1
    assert "fairlead.log_metric('a', float('nan'))" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ValueError: the metric a is nan")


def test_what_was_printed_before_the_process_is_killed_is_in_the_log(pod):
    pod.write("killed", "import os\n@fairlead.step\ndef killed() -> None:\n    print('so far')\n    os._exit(9)\n")
    done = pod.run("killed:killed")
    assert (done.returncode, done.stdout) == (9, "so far\n")


def test_a_crash_of_native_code_says_where(pod):
    pod.write("crash", "import ctypes\n@fairlead.step\ndef crash() -> None:\n    ctypes.string_at(0)\n")
    done = pod.run("crash:crash")
    assert done.returncode < 0
    assert "Fatal Python error" in done.stderr
    assert "in crash\n" in done.stderr


def test_exits_are_the_users(pod):
    pod.write("ends", "import sys\n@fairlead.step\ndef ends(code: int) -> None:\n    sys.exit(code)\n")
    assert [pod.run("ends:ends", f"--code={code}").returncode for code in (0, 7)] == [0, 7]


def test_a_step_that_leaves_nothing_has_failed(pod):
    done = pod.run("flow:forgets")
    assert (done.returncode, done.stdout) == (1, "nothing into table\n")
    assert (
        done.stderr == f"error: the step has ended, and has not written table (Out[Dataset]) at {pod.out / 'table'}\n"
    )


def test_what_a_function_returns_is_not_lost_in_silence(pod):
    pod.write("returns", "@fairlead.step\ndef returns():\n    return 5\n")
    done = pod.run("returns:returns")
    assert done.returncode == 0
    assert "what the step has returned goes nowhere" in done.stderr


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("float", "1", "1.0\n"),
        ("str", "'a b\\n'", "a b\n\n"),
        ("list[int]", "[1, 2]", "[1, 2]\n"),
        ("bool", "True", "true\n"),
    ],
)
def test_what_a_function_returns_is_its_value(pod, kind, value, kept):
    pod.write("gives", f"@fairlead.step\ndef gives() -> {kind}:\n    return {value}\n")
    done = pod.run("gives:gives")
    assert (done.returncode, done.stderr) == (0, "")
    assert (pod.out / "value").read_text() == kept


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("float", "'1'", "'1' is not float"), ("int", "None", "None is not int"), ("str", "'\\ud800'", "surrogates"),
        ("str", "'x' * 1025", "has 1025 bytes"), ("str", "'\\r'", "control characters"),
        ("list", "[{1}]", "can't be written as JSON"),
    ],
)  # fmt: skip
def test_what_can_be_no_value(pod, kind, value, said):
    pod.write("gives", f"@fairlead.step\ndef gives() -> {kind}:\n    return {value}\n")
    done = pod.run("gives:gives")
    assert done.returncode == 1
    assert said in done.stderr
    assert not (pod.out / "value").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which step?"), (["flow"], "named by module:function"), (["flow:"], "named by module:function"),
        (["flov:prepare"], "there is no module 'flov'"), (["flow.sub:prepare"], "there is no module"),
        (["flow:nothing"], "nothing is no step of flow"), (["flow:whole_flow"], "whole_flow is no step of flow"),
        (["flow:prepare", "--row=1"], "there is no parameter 'row'; there are rows"),
        (["flow:prepare", "rows=1"], "is no --name=value"), (["flow:prepare", "--rows"], "is no --name=value"),
        (["flow:prepare", "--rows=x"], "--rows: 'x' is not int"),
        (["flow:prepare", '--rows:="x"'], "--rows: 'x' is not int"), (["flow:prepare", "--rows:=x"], "is no JSON"),
        (["flow:train"], "it needs --kind=…"), (["flow:train", "--kind=linear"], "the input 'rows' is not there"),
    ],
)  # fmt: skip
def test_what_it_can_not_run_it_says_in_a_line(pod, words, said):
    done = pod.run(*words)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_by_hand_it_is_run_as_a_module(pod):
    """As its command in the Pipeline has it: the working directory is where modules are found."""
    where = {"FAIRLEAD_IN": str(pod.folder / "in"), "FAIRLEAD_OUT": str(pod.out), "PYTHONPATH": str(OURS)}
    done = subprocess.run(
        [sys.executable, "-S", "-m", "fairlead.sdk.run", "flow:prepare"],
        env={"PATH": os.environ["PATH"], **where}, cwd=pod.folder / "code", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
