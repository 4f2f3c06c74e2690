"""`fairlead verdict`: the same numbers as the engine, as a table and as JSON; what can't be read says why."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fairlead.cli.main import parser

VECTOR = '{"t": 1, "arms": {"stable": {"requests": 900, "failures": 6}, "candidate": {"requests": 100, "failures": 4}}}'
SECOND = '{"t": 3, "arms": {"stable": {"requests": 180, "failures": 1}, "candidate": {"requests": 20, "failures": 3}}}'
MISSING = '{"t": 2, "arms": {"stable": {"requests": 90, "failures": 1}}}'
ROLLOUT = "steps: [{weight: 10}]\nfalseAlarms: 5%\nguard: [{metric: errors}]\n"


@pytest.fixture
def judge(tmp_path, capsys):
    """Run the command on texts: exit code, output, errors."""

    def run(trace, rollout=ROLLOUT, output="json"):
        (tmp_path / "rollout.yaml").write_text(rollout)
        (tmp_path / "trace.jsonl").write_text(trace)
        files = ["--rollout", str(tmp_path / "rollout.yaml"), "--trace", str(tmp_path / "trace.jsonl")]
        args = parser("fairlead").parse_args(["verdict", *files, "-o", output])
        code = args.run(args)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_b19_errors_are_judged_whatever_is_listed_unless_they_are_off(judge):
    latency = ', "metrics": {"latency": {"requests": 90, "failures": 1}}'
    trace = VECTOR.replace('"failures": 6', f'"failures": 6{latency}').replace(
        '"failures": 4', f'"failures": 4{latency}'
    )
    _, out, _ = judge(trace, "guard: [{metric: latency}]\n")
    assert list(json.loads(out)["windows"][0]["metrics"]) == ["latency", "errors"]
    code, out, _ = judge(trace, "guard: [{metric: latency}, {metric: errors, off: true}]\n")
    assert (code, list(json.loads(out)["windows"][0]["metrics"])) == (0, ["latency"])
    code, _, said = judge(trace, "guard: [{metric: errors, off: true}]\n")
    assert code != 0
    assert "at least one guard" in said


def test_the_published_vector(judge):
    code, out, _ = judge(VECTOR)
    found = json.loads(out)["windows"][0]["metrics"]["errors"]
    assert code == 0
    ratios = found["tests"]["A"]["oddsRatios"]
    assert [round(v, 4) for v in ratios.values()] == [0.6459, 1.1349, 1.8228, 2.5824, 3.1059, 2.8825]
    assert list(ratios) == ["1.25", "1.5", "2", "3", "5", "10"]
    assert found["logEvidence"] == pytest.approx(2.37684, abs=1e-4)
    assert found["bound"] == pytest.approx(2.99573, abs=1e-4)


def test_five_verdicts_window_by_window(judge):
    _, out, _ = judge("\n".join([VECTOR, MISSING, SECOND]))
    told = json.loads(out)
    assert [w["verdict"] for w in told["windows"]] == ["continue", "noEvidence", "harm"]
    assert told["verdict"] == told["end"]["verdict"] == "harm"
    assert told["end"]["metric"] == "errors"


@pytest.mark.parametrize(
    ("counts", "weight", "log_evidence"), [((5200, 4800), 50, 5.6136), ((8900, 1100), 10, 2.98925)]
)
def test_the_split(judge, counts, weight, log_evidence):
    arms = {arm: {"requests": n, "failures": 0} for arm, n in zip(("stable", "candidate"), counts, strict=True)}
    _, out, _ = judge(json.dumps({"t": 1, "weight": weight, "arms": arms}))
    assert json.loads(out)["end"]["split"]["logEvidence"] == pytest.approx(log_evidence, abs=1e-4)


def test_the_first_steps_weight_is_asked_for_unless_a_line_says_otherwise(judge):
    arms = {arm: {"requests": n, "failures": 0} for arm, n in (("stable", 5200), ("candidate", 4800))}
    _, out, _ = judge(json.dumps({"t": 1, "arms": arms}), "steps: [{weight: 50}]\n")
    assert json.loads(out)["end"]["split"]["logEvidence"] == pytest.approx(5.6136, abs=1e-4)


def test_a_table(judge):
    code, out, _ = judge("\n".join([VECTOR, MISSING, SECOND]), output="table")
    assert code == 0
    assert "ODDS RATIO" in out
    assert "harm" in out
    assert "2.377" in out


def test_a_whole_manifest_and_a_proof(judge):
    manifest = """
apiVersion: fairlead.dev/v1alpha1
kind: Deployment
metadata: {name: web}
spec:
  model: {name: m}
  route: {gateway: {name: public}}
  rollout:
    steps: [{weight: 50}]
    guard: [{metric: errors, role: guardrail, worseBy: 2%}]
"""
    arms = {arm: {"requests": 500, "failures": 5} for arm in ("stable", "candidate")}
    lines = ['{"live": {"requests": 10000, "failures": 100}}']
    lines += [json.dumps({"t": t, "arms": arms}) for t in range(40)]
    _, out, _ = judge("\n".join(lines), manifest)
    told = json.loads(out)
    assert told["verdict"] == "safe"
    assert (
        told["end"]["metrics"]["errors"]["proof"]["logEvidence"] >= told["end"]["metrics"]["errors"]["proof"]["bound"]
    )


@pytest.mark.parametrize(
    ("trace", "rollout", "words"),
    [
        ("", ROLLOUT, "has no window"),
        ('{"t": 1, "arms": {"stable": {"requests": 1, "failures": 2}, "candidate": {}}}', ROLLOUT, "line 1"),
        ("\n".join([SECOND, VECTOR]), ROLLOUT, "clock goes back"),
        (VECTOR, "steps: [{weight: 110}]", "steps.0.weight"),
        (VECTOR, "stpes: []", "stpes"),
        (VECTOR, "- 1", "not an object"),
        (VECTOR, "rollout: null", "the rollout is not an object"),
        (VECTOR, "spec: {rollout: null}", "the rollout is not an object"),
        (VECTOR, "spec: {rollout: [1]}", "the rollout is not an object"),
        (VECTOR, "spec: null", "spec is not an object"),
        (VECTOR, "spec: [1]", "spec is not an object"),
        ('{"t": 1, "step": 1e999, "weight": 1}', ROLLOUT, "line 1"),
        (VECTOR, "{", "not YAML"),
        (VECTOR, "guard: [{metric: latency, worseBy: 20%}]", '"margins"'),
    ],
)
def test_what_cannot_be_judged_says_why(judge, trace, rollout, words):
    code, out, err = judge(trace, rollout)
    assert (code, out) == (2, "")
    assert words in err


def test_a_reader_that_has_enough_is_no_error(tmp_path):
    (tmp_path / "rollout.yaml").write_text(ROLLOUT)
    (tmp_path / "trace.jsonl").write_text("\n".join(VECTOR.replace('"t": 1', f'"t": {t}') for t in range(200)))
    files = ["--rollout", str(tmp_path / "rollout.yaml"), "--trace", str(tmp_path / "trace.jsonl")]
    program = "import sys; from fairlead.cli.main import main; sys.exit(main(sys.argv[1:]))"
    for output in ("json", "table"):
        words = [sys.executable, "-c", program, "verdict", *files, "-o", output]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout
            assert running.stderr
            running.stdout.close()
            assert running.stderr.read() == b""
        assert running.returncode == 0
