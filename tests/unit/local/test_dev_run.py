"""`fairlead dev run` from its command line to its end: processes of this machine, no cluster, no store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.cli.main import main
from fairlead.local.jobs import Machine
from fairlead.local.run import Run
from fairlead.plan.core import Plan
from fairlead.worker import digests

Json = dict[str, Any]
IMAGE = "example.com/steps:1"
PYTHON = "from fairlead.cli.main import main; import sys; sys.exit(main(sys.argv[1:]))"


def step(name: str, shell: str, **more: Any) -> Json:
    return {"name": name, "image": IMAGE, "command": ["sh", "-ec", shell], **more}


def out(*names: str, kind: str = "file") -> Json:
    return {name: {"type": kind} for name in names}


def written(folder: Path, *steps: Json, **spec: Any) -> Path:
    """A manifest with these steps."""
    path = folder / "pipeline.yaml"
    body = {"steps": list(steps), **spec}
    manifest = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Pipeline", "metadata": {"name": "delay"}, "spec": body}
    path.write_text(yaml.safe_dump(manifest))
    return path


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def run(*words: str) -> int:
    return main(["dev", "run", "pipeline.yaml", *words])


def record(number: int = 1) -> Json:
    found: Json = json.loads(Path(f".fairlead/runs/{number}/run.json").read_text())
    return found


def steps(number: int = 1) -> dict[str, Json]:
    return {one["name"]: one for one in record(number)["status"]["steps"]}


def log(name: str, number: int = 1) -> str:
    return Path(f".fairlead/runs/{number}/steps/{name}/log").read_text()


def test_steps_run_in_the_order_of_the_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(
        tmp_path,
        step("last", "echo last >> $TRACE; cat /fairlead/in/m/model", inputs={"m": {"output": "train.model"}}),
        step("train", "echo train >> $TRACE; cat /fairlead/in/f/a /fairlead/in/f/b/c > /fairlead/out/model",
             inputs={"f": {"output": "prepare.features"}}, outputs=out("model", kind="model")),
        step("prepare", "echo prepare >> $TRACE; mkdir -p $FAIRLEAD_OUT/features/b; echo 1 > $FAIRLEAD_OUT/features/a; "
             "echo 2 > $FAIRLEAD_OUT/features/b/c", outputs=out("features", kind="dataset")),
    )  # fmt: skip
    os.environ["TRACE"] = str(tmp_path / "trace")
    try:
        assert run() == 0
    finally:
        del os.environ["TRACE"]
    assert (tmp_path / "trace").read_text().split() == ["prepare", "train", "last"]
    assert log("last") == "1\n2\n"
    told = capsys.readouterr().out
    assert "  last | 1\n" in told
    assert digests.of_bytes(b"1\n2\n") in told
    assert record()["status"]["phase"] == "Completed"
    assert not Path(".fairlead/runs/1/steps/train/in").exists()  # as with a pod; of one that failed it stays


def test_parameters_and_variables(tmp_path: Path) -> None:
    written(
        tmp_path,
        step("one", 'printf "%s|%s|%s|%s" "$H" "{{params.region}}" "$FAIRLEAD_PARAMS" $FAIRLEAD_STEP-$FAIRLEAD_ATTEMPT>'
             "/fairlead/out/x", env=[{"name": "H", "value": "{{params.horizon}} $(FAIRLEAD_RUN)"}], outputs=out("x")),
        params={"horizon": "24", "region": "NE"},
    )  # fmt: skip
    assert run("-p", "horizon=12") == 0
    text = Path(".fairlead/runs/1/steps/one/out/x").read_text()
    assert text == '12 $(FAIRLEAD_RUN)|NE|{"horizon": "12", "region": "NE"}|one-1'


def test_a_failed_step_stops_the_run_and_says_where_its_log_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(
        tmp_path, step("one", "echo 'ValueError: bad luck'; exit 3"), step("two", "true", needs=["one"]),
        step("three", "true"),
    )  # fmt: skip
    assert run() == 1
    found = steps()
    assert (found["one"]["phase"], found["one"]["reason"]) == ("Failed", "UserError")
    assert "exit code 3" in found["one"]["message"]
    assert "bad luck" in found["one"]["message"]
    assert found["two"]["phase"] == "Aborted"
    told = capsys.readouterr().out
    assert f"log: {tmp_path}/.fairlead/runs/1/steps/one/log" in told
    assert "kubectl" not in told  # there is no cluster to ask


def test_the_log_of_what_ran_too_long_is_a_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its Job is gone by then."""
    written(tmp_path, step("one", "exec sleep 300", timeout="1s", retry={"limit": 1, "backoff": "0s"}))
    assert run() == 1
    told = capsys.readouterr().out
    assert "kubectl" not in told + steps()["one"]["message"]
    assert f"step one failed: {tmp_path}/.fairlead/runs/1/steps/one/attempt-2/log" in told


