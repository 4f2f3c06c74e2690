"""`fairlead replay`: which rollout is meant, what is shown, and how it exits."""

from __future__ import annotations

import json

import pytest
from tests.unit.plan.monitor_world import lines, watched
from tests.unit.plan.rollout_world import Documents, Sim, spec
from tests.unit.plan.test_confirming import WORSE, comes, harmed

from fairlead.api.deployment import Deployment
from fairlead.cli.chart import chart
from fairlead.cli.main import parser
from fairlead.cli.replay import Chosen, choose, saved_lines
from fairlead.cli.session import Problem

HEAD = {"t": 0.0, "rollout": {"steps": [{"weight": 10}], "falseAlarms": "5%"}, "version": "m-2", "against": "m-1"}
WINDOW = {
    "t": 1.0, "weight": 10, "logEvidence": {"0/errors": "2.376847680029294"},
    "arms": {"stable": {"requests": 900, "failures": 6}, "candidate": {"requests": 100, "failures": 4}},
}  # fmt: skip
MARGINS = {"t": 0.0, "margins": {"0/errors": {"odds": 1.0, "floor": 0.0}}}
END = {"t": 2.0, "end": "Live", "reason": "Promoted", "message": "m-2 is live"}


@pytest.fixture
def replay(tmp_path, capsys):
    """Run the command on lines: exit code, output, errors."""

    def run(*lines, output="json"):
        path = tmp_path / "00000.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        args = parser("fairlead").parse_args(["replay", "-", "--file", str(path), "-o", output])
        code = args.run(args)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_same_to_the_last_bit(replay):
    code, out, _ = replay(HEAD, MARGINS, WINDOW, END)
    told = json.loads(out)
    assert (code, told["same"], told["ended"]["result"]) == (0, True, "Live")


def test_another_bit(replay):
    code, out, _ = replay(HEAD, MARGINS, WINDOW | {"logEvidence": {"0/errors": "2.376847680029295"}}, END)
    told = json.loads(out)
    assert (code, told["same"]) == (1, False)
    assert "2.376847680029295 then" in told["different"][0]


def test_as_a_picture(replay):
    code, out, _ = replay(HEAD, MARGINS, WINDOW, END, output="text")
    assert code == 0
    for words in ("ODDS RATIO", "┤", "█", "to the last bit", "m-2 is live"):
        assert words in out


@pytest.mark.parametrize(
    ("lines", "words"), [((), "no window"), ((HEAD,), "no window"), (({"t": 1, "arms": 3},), "line 1")]
)
def test_what_cannot_be_replayed(replay, lines, words):
    code, _, err = replay(*lines)
    assert code == 1
    assert words in err


@pytest.mark.parametrize(("name", "words"), [("x.parquet", "text in UTF-8"), ("missing.jsonl", "No such file")])
def test_a_file_that_is_none_of_a_ledger(tmp_path, capsys, name, words):
    (tmp_path / "x.parquet").write_bytes(b"PAR1\x15\x04\xff\xfe")
    args = parser("fairlead").parse_args(["replay", "-", "--file", str(tmp_path / name)])
    assert args.run(args) == 1
    told = capsys.readouterr().err
    assert name in told
    assert words in told


def deployment(**status):
    spec = {"model": {"name": "m"}, "route": {"gateway": {"name": "public"}}}
    return Deployment.model_validate({"spec": spec, "status": status})


def record(version, ledger="", result="Live"):
    return {"version": version, "against": "m-0", "result": result, "reason": "x", "ledger": ledger,
            "startedAt": "2026-01-01T00:00:00Z", "endedAt": "2026-01-01T00:00:00Z"}  # fmt: skip


def test_which_rollout_is_meant():
    found = deployment(
        history=[record("m-2", result="RolledBack"), record("m-2", "s3://b/m-2/"), record("m-1", "s3://b/m-1/")],
        unsaved=[{"name": "m-2", "uri": "s3://b/m-2/", "segment": 4, "lines": ["last"]}],
    )
    assert choose(found, None) == Chosen("s3://b/m-2/", 4, ["last"])
    assert choose(found, "m-1") == Chosen("s3://b/m-1/", None, [])
    with pytest.raises(Problem, match="there are: m-2"):
        choose(found, "m-9")
    with pytest.raises(Problem, match="set store"):
        choose(deployment(history=[record("m-2")]), None)


def test_one_that_goes_on_is_replayed_as_far_as_it_is():
    book = {"name": "m-3", "uri": "s3://b/m-3/", "segment": 0, "lines": ["a", "b"]}
    found = deployment(candidate={"version": "m-3", "since": "2026-01-01T00:00:00Z", "ledger": book})
    assert choose(found, None) == Chosen("s3://b/m-3/", 0, ["a", "b"])


def test_segments_are_read_in_their_order_and_whole_lines():
    sim = Sim(spec(), documents={"e/99999.jsonl": "b\n", "e/100000.jsonl": "c\u2028d\ne\n", "e/00001.jsonl": "a\n",
                                 "e/100001.jsonl": "f\n", "e/notes.txt": "mine\n"})  # fmt: skip
    assert saved_lines(Documents(sim), "e/", 100001) == ["a", "b", "c\u2028d", "e"]
    assert saved_lines(Documents(sim), "e/", None)[-1] == "f"
    assert saved_lines(Documents(sim), "e/", 0) == []


