"""What a person gives: manifests, data, options. What can't be done is refused by name, before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import fairlead
from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.cli.main import main
from fairlead.local import data, fields, files
from fairlead.local.trouble import Trouble
from fairlead.local.ways import ENGINES

Json = dict[str, Any]
VERSION = "fairlead.dev/v1alpha1"
ONE: Json = {"name": "one", "image": "x", "command": ["true"]}


def document(kind: str, name: str, spec: Json, **meta: Any) -> Json:
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


def pipeline(*steps: Json, **spec: Any) -> Json:
    return document("Pipeline", "delay", {"steps": list(steps) or [ONE], **spec})


def reading(*names: str) -> Json:
    """A Pipeline that reads these Datasets."""
    return pipeline({**ONE, "inputs": {f"i{n}": {"dataset": name} for n, name in enumerate(names)}})


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*documents: Json, words: tuple[str, ...] = ()) -> int:
    Path("pipeline.yaml").write_text(yaml.safe_dump_all(documents))
    return main(["dev", "run", "pipeline.yaml", *words])


def refused(capsys: pytest.CaptureFixture[str], *documents: Json, words: tuple[str, ...] = ()) -> str:
    """What is said; nothing has run."""
    assert run(*documents, words=words) == 2
    assert not list(Path(".fairlead/runs").glob("[0-9]*"))
    return capsys.readouterr().err


def test_a_manifest_is_refused_as_the_api_server_would(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, pipeline({"name": "one", "imgae": "x", "timeout": "soon"}))
    assert "spec.steps[0].imgae: there is no such field; did you mean image?" in told
    assert "spec.steps[0].timeout" in told


def test_a_step_without_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, pipeline({"name": "one"}))
    assert "exactly one of image, component, evaluate, report must be set" in told


def test_a_manifest_is_refused_as_the_operator_would(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, pipeline({**ONE, "needs": ["two"]}))
    assert "spec.steps[0].needs[0]: there is no step 'two'" in told
    circle = pipeline({**ONE, "needs": ["two"]}, {**ONE, "name": "two", "needs": ["one"]})
    assert "steps wait for each other" in refused(capsys, circle)
    assert "parameter 'p' is not declared" in refused(capsys, pipeline({**ONE, "args": ["{{params.p}}"]}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it has nothing"), ("a: [", "is not YAML"), ("- 1", "a document that is no object"),
        ("kind: Pod\nmetadata: {name: x}", "it has Pod x"), ("a: 1\na: 2", "'a' stands twice"),
        ("{" * 3000, "is not YAML"), (yaml.safe_dump_all([pipeline(), pipeline()]), "must have one Pipeline"),
        ("apiVersion: v1\nkind: Pipeline\nmetadata: {name: x}", "must have one Pipeline"),
        ("\xff\x00", "is not YAML"),
    ],
)  # fmt: skip
def test_files_that_have_no_pipeline(text: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pipeline.yaml").write_bytes(text.encode("latin-1"))
    assert main(["dev", "run", "pipeline.yaml"]) == 2
    assert expected in capsys.readouterr().err


def test_a_file_that_is_not_there_or_is_no_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev", "run", "nowhere.yaml"]) == 2
    assert "nowhere.yaml can't be read: No such file" in capsys.readouterr().err
    with Path("large.yaml").open("wb") as file:
        file.truncate(files.LIMIT + 1)
    assert main(["dev", "run", "large.yaml"]) == 2
    assert "is it a manifest?" in capsys.readouterr().err


def test_a_field_that_this_machine_does_not_know_is_refused_by_name() -> None:
    """Whatever is added to a step or a Pipeline is refused until somebody says here what it means."""

    class Later(Step):
        each_of: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it

    class LaterSpec(PipelineSpec):
        after_all: bool = False

    spec = PipelineSpec.model_validate(pipeline()["spec"])
    fields.check(spec)
    fields.check(spec.model_copy(update={"steps": [Later.model_validate({**ONE, "eachOf": {}})]}))  # it says nothing
    with pytest.raises(Trouble, match=r"spec\.steps\[0\]\.eachOf can't be done on this machine"):
        fields.check(spec.model_copy(update={"steps": [Later.model_validate({**ONE, "eachOf": {"a": "b"}})]}))
    with pytest.raises(Trouble, match=r"spec\.afterAll can't be done on this machine"):
        fields.check(LaterSpec.model_validate({**pipeline()["spec"], "afterAll": True}))


def test_no_field_is_of_two_sorts() -> None:
    steps = [fields.STEP, fields.PLACED, fields.ENGINE, fields.NAMESPACE]
    for sorts, model in ((steps, Step), ([fields.PIPELINE, fields.ELSEWHERE], PipelineSpec)):
        names = [name for sort in sorts for name in sort]
        assert len(names) == len(set(names))
        assert set(names) <= set(model.model_fields)


def test_what_has_no_effect_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    step = {**ONE, "secrets": ["db"], "nodeSelector": {"a": "b"}, "resources": {"memory": "1Gi"}, "cache": True}
    other = document("Deployment", "delay", {"model": {"name": "delay"}})
    trigger, cache = {"schedule": {"cron": "0 3 * * 1"}}, {"maxAge": "30d"}
    assert run(pipeline(step, triggers=[trigger], concurrency="Allow", cache=cache), other) == 0
    told = capsys.readouterr().out
    assert "step one: Secrets of a namespace are not here, so there is no /fairlead/secrets for db" in told
    assert "without effect here: cache, concurrency, triggers, steps[].cache, steps[].nodeSelector" in told
    assert "not used: Deployment delay" in told
    assert "images are not used, and resources are no limits" in told


def test_options_that_name_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--step two: there is no such step; there are one" in refused(capsys, pipeline(), words=("--step", "two"))
    told = refused(capsys, pipeline(params={"a": "1"}), words=("-p", "b=1"))
    assert "--param b: the Pipeline declares no such parameter; it has a" in told
    Path("file").write_text("")
    assert "--out file/x" in refused(capsys, pipeline(), words=("--out", "file/x"))


def test_containers_need_an_engine_that_answers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = refused(capsys, pipeline(), words=("--containers",))
    assert f"none of {', '.join(ENGINES)} is on this machine" in told
    (tmp_path / "podman").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "podman").chmod(0o755)
    assert "podman is here and does not answer" in refused(capsys, pipeline(), words=("--containers",))


ENGINE = """#!/bin/bash
[ "$1" = version ] && exit 0
[ "$1" = kill ] && { echo "$2" > killed; exit 0; }
echo "$@" > asked
while [ "$1" != x ]; do
  case "$1" in
    type=bind,*) s=${1#*source=}; s=${s%%,*}; t=${1#*target=}; t=${t%%,*}; at="$at;$t=$s";;
    --env) shift; export "$1";;
    --entrypoint) shift; run="$1";;
  esac
  shift