def test_the_log_of_an_item_that_failed_is_named_not_the_last_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    each = {"matrix": {"region": ["bad", "good"]}, "failures": "Continue"}
    written(tmp_path, step("one", "echo {{each.region}}; test {{each.region}} = good", each=each))
    assert run() == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("step one failed: "))
    assert Path(line.removeprefix("step one failed: ")).read_text() == "bad\n"


def test_what_did_not_run_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(
        tmp_path, step("no", "true", **{"if": [{"param": "region", "in": ["NE"]}]}), step("bad", "exit 1"),
        step("after", "true", needs=["bad"]), params={"region": "SW"},
    )  # fmt: skip
    assert run() == 1
    told = capsys.readouterr().out
    assert "\n– no: Skipped: if: param" in told
    assert "\n– after: Aborted\n" in told


@pytest.mark.parametrize(
    ("line", "hinted"),
    [
        ("No such file: '/fairlead/in/raw'", True),
        ("can't open /fairlead/out/model", True),
        ('File "/usr/lib/python3/site-packages/fairlead/sdk/log.py"', False),
        ("/home/me/fairlead/in/raw: no such file", False),
    ],
)
def test_a_program_that_looks_for_the_folders_of_a_pod_is_told(
    line: str, hinted: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "program.py").write_text(f"raise SystemExit({line!r})")
    written(tmp_path, step("one", "python program.py"))
    assert run() == 1
    assert ("let it ask FAIRLEAD_IN" in capsys.readouterr().out) is hinted


def test_with_keep_going_only_those_stop_that_wait(tmp_path: Path) -> None:
    written(
        tmp_path, step("bad", "exit 1"), step("after", "true", needs=["bad"]), step("later", "true", needs=["after"]),
        step("good", "echo 1 > /fairlead/out/m", outputs=out("m", kind="model")), step("end", "true", needs=["good"]),
        produces=[{"model": "delay", "from": "good.m", "version": {"server": {"runtime": "sklearn"}}}],
    )  # fmt: skip
    assert run("--keep-going") == 1
    phases = {name: one["phase"] for name, one in steps().items()}
    assert phases == {"bad": "Failed", "after": "Aborted", "later": "Aborted", "good": "Completed", "end": "Completed"}
    assert record()["status"]["phase"] == "Failed"
    assert not Path(".fairlead/runs/1/models").exists()  # a run that has failed makes no models


def test_retries_are_those_of_the_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = 'echo "try $FAIRLEAD_ATTEMPT"; test "$FAIRLEAD_ATTEMPT" = 3 && echo yes > /fairlead/out/x'
    written(tmp_path, step("one", shell, outputs=out("x"), retry={"limit": 2, "backoff": "0s"}))
    assert run() == 0
    found = steps()["one"]
    assert (found["attempt"], found["failures"]) == (3, 2)
    assert Path(".fairlead/runs/1/steps/one/attempt-3/log").read_text() == "try 3\n"
    assert log("one") == "try 1\n"
    told = capsys.readouterr().out
    assert [f"attempt {n} failed" in told for n in (1, 2, 3)] == [True, True, False]


