"""`kubectl fairlead review`: blind, signed, each pair once."""

from __future__ import annotations

import argparse
import json

import pytest
from tests.unit.cli.test_commands import Memory

from fairlead.cli import commands, review, session
from fairlead.cli.review import a_is_live

IDS = [f"{i:016x}" for i in range(1, 6)]
SINCE = "2026-01-01T00:00:00Z"


@pytest.fixture
def memory(monkeypatch) -> Memory:
    found = Memory()

    async def connect(_kubeconfig):
        return found

    monkeypatch.setattr(session, "_kube", connect)
    put(found)
    return found


def put(memory: Memory, guard: dict | None = None, **more: object) -> None:
    pairs = [{"id": i, "request": f"r-{i}", "live": f"old\n{i}", "candidate": f"new\x1b[2J {i}"} for i in IDS]
    candidate = {
        "version": "m-2", "since": SINCE, "review": {"pairs": pairs, "offered": [*IDS, "ee"], "judged": ["ff"]},
    } | more  # fmt: skip
    memory.put(
        "Deployment", "web",
        spec={
            "model": {"name": "m"}, "route": {"gateway": {"name": "g"}},
            "rollout": {"guard": [guard or {"metric": "review", "minEvents": 30}]},
            "judgements": [
                {"pair": "ff", "version": "m-2", "better": "Same", "by": "bob", "at": SINCE},
                {"pair": "aa", "version": "m-1", "better": "Same", "by": "bob", "at": SINCE},
            ],
        },
        status={"message": "m-1 is live", "candidate": candidate},
    )  # fmt: skip


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    args = parser.parse_args(["review", *words, "-n", "airline"])
    return int(args.run(args))


def judgements(memory: Memory) -> list[dict]:
    return memory.objects["Deployment", "web"]["spec"]["judgements"]


def test_sides_are_shuffled_and_always_the_same():
    sides = [a_is_live(f"{i:x}") for i in range(200)]
    assert 70 < sum(sides) < 130
    assert sides == [a_is_live(f"{i:x}") for i in range(200)]


def test_a_list_for_programs_does_not_say_which_is_which(memory, capsys):
    assert run("deployment/web", "--list", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in found] == IDS
    assert set(found[0]) == {"id", "request", "input", "a", "b"}
    assert found[0]["input"] is None
    for one in found:
        assert one["a"].startswith("old") is a_is_live(one["id"])
    assert memory.objects["Deployment", "web"]["status"]["candidate"]["review"]["judged"] == ["ff"]


def test_a_list_for_people_shows_both_answers_and_nothing_that_a_terminal_obeys(memory, capsys):  # noqa: ARG001
    assert run("deployment/web", "--list") == 0
    printed = capsys.readouterr().out
    assert "1 of 30 judged; 5 wait" in printed
    assert "\\x1b[2J" in printed
    assert "\x1b[2J" not in printed
    assert f"pair {IDS[0]}  request r-{IDS[0]}" in printed


def test_what_was_asked_is_shown_above_the_answers(memory, capsys):
    review_ = memory.objects["Deployment", "web"]["status"]["candidate"]["review"]
    review_["pairs"][0]["input"] = {"text": '{"messages": ["Say \x1b[2J"]}', "length": 5000, "cut": True}
    review_["pairs"][1]["input"] = {}
    assert run("deployment/web", "--list") == 0
    printed = capsys.readouterr().out
    assert "input, 5,000 characters; long parts are left out (…)" in printed
    assert "\x1b" not in printed
    assert printed.index("input, 5,000") < printed.index("\nA\n")
    assert printed.count("input: not kept") == 1
    assert run("deployment/web", "--list", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["input"] == {"text": '{"messages": ["Say \x1b[2J"]}', "length": 5000, "cut": True}


def test_words_are_written_as_whose_answer_they_mean_and_those_of_other_rollouts_go(memory, capsys):
    memory.conflicts = 1
    assert run("deployment/web", "--judge", f"{IDS[0]}=a", "--judge", f"{IDS[1]}=same", "--judge", "ee=neither") == 0
    assert "3 written; 4 of 30 judged" in capsys.readouterr().out
    kept, *mine = judgements(memory)
    assert kept["pair"] == "ff"
    assert [one["better"] for one in mine] == ["Live" if a_is_live(IDS[0]) else "Candidate", "Same", "BothBad"]
    assert {one["by"] for one in mine} == {"alice"}
    assert {one["version"] for one in mine} == {"m-2"}
    memory.conflicts = 99  # said already: nothing is written
    assert run("deployment/web", "--judge", f"{IDS[0]}=b") == 0
    assert len(judgements(memory)) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web",), "is not deployment/NAME"), (("deployment/web", "--judge", "x"), "write PAIR=a"),
        (("deployment/web", "--judge", "x=c"), "write PAIR=a"), (("deployment/web", "--judge", "99=a"), "no such pair"),
        (("deployment/nothing",), "'nothing' is not in"), (("deployment/web",), "--list -o json"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(memory, monkeypatch, capsys, words, said):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert run(*words) != 0
    assert said in capsys.readouterr().err
    assert len(judgements(memory)) == 2


def test_without_the_guard_or_a_rollout_it_says_why(memory, capsys):
    put(memory, guard={"metric": "errors"})
    assert run("deployment/web") == session.FAILED
    assert "metric: review" in capsys.readouterr().err
    put(memory)
    del memory.objects["Deployment", "web"]["status"]["candidate"]
    assert run("deployment/web") == session.NOT_FOUND
    assert "no answers to compare: m-1 is live" in capsys.readouterr().err


def test_a_full_list_takes_no_more(memory, capsys):
    judged = [f"{i:x}" for i in range(1000, 1100)]
    put(memory, review={"offered": ["1"], "judged": judged})
    said = [{"pair": p, "version": "m-2", "better": "Same", "by": "bob", "at": SINCE} for p in judged]
    memory.objects["Deployment", "web"]["spec"]["judgements"] = said
    assert run("deployment/web", "--judge", "1=a") == session.FAILED
    assert "100 pairs are judged" in capsys.readouterr().err


def test_a_conversation(memory, monkeypatch, capsys):
    words = iter(["what?", "a", "k", "S", "b", "n"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(review, "typed", lambda _prompt: next(words))
    assert run("deployment/web") == 0
    said = {one["pair"]: one["better"] for one in judgements(memory)[1:]}
    assert list(said) == [IDS[0], *IDS[2:]]
    assert said[IDS[0]] == ("Live" if a_is_live(IDS[0]) else "Candidate")
    assert said[IDS[2]] == "Same"
    assert said[IDS[3]] == ("Candidate" if a_is_live(IDS[3]) else "Live")
    assert said[IDS[4]] == "BothBad"
    assert "no pair waits; 5 of 30 judged" in capsys.readouterr().out


def test_a_conversation_ends_with_q_or_the_input(memory, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def ends(_prompt):
        raise EOFError

    for ask in (lambda _prompt: "q", ends):
        monkeypatch.setattr(review, "typed", ask)
        assert run("deployment/web") == 0
    assert len(judgements(memory)) == 2