done
shift
out=${at#*/fairlead/out=}; out=${out%%;*}
exec "$run" "${@/\\/fairlead\\/out/$out}"
"""
"""Does what an engine does with the command line, but for the container."""


def test_steps_run_in_containers_of_the_engine(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "docker").write_text(ENGINE)
    (bin_ / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    step = {**ONE, "command": ["sh", "-ec"], "args": ['printf "$FAIRLEAD_IN" > /fairlead/out/x'], "outputs": {"x": {}}}
    assert run(pipeline(step), words=("--containers",)) == 0
    assert Path(".fairlead/runs/1/steps/one/out/x").read_text() == "/fairlead/in"  # a container has the pod's folders
    asked = (Path(".fairlead/runs/1/steps/one") / "asked").read_text()
    assert "--rm --name fairlead-" in asked
    assert "images are not used" not in capsys.readouterr().out


# --- data ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        (["d"], ["a"], {"a": "d"}), (["a=d"], ["a"], {"a": "d"}), (["d"], ["x", "y"], {"x": "d/x", "y": "d/y"}),
        (["d"], ["x"], {"x": "d/x"}), (["x=d/y", "y=d/x"], ["x", "y"], {"x": "d/y", "y": "d/x"}),
        (["d/f=g.csv"], ["a"], {"a": "d/f=g.csv"}), ([], [], {}), (["a=d/f=g.csv"], ["a"], {"a": "d/f=g.csv"}),
    ],
)  # fmt: skip
def test_where_data_lies(tmp_path: Path, given: list[str], wanted: list[str], expected: dict[str, str]) -> None:
    for name in ("x", "y"):
        (tmp_path / "d" / name).mkdir(parents=True)
    (tmp_path / "d" / "f=g.csv").write_text("")
    found = data.located(given, wanted)
    assert {name: path.relative_to(tmp_path.resolve()).as_posix() for name, path in found.items()} == expected


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ([], ["a", "b"], "--data a=PATH --data b=PATH"), (["c=d"], ["a"], "no step reads a Dataset 'c'; they read a"),
        (["a=nowhere"], ["a"], "nowhere is not there"), (["a=d", "a=d"], ["a"], "has a path already"),
        (["d"], ["x", "z"], "there is no folder z in it"), (["d"], [], "no step reads a Dataset"),
    ],
)  # fmt: skip
def test_data_that_can_not_be_found(tmp_path: Path, given: list[str], wanted: list[str], expected: str) -> None:
    (tmp_path / "d" / "x").mkdir(parents=True)
    with pytest.raises(Trouble, match=expected):
        data.located(given, wanted)


def test_a_format_that_nobody_says_is_told_from_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows").mkdir()
    Path("rows/a.csv").write_text("x,y\n1,2\n")
    assert run(reading("rows"), words=("--data", "rows")) == 0
    told = capsys.readouterr().out
    assert "1 row" in told
    assert "(csv, by the files' names)" in told
    assert "read as x integer, y integer" in told
    Path("rows/b.jsonl").write_text("{}\n")
    assert main(["dev", "run", "pipeline.yaml", "--data", "rows"]) == 2
    told = capsys.readouterr().err
    assert "can't be told from the names" in told
    assert "b.jsonl (jsonl)" in told
    assert "spec.format" in told


def test_data_that_is_not_as_it_should_be_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    spec = {"source": {"s3": {"bucket": "abc"}}, "format": "csv", "checks": [{"rows": {"min": 2}}, {"unique": ["x"]}],
            "schema": {"columns": [{"name": "x", "type": "integer", "max": "5"}]}}  # fmt: skip
    Path("rows").mkdir()
    Path("rows/a.csv").write_text("x\n9\n")
    told = refused(capsys, document("Dataset", "rows", spec), reading("rows"), words=("--data", "rows"))
    assert "no version is made of it" in told
    assert "rows" in told
    assert "9" in told
    Path("rows/a.csv").write_bytes(b'x\n"9\n')
    assert "a.csv" in refused(capsys, document("Dataset", "rows", spec), reading("rows"), words=("--data", "rows"))
    assert "there is nothing under" in refused(
        capsys, document("Dataset", "rows", spec), reading("rows"), words=("--data", str(empty()))
    )


def empty() -> Path:
    Path("empty").mkdir()
    return Path("empty")


def test_data_is_only_read(tmp_path: Path) -> None:
    """A step that writes into what it reads changes a copy."""
    Path("rows").mkdir()
    Path("rows/a.csv").write_text("x\n1\n")
    step = {**ONE, "command": ["sh", "-ec", "chmod -R u+w /fairlead/in; echo 2 >> /fairlead/in/i/a.csv"],
            "inputs": {"i": {"dataset": "rows"}}}  # fmt: skip
    assert run(pipeline(step), words=("--data", "rows")) == 0
    assert (tmp_path / "rows/a.csv").read_text() == "x\n1\n"


WITHOUT = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {
            "duckdb", "pyarrow", "numpy", "boto3", "botocore", "kubernetes", "aiohttp", "kopf", "rich", "dulwich"
        }:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gone())
from fairlead.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_what_reads_data_is_needed_where_there_is_data(tmp_path: Path) -> None:
    """Neither a cluster's nor a store's packages are needed at all."""
    env = {**os.environ, "PYTHONPATH": str(Path(fairlead.__file__).parents[1])}
    words = [sys.executable, "-c", WITHOUT, "dev", "run", "pipeline.yaml"]
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(pipeline()))
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(reading("rows")))
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/a.csv").write_text("x\n1\n")
    done = subprocess.run([*words, "--data", "rows"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "pip install 'fairlead[cli,worker]'" in done.stderr


PYTHON = """
import fairlead
from fairlead import Model, Out

@fairlead.step
def fit(model: Out[Model], rows: int = 3) -> None:
    (model / "rows").write_text(str(rows))
    fairlead.log_metric("rows", rows)

@fairlead.pipeline
def delay(rows: int = 3) -> None:
    fit(rows=rows)
"""


def test_a_pipeline_in_python_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "delay_py.py").write_text(PYTHON)
    words = [sys.executable, "-c", "import sys; from fairlead.cli.main import main; sys.exit(main(sys.argv[1:]))"]
    env = {**os.environ, "PYTHONPATH": str(Path(fairlead.__file__).parents[1])}
    words += ["dev", "run", "src/delay_py.py"]
    done = subprocess.run([*words, "-p", "rows=5"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert Path(".fairlead/runs/1/steps/fit/out/model/rows").read_text() == "5"
    assert "rows 5" in done.stdout  # the metric, in the tree
    (tmp_path / "src" / "delay_py.py").write_text("1 / 0")
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert main(["dev", "run", "nowhere.py"]) == 2
    assert "there is no file 'nowhere.py'" in capsys.readouterr().err


def test_code_is_the_working_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "repo"
    (root / "training").mkdir(parents=True)
    (root / "training" / "go.py").write_text(
        "import os; open(os.environ['FAIRLEAD_OUT'] + '/x', 'w').write(os.environ['FAIRLEAD_COMMIT'])"
    )
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    step = {
        **ONE,
        "command": ["sh", "-ec", "python go.py; test -f /fairlead/code/training/go.py"],
        "outputs": {"x": {}},
    }
    code = {"git": {"url": "https://example.com/repo", "path": "training"}}
    assert run(pipeline(step, code=code), words=("--workdir", "repo")) == 0
    assert Path(".fairlead/runs/1/steps/one/out/x").read_text() == head
    assert f"the code is what lies in {root} (commit {head[:12]} and what is not committed)" in capsys.readouterr().out
    told = run(pipeline(step, code={"git": {**code["git"], "path": "elsewhere"}}), words=("--workdir", "repo"))
    assert told == 2
    assert "spec.code.git.path: there is no folder elsewhere" in capsys.readouterr().err