def test_a_step_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    shell = "sh -c 'trap \"\" TERM; sleep 300' & echo $! > child; sleep 300"
    written(tmp_path, step("one", shell, timeout="1s"))
    assert run() == 1
    found = steps()["one"]
    assert (found["phase"], found["reason"]) == ("Failed", "DeadlineExceeded")
    assert "timeout" in found["message"]
    assert gone(int((tmp_path / "child").read_text()))


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has), or does so in a moment."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_what_a_step_leaves_running_ends_with_it(tmp_path: Path) -> None:
    written(tmp_path, step("one", "sleep 300 & echo $! > child"))
    assert run() == 0
    assert gone(int((tmp_path / "child").read_text()))


@pytest.mark.parametrize(
    ("shell", "reason", "words"),
    [
        ("true", "OutputMissing", "output x is missing"),
        ("mkdir /fairlead/out/x", "OutputMissing", "output x is missing"),
        ("ln -s /etc/hostname /fairlead/out/x", "BadData", "links to a folder or out of out"),
        ("ln -s nowhere /fairlead/out/x", "BadData", "link to nothing"),
        ("mkdir /fairlead/out/x; mkfifo /fairlead/out/x/p", "BadData", "pipe"),
    ],
)  # fmt: skip
def test_outputs_are_checked_as_in_a_cluster(tmp_path: Path, shell: str, reason: str, words: str) -> None:
    written(tmp_path, step("one", shell, outputs=out("x")))
    assert run() == 1
    found = steps()["one"]
    assert (found["phase"], found["reason"]) == ("Failed", reason)
    assert words in found["message"]


def test_one_step_and_what_it_needs(tmp_path: Path) -> None:
    written(
        tmp_path, step("a", "echo 1 > /fairlead/out/x", outputs=out("x", kind="model")), step("b", "true", needs=["a"]),
        step("c", "true"), step("d", "true", needs=["b"]),
        produces=[{"model": "delay", "from": "a.x", "version": {"server": {"runtime": "sklearn"}}}],
    )  # fmt: skip
    assert run("--step", "b") == 0
    assert [*steps()] == ["a", "b"]
    assert Path(".fairlead/runs/1/models/delay-1.json").exists()
    assert run("--step", "c") == 0
    assert [*steps(2)] == ["c"]
    assert not Path(".fairlead/runs/2/models").exists()


def test_a_second_run_says_what_has_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "given").write_text("1")
    one = step("one", "cat given > /fairlead/out/x; echo 5 > /fairlead/out/y", outputs=out("x", "y"))
    written(tmp_path, one, params={"h": "1"})
    assert run() == 0
    assert "since run" not in capsys.readouterr().out
    (tmp_path / "given").write_text("2")
    assert run() == 0
    told = capsys.readouterr().out
    assert "since run 1:" in told
    assert "output one.x:" in told
    assert "does not repeat itself" in told
    assert "the same bytes: one.y" in told
    edited = "cat given given > $FAIRLEAD_OUT/x; echo 5 > $FAIRLEAD_OUT/y"
    written(tmp_path, one | {"command": ["sh", "-ec", edited]}, params={"h": "1"})
    assert run("-p", "h=2") == 0
    told = capsys.readouterr().out
    assert "param h: 1 → 2" in told
    assert "step one: command edited" in told
    assert "does not repeat itself" not in told


def test_for_programs_there_is_json_and_nothing_else_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, step("one", "echo hello; echo 1 > /fairlead/out/x", outputs=out("x")))
    assert run("-o", "json") == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert (found["kind"], found["status"]["phase"]) == ("PipelineRun", "Completed")
    uri = found["status"]["steps"][0]["outputs"][0]["uri"]
    assert Path(uri.removeprefix("file://")).read_text() == "1\n"
    assert found["here"]["folder"] == f"{tmp_path}/.fairlead/runs/1"
    assert "one | hello" in told.err