def test_one_without_a_store_that_has_lost_its_beginning_is_not_replayed():
    found = deployment(candidate={"version": "m-3", "since": "2026-01-01T00:00:00Z",
                                  "ledger": {"name": "m-3", "dropped": 7, "lines": ["a"]}})  # fmt: skip
    with pytest.raises(Problem, match=r"the first 7 lines .* set store"):
        choose(found, None)


def test_a_chart_has_its_bound_and_its_bars():
    drawn = chart([0.0, 1.0, 2.0, 3.0], 4.0, height=5)
    assert len(drawn) == 5
    assert "─" in drawn[0]
    assert drawn[1].endswith("█")
    assert len(chart(list(range(1000)), 5.0)[0]) <= 72 + 10
    assert chart([float("-inf"), float("nan")], 1.0)


@pytest.fixture(scope="module")
def monitored():
    """A live version whose requests have moved."""
    sim = watched()
    for moved in (0.0, 0.0, 40.0, 40.0, 40.0):
        sim.moved = moved
        sim.passes()
    return sim


def again(tmp_path, capsys, sim, output, change=lambda lines: lines, profile=True):
    """Run the command on the monitors' ledger: exit code, output, errors."""
    (tmp_path / "00000.jsonl").write_text("\n".join(json.dumps(line) for line in change(lines(sim))))
    (tmp_path / "profile.json").write_bytes(sim.learnt.dumped())
    words = ["replay", "-", "--file", str(tmp_path / "00000.jsonl"), "-o", output]
    words += ["--profile", str(tmp_path / "profile.json")] if profile else []
    args = parser("fairlead").parse_args(words)
    code = args.run(args)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_windows_of_monitors_are_the_same_to_the_last_bit(tmp_path, capsys, monitored):
    code, out, _ = again(tmp_path, capsys, monitored, "json")
    told = json.loads(out)
    assert (code, told["same"], len(told["windows"])) == (0, True, 5)
    assert {"monitor": "drift", "what": "a"} in [alarm for one in told["windows"] for alarm in one["alarms"]]
    assert told["windows"][-1]["drift"]["a"]["psi"] > 1


def test_windows_of_monitors_as_a_table(tmp_path, capsys, monitored):
    code, out, _ = again(tmp_path, capsys, monitored, "text")
    assert code == 0
    for words in ("MOST DIFFERENT", "drift: a", "all 5 windows give the same state, to the last bit"):
        assert words in out


def test_a_window_of_monitors_that_is_left_out_is_seen(tmp_path, capsys, monitored):
    code, out, _ = again(tmp_path, capsys, monitored, "json", lambda given: given[:2] + given[3:])
    assert (code, json.loads(out)["same"]) == (1, False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda given: [given[0] | {"profile": "f" * 64}, *given[1:]], "is of the profile ffffffffffff"),
        (lambda given: [given[0], given[1] | {"counts": "nonsense"}], "can't be unpacked"),
        (lambda given: [{"monitors": "x"}, *given[1:]], "can't be read"),
        (lambda given: given[:1], "no window of the monitors"),
        (lambda given: [*given[:2], {"dropped": 2}, *given[4:]], "2 lines of it are nowhere any more"),
    ],
)
def test_a_ledger_of_monitors_that_makes_no_sense(tmp_path, capsys, monitored, change, words):
    code, _, err = again(tmp_path, capsys, monitored, "json", change)
    assert code != 0
    assert words in err


def test_without_their_profile_windows_can_not_be_judged(tmp_path, capsys, monitored):
    code, _, err = again(tmp_path, capsys, monitored, "json", profile=False)
    assert (code, "--profile" in err) == (2, True)


@pytest.fixture(scope="module")
def questioned():
    """A live version whose real harm has asked, and was answered."""
    sim = harmed()
    comes(sim, WORSE)
    comes(sim, WORSE * 4)
    return sim


def test_what_real_harm_has_asked_is_the_same_to_the_last_bit(tmp_path, capsys, questioned):
    code, out, _ = again(tmp_path, capsys, questioned, "json", of_last)
    told = json.loads(out)
    assert (code, told["same"]) == (0, True)
    last = told["questions"][-1]
    assert (last["question"], last["against"], last["pairs"], last["result"]) == (1, "m-1", 50, "Better")
    assert last["logBetter"] >= 5.298
    code, out, _ = again(tmp_path, capsys, questioned, "text", of_last)
    assert "would the version before have lost less?" in out
    assert "30.0" in out


def test_a_pair_more_or_less_in_a_question_is_seen(tmp_path, capsys, questioned):
    def changed(given):
        return [one | {"pairs": one["pairs"] | {"n": one["pairs"]["n"] + 1}} if "heard" in one else one
                for one in of_last(given)]  # fmt: skip

    code, out, _ = again(tmp_path, capsys, questioned, "json", changed)
    assert (code, json.loads(out)["same"]) == (1, False)


def of_last(given):
    """The ledger of the version that was live last."""
    return given[max(at for at, one in enumerate(given) if "monitors" in one) :]