def test_a_model_is_told_with_what_is_not_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = {
        "server": {"runtime": "sklearn"},
        "evaluation": {"features": ["x"], "target": "y", "data": {"output": "one.rows"}, "metrics": ["mae"],
                       "gates": [{"metric": "mae", "max": "1"}]},
        "approval": {"required": 1},
    }  # fmt: skip
    written(
        tmp_path, step("one", "echo 1 > /fairlead/out/m; echo 2 > /fairlead/out/rows",
                       outputs=out("m", kind="model") | out("rows", kind="dataset")),
        produces=[{"model": "delay", "from": "one.m", "version": version}],
    )  # fmt: skip
    assert run() == 0
    told = capsys.readouterr().out
    assert f"model delay-1: sha256 {digests.of_bytes(b'1' + bytes([10]))}" in told
    assert "not done here: its evaluation (mae; 1 gate) asks the model's server, runtime sklearn" in told
    assert "not done here: its approval" in told
    model = json.loads(Path(".fairlead/runs/1/models/delay-1.json").read_text())
    assert model["spec"]["lineage"]["run"] == "delay-1"


def test_a_program_that_names_a_pods_folder_is_told_how_to_find_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.py").write_text("open('/fairlead/in/raw/a.csv')")
    written(tmp_path, step("one", "") | {"command": ["python", "train.py"]})
    assert run() == 1
    assert "FAIRLEAD_IN" in capsys.readouterr().out


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    written(tmp_path, step("one", "") | {"command": ["no-such-program-anywhere"]})
    assert run() == 1
    assert "No such file" in steps()["one"]["message"]
    assert "127" in steps()["one"]["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    written(
        tmp_path, step("one", "sleep 300 & echo $! > child; echo started; wait"), step("two", "true", needs=["one"])
    )
    process = subprocess.Popen(
        [sys.executable, "-c", PYTHON, "dev", "run", "pipeline.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if "started" in line:
            process.send_signal(number)
    assert process.wait() == 130, "".join(told)
    assert gone(int((tmp_path / "child").read_text()))
    assert {name: one["phase"] for name, one in steps().items()} == {"one": "Aborted", "two": "Aborted"}
    assert record()["status"]["phase"] == "Aborted"


def test_a_second_signal_ends_what_does_not_want_to_end(tmp_path: Path) -> None:
    shell = "trap '' TERM INT; echo $$$$ > child; echo started; while true; do sleep 1; done"
    written(tmp_path, step("one", shell))
    process = subprocess.Popen(
        [sys.executable, "-c", PYTHON, "dev", "run", "pipeline.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "started" in line or "once more" in line:
            process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert gone(int((tmp_path / "child").read_text()))


def test_a_program_that_ends_while_it_is_decided_to_end_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, do = [0], Run._do

    def late(self: Run, made: Plan, machine: Machine) -> None:
        looks[0] += 1
        assert looks[0] < 100, "it asks for what is gone"
        if made.delete:
            machine.kill()
            while not all(pod.over for pod in machine.pods()):
                time.sleep(0.01)
        do(self, made, machine)

    monkeypatch.setattr(Run, "_do", late)
    written(tmp_path, step("one", "exec sleep 300"), timeout="1s")
    assert run() == 1
    assert record()["status"]["phase"] == "Failed"


def test_runs_beside_each_other_have_numbers_of_their_own(tmp_path: Path) -> None:
    written(tmp_path, step("one", "true"))
    words = [sys.executable, "-c", PYTHON, "dev", "run", "pipeline.yaml"]
    both = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert {record(n)["metadata"]["name"] for n in (1, 2)} == {"delay-1", "delay-2"}


def test_steps_run_beside_each_other_if_asked(tmp_path: Path) -> None:
    """Each waits for what the other writes."""
    wait = "for _ in $(seq 600); do test -e {} && exit 0; sleep 0.1; done; exit 1"
    written(tmp_path, step("one", f"touch a; {wait.format('b')}"), step("two", f"touch b; {wait.format('a')}"))
    assert run("--parallel", "2") == 0


def test_a_log_without_end_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairlead.local import program

    monkeypatch.setattr(program, "LOG_LIMIT", 1000)
    written(tmp_path, step("one", "seq 1000"))
    assert run("-q") == 0
    assert len(log("one")) < 1100
    assert "bytes more were printed" in log("one")


# --- what decides which steps run ----------------------------------------------------------------------------------


def test_steps_that_come_last_know_how_it_went(tmp_path: Path) -> None:
    last = (step("tidy", "true", when="always"), step("alarm", "true", when="failed"))
    written(tmp_path, step("one", "true"), *last)
    assert run() == 0
    assert [(name, one["phase"], one.get("reason", "")) for name, one in steps().items()][1:] == [
        ("tidy", "Completed", ""), ("alarm", "Completed", "Skipped"),
    ]  # fmt: skip
    written(tmp_path, step("one", "false"), *last)
    assert run() == 1
    assert {name: one["phase"] for name, one in steps(2).items()} == {
        "one": "Failed", "tidy": "Completed", "alarm": "Completed",
    }  # fmt: skip
    assert steps(2)["alarm"].get("reason", "") == ""


def test_keep_going_is_refused_where_it_would_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, step("one", "false"), step("alarm", "true", when="failed"))
    assert run("--keep-going") == 2
    assert "--keep-going: step alarm has `when: failed`" in capsys.readouterr().err
    assert run("--keep-going", "--step", "one") == 1


def test_conditions_go_by_values_metrics_and_parameters(tmp_path: Path) -> None:
    shell = "printf NE > /fairlead/out/best; mkdir /fairlead/out/.fairlead; " \
            "echo '{\"name\": \"rows\", \"value\": 5}' > $FAIRLEAD_METRICS"  # fmt: skip
    written(
        tmp_path,
        step("search", shell, outputs=out("best", kind="value")),
        step("yes", 'test "{{steps.search.best}}" = NE', needs=["search"], **{"if": [
            {"metric": "search.rows", "above": "4"}, {"value": "search.best", "in": ["NE", "NW"]},
            {"param": "region", "in": ["all"]}]}),
        step("no", "false", needs=["search"], **{"if": [{"metric": "search.rows", "below": "4"}]}),
        params={"region": "all"},
    )  # fmt: skip
    assert run() == 0
    assert {name: one.get("reason", "") for name, one in steps().items()} == {"search": "", "yes": "", "no": "Skipped"}
    assert steps()["search"]["metrics"] == {"rows": "5"}
    written(tmp_path, step("search", "true"),
            step("no", "true", needs=["search"], **{"if": [{"metric": "search.rows", "below": "4"}]}))  # fmt: skip
    assert run() == 1
    assert steps(2)["no"]["reason"] == "MetricMissing"  # nobody knows is no "no"


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    written(tmp_path, step("one", "sleep 300"), step("tidy", "true", when="always"), timeout="2s")
    assert run() == 1
    found = steps()
    assert (found["one"]["phase"], found["tidy"]["phase"]) == ("Aborted", "Completed")
    assert "spec.timeout" in record()["status"]["message"]


def test_whose_turn_it_is_in_a_cluster_is_no_matter(tmp_path: Path) -> None:
    written(tmp_path, step("one", "true", queueTimeout="1s"), concurrency="Queue", suspend=True)
    assert run() == 0


def test_nothing_is_taken_from_earlier_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, step("one", "echo again >> count; echo 1 > /fairlead/out/x", cache=True, outputs=out("x")))
    assert [run(), run()] == [0, 0]
    assert (tmp_path / "count").read_text().split() == ["again", "again"]
    assert "without effect here: steps[].cache" in capsys.readouterr().out


def test_what_another_pipeline_has_left_is_read_of_its_last_run_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = {"x": {"after": {"pipeline": "prepare", "output": "make.rows"}}}
    written(tmp_path, step("show", "true", inputs=read))
    assert run() == 2
    assert "no run of it has completed here: run it first" in capsys.readouterr().err
    for text, code in (("one", 0), ("two", 0), ("three", 1)):
        made = step("make", f"mkdir $FAIRLEAD_OUT/rows; echo {text} > $FAIRLEAD_OUT/rows/a; exit {code}",
                    outputs=out("rows", kind="dataset"))  # fmt: skip
        path = written(tmp_path, made)
        path.write_text(path.read_text().replace("name: delay", "name: prepare"))
        assert run() == code
    written(tmp_path, step("show", "cat /fairlead/in/x/a", inputs=read))
    assert run() == 0
    assert log("show", 4) == "two\n"
    (taken,) = record(4)["status"]["after"]
    assert (taken["run"], taken["artifact"]["sha256"]) == ("prepare-2", steps(2)["make"]["outputs"][0]["sha256"])
    written(tmp_path, step("show", "true", inputs={"x": {"after": {"pipeline": "prepare", "output": "make.other"}}}))
    assert run() == 2
    assert "run 2 of Pipeline prepare has no output make.other; it has make.rows" in capsys.readouterr().err


# --- a step for each item ------------------------------------------------------------------------------------------


def test_a_step_runs_once_for_each_item(tmp_path: Path) -> None:
    each = {"matrix": {"region": ["NE", "NW"], "size": ["large"]}}
    written(
        tmp_path,
        step("fit", 'printf "{{each.region}} $FAIRLEAD_ITEM" > /fairlead/out/m', each=each, outputs=out("m")),
        step("all", "cat $FAIRLEAD_IN/m/*/* >$FAIRLEAD_OUT/all", inputs={"m": {"output": "fit.m"}}, outputs=out("all")),
    )  # fmt: skip
    assert run("--parallel", "2") == 0
    assert steps()["fit"]["items"]["completed"] == 2
    told = Path(".fairlead/runs/1/steps/all/out/all").read_text()
    assert 'NE {"region":"NE","size":"large"}NW {"region":"NW","size":"large"}' in told


def test_an_item_that_fails_is_named(tmp_path: Path) -> None:
    each = {"matrix": {"n": ["1", "2", "3"]}, "failures": "Continue"}
    written(tmp_path, step("fit", "test {{each.n}} != 2", each=each))
    assert run() == 1
    assert (steps()["fit"]["phase"], steps()["fit"]["items"]["completed"]) == ("Failed", 2)
    assert "2" in steps()["fit"]["items"]["why"][0]["values"]


def test_items_are_the_distinct_rows_of_data(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("region,x\nNE,1\nNW,2\nNE,3\n")
    each = {"dataset": "rows", "distinct": ["region"]}
    written(tmp_path, step("fit", "grep -c {{each.region}} /fairlead/in/r/rows.csv > /fairlead/out/n", each=each,
                           inputs={"r": {"dataset": "rows"}}, outputs=out("n")))  # fmt: skip
    assert run("--data", "rows.csv") == 0
    found = sorted(path.read_text() for path in Path(".fairlead/runs/1/steps/fit/items").glob("*/out/n"))
    assert found == ["1\n", "2\n"]


def test_a_step_that_measures_is_refused_by_name_and_the_steps_before_it_can_be_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = out("model", kind="model") | out("test", kind="dataset")
    train = step("train", "touch $FAIRLEAD_OUT/model $FAIRLEAD_OUT/test", outputs=left)
    evaluation = {"features": ["x"], "target": "y", "metrics": ["mae"], "data": {"output": "train.test"}}
    produces = [{"model": "delay", "from": "train.model", "version": {"evaluation": evaluation}}]
    last = step("last", "true", **{"if": [{"metric": "score.mae", "below": "20"}]})
    written(tmp_path, train, {"name": "score", "evaluate": {"model": "delay"}}, last, produces=produces)
    for words in ((), ("--step", "last")):
        assert run(*words) != 0
        told = capsys.readouterr().err
        assert "step score: evaluate asks a model server that runs beside the step in a pod" in told
        assert "--step" in told
        assert not list(Path().glob(".fairlead/runs/[0-9]*"))
    assert run("--step", "train") == 0
    assert [one["name"] for one in record()["status"]["steps"]] == ["train"]
