"""What people see: evidence against its bound, steps with their durations, scores and gates, what to do next."""

from __future__ import annotations

import pytest

from fairlead.cli import lineage
from fairlead.cli.blocks import Lines, Node, Table, Title, plain, show
from fairlead.cli.get import view
from fairlead.cli.text import ago, bar, evidence, percent, size, took

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
START = "2025-12-31T23:59:00Z"

CONDITION = {
    "type": "EvidenceAvailable", "status": "False", "reason": "Unreachable", "message": "Prometheus is gone. Start it.",
    "lastTransitionTime": START,
}  # fmt: skip

DEPLOYMENT = {
    "kind": "Deployment", "metadata": {"name": "delay"},
    "spec": {"model": {"name": "delay"}, "route": {"gateway": {"name": "public"}}},
    "status": {
        "phase": "Progressing", "message": "Watching delay-12.", "address": "http://1.2.3.4/airline/delay",
        "readyReplicas": 2, "live": {"version": "delay-11", "since": START}, "conditions": [CONDITION],
        "candidate": {
            "version": "delay-12", "since": START, "against": "delay-11", "step": 0, "weight": 10, "observed": "12.5",
            "stepRequests": 1042, "verdict": "Continue",
            "guards": [{
                "guard": "0/errors", "state": "Watching", "stable": {"requests": 9000, "failures": 180},
                "candidate": {"requests": 1042, "failures": 30}, "windows": 12,
                "logEvidence": "2.302585092994046", "bound": "4.605170185988091",
            }],
        },
        "history": [{
            "version": "delay-10", "against": "delay-9", "result": "RolledBack", "reason": "Harm",
            "message": "20 % of its requests failed, against 2 %.", "startedAt": START,
            "endedAt": "2025-12-31T23:59:04.2Z", "weight": 10, "stable": {"requests": 360, "failures": 7},
            "candidate": {"requests": 40, "failures": 8},
        }],
    },
}  # fmt: skip

RUN = {
    "kind": "PipelineRun", "metadata": {"name": "delay-3"}, "spec": {"pipeline": "delay", "reason": "new data"},
    "status": {
        "phase": "Running", "progress": "1/2", "startedAt": START, "params": {"alpha": "0.1"}, "models": [],
        "datasets": [{"name": "flights", "version": "7c1e", "digest": "7c1e", "manifest": "s3://bucket/m"}],
        "steps": [
            {"name": "prepare", "phase": "Completed", "attempt": 1, "startedAt": START,
             "finishedAt": "2025-12-31T23:59:30Z",
             "outputs": [{"name": "features", "uri": "s3://bucket/f", "sha256": "ab" * 32, "bytes": 2048}]},
            {"name": "train", "phase": "Running", "attempt": 2, "startedAt": "2025-12-31T23:59:31Z"},
        ],
    },
}  # fmt: skip

VERSION = {
    "kind": "ModelVersion", "metadata": {"name": "delay-12"},
    "spec": {
        "model": "delay", "artifact": {"uri": "s3://bucket/m/", "sha256": "cd" * 32},
        "lineage": {"run": "delay-3", "pipeline": "delay", "datasets": {"flights": "7c1e"},
                    "images": {"train": "r/train@sha256:1"}, "params": {"alpha": "0.1"}},
    },
    "status": {
        "phase": "Approved", "approvedAt": START, "approvedBy": ["alice"],
        "evidence": {
            "digest": "ef" * 32, "champion": "delay-11", "rows": 28104,
            "scores": [{"subject": "challenger", "version": "delay-12", "values": {"mae": "10.123456"}},
                       {"subject": "baseline", "values": {"mae": "14.2"}}],
            "gates": [{"gate": "mae against champion", "verdict": "Passed", "value": "-0.5", "low": "-0.7",
                       "high": "-0.3"}],
        },
    },
}  # fmt: skip

DATASET = {
    "kind": "Dataset", "metadata": {"name": "flights"},
    "spec": {"source": {"s3": {"bucket": "air"}}, "format": "parquet"},
    "status": {
        "phase": "Ready",
        "current": {"version": "7c1e", "digest": "7c1e", "manifest": "s3://bucket/m", "at": START, "rows": 336776},
        "versions": [{"version": "7c1e", "digest": "7c1e", "manifest": "s3://bucket/m", "at": START, "rows": 336776,
                      "bytes": 5_000_000, "files": 12}],
        "checks": [{"check": "rows", "passed": False, "message": "12 rows, at least 1000 are needed"}],
        "reading": {"format": "csv", "delimiter": ";", "more": 7, "columns": [
            {"name": "id", "type": "integer", "declared": True}, {"name": "delay", "type": "float"},
        ]},
    },
}  # fmt: skip


def test_a_deployment_shows_both_arms_and_the_evidence_against_its_bound():
    text = plain(view("deployment", DEPLOYMENT, NOW))
    assert "deployment delay  Progressing  live delay-11 since 1m00s ago" in text
    assert "step 1 of 2, weight 10 %, observed 12.5s of 1m00s, 1,042 of 100 requests" in text
    assert "█" * 10 + "░" * 10 + " 10 of 100" in text
    assert "2.88 %" in text
    assert "2.00 %" in text
    assert "Prometheus is gone. Start it." in text
    assert "8/40" in text
    assert "4.2s" in text


def test_a_deployment_shows_a_line_a_monitor_and_what_was_lost():
    lines = [
        {"monitor": "data", "state": "Ok", "reason": "AsLearnt", "message": "all is well", "since": START},
        {"monitor": "drift", "state": "Unknown", "reason": "NoProfile", "message": "make one", "since": START},
    ]
    monitors = {"version": "delay-11", "since": START, "windows": 7, "rows": 2500, "closedAt": START, "lost": 2}
    monitored = DEPLOYMENT | {"status": DEPLOYMENT["status"] | {"monitors": monitors | {"lines": lines}}}
    text = plain(view("deployment", monitored, NOW))
    assert "monitors of delay-11" in text
    assert "2,500 rows in the last of 7 windows, closed 1m00s ago; 2 times a pod's rows were not counted" in text
    for part in ("data", "Ok", "AsLearnt", "drift", "Unknown", "NoProfile", "make one"):
        assert part in text
    assert "no window yet" in plain(view("deployment", DEPLOYMENT | {"status": {
        "live": {"version": "a", "since": START}, "monitors": {"version": "a", "since": START},
    }}, NOW))  # fmt: skip


def test_a_deployment_shows_what_real_harm_asks():
    asked = {
        "number": 1, "against": "delay-10", "state": "Asking", "since": START, "until": START, "pairs": 1240,
        "refused": 3, "logBetter": "2.1", "bound": "5.3", "logNotBetter": "0.4", "boundNotBetter": "3.0",
    }  # fmt: skip
    monitors = {"version": "delay-11", "since": START, "question": asked}
    text = plain(view("deployment", DEPLOYMENT | {"status": DEPLOYMENT["status"] | {"monitors": monitors}}, NOW))
    assert "question 1: is it delay-11?  Asking  1m00s ago; against delay-10" in text
    assert "1,240" in text
    none = {key: value for key, value in asked.items() if key != "against"} | {"state": "NotBetter"}
    monitors = monitors | {"question": none}
    text = plain(view("deployment", DEPLOYMENT | {"status": DEPLOYMENT["status"] | {"monitors": monitors}}, NOW))
    assert "NotBetter  1m00s ago; against nothing: there is none to go back to" in text


def test_a_deployment_whose_candidate_starts_says_how_many_pods_are_warm():
    starting = DEPLOYMENT | {"status": {"candidate": {"version": "b", "since": START, "against": "a"}}}
    assert "0 of 1 warm" in plain(view("deployment", starting, NOW))


def test_a_run_shows_its_steps_with_durations():
    text = plain(view("run", RUN, NOW))
    assert "pipelinerun delay-3  Running  pipeline delay, 1/2 steps, 1m00s" in text
    assert "✓ prepare  Completed  30s" in text
    assert "features (file) 2.0 KiB abababababab" in text
    assert "● train  Running  29s  attempt 2" in text
    assert "flights@7c1e" in text


def test_a_model_version_shows_scores_and_gates():
    text = plain(view("modelversion", VERSION, NOW))
    assert "challenger  delay-12  10.123" in text
    assert "-0.7 … -0.3" in text
    assert "approved by alice" in text


def test_a_model_version_shows_whose_work_it_is_and_approvals_that_came_after_it_was_free_to_go():
    spec = VERSION["spec"] | {"author": "carol", "lineage": {"pipeline": "delay", "author": "dave"}}
    digest = VERSION["status"]["evidence"]["digest"]
    spec["approvals"] = [{"user": "bob", "evidence": digest}, {"user": "eve", "evidence": "f" * 64}]
    text = plain(view("modelversion", VERSION | {"spec": spec}, NOW))
    assert "work of carol and dave" in text
    assert "approved by bob" in text
    assert "eve" not in text


def test_b14_a_model_version_shows_where_it_is_used_and_was_taken_back():
    used = [{"name": "web", "role": "Live", "since": START},
            {"name": "shop", "role": "Refused", "reason": "ErrorsWorse", "since": START}]  # fmt: skip
    status = VERSION["status"] | {"deployments": used, "moreDeployments": 3}
    lines = plain(view("modelversion", VERSION | {"status": status}, NOW)).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("DEPLOYMENT"))
    assert [line.split()[:3] for line in lines[at + 1 : at + 4]] == [
        ["web", "Live", "-"], ["shop", "Refused", "ErrorsWorse"], ["and", "3", "more"],
    ]  # fmt: skip


def test_what_ready_says_is_not_said_twice():
    said = {"status": "True", "reason": "Rejected", "message": "the reason why", "lastTransitionTime": START}
    status = VERSION["status"] | {"conditions": [
        said | {"type": "Ready", "status": "False"}, said | {"type": "Stalled"},
    ]}  # fmt: skip
    text = plain(view("modelversion", VERSION | {"status": status}, NOW))
    assert text.count("the reason why") == 1
    assert "Stalled" in text


def test_a_dataset_shows_versions_and_failed_checks():
    text = plain(view("dataset", DATASET, NOW))
    assert "336,776" in text
    assert "Failed  error     12 rows, at least 1000 are needed" in text
    assert "read as csv: delimiter ';' (and 7 more columns" in text
    assert "id      integer  declared" in text
    assert "delay   float    inferred" in text
    assert "are no data" not in text


def test_d09_a_dataset_shows_how_many_objects_are_no_data():
    listing = {"digest": "a", "since": START, "objects": 12, "ignored": 1234}
    text = plain(view("dataset", {**DATASET, "status": DATASET["status"] | {"listing": listing}}, NOW))
    assert "1,234 objects are no data, by their names or by exclude" in text


def test_a_pipeline_shows_why_it_ran_or_did_not():
    raw = {
        "kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": [{"name": "train", "image": "i"}]},
        "status": {
            "succeeded": 3, "lastRun": {"number": 3, "name": "delay-3", "at": START},
            "decisions": [{"at": START, "trigger": "dataset/flights", "key": "7c1e", "reason": "waits for delay-3"}],
        },
    }  # fmt: skip
    text = plain(view("pipeline", raw, NOW))
    assert "0 active, 3 succeeded, 0 failed, last delay-3 1m00s ago" in text
    assert "dataset/flights  7c1e  -    waits for delay-3" in text


def test_a_pipeline_shows_which_versions_were_cleared_away():
    gone = [
        {"name": f"delay-{n}", "uid": str(n), "at": START, "reason": "50 newer approved versions are kept"}
        for n in range(9, 0, -1)
    ]
    raw = {
        "kind": "Pipeline",
        "metadata": {"name": "delay"},
        "spec": {"steps": [{"name": "train", "image": "i"}]},
        "status": {"cleared": gone, "clearedVersions": 12},
    }
    text = plain(view("pipeline", raw, NOW))
    assert "CLEARED (12)" in text
    assert "delay-9" in text
    assert "delay-4" not in text


@pytest.mark.parametrize("kind", ["Deployment", "PipelineRun", "ModelVersion", "Dataset"])
def test_an_object_that_was_just_made_can_be_shown(kind):
    raw = next(r for r in (DEPLOYMENT, RUN, VERSION, DATASET) if r["kind"] == kind)
    word = {"Deployment": "deployment", "PipelineRun": "run", "ModelVersion": "modelversion", "Dataset": "dataset"}
    assert "Pending" in plain(view(word[kind], {**raw, "status": {}}, NOW))


def test_lineage_goes_from_the_data_to_what_is_live():
    from fairlead.api.modelversion import ModelVersion

    used = lineage.uses("delay-11", [DEPLOYMENT]) + lineage.uses("delay-10", [DEPLOYMENT])
    assert [(use["as"], use["deployment"]) for use in used] == [("live", "delay"), ("RolledBack", "delay")]
    found = lineage.tree("delay-12", ModelVersion.model_validate(VERSION), {"flights": DATASET}, used, NOW)
    text = plain([found])
    for part in ("dataset flights@7c1e, 336,776 rows", "run delay-3 of pipeline delay", "step train: r/train@sha256:1",
                 "param alpha=0.1", "Passed: mae against champion", "by alice", "deployment delay: live"):  # fmt: skip
        assert part in text
    alone = lineage.tree("delay-12", ModelVersion.model_validate(VERSION), {"flights": None}, [], NOW)
    assert "not live anywhere" in plain([alone])


def test_drawing():
    root = Node("a")
    root.add("b").add("c")
    root.add("d")
    assert plain([root]) == "a\n├─ b\n│  └─ c\n└─ d\n"
    assert plain([Title("x", "Live"), Lines(["one"]), Table(["H"], [["1"]], "cap")]) == "x  Live\n\none\n\ncap\nH\n1\n"


def test_drawing_on_a_terminal_uses_rich_and_escapes_what_users_wrote(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    show([Title("x", "Live", "[bold]"), Table(["H"], [["[red]oops[/]"]]), Lines(["[x]"]), Node("[y]")])
    printed = capsys.readouterr().out
    for part in ("[bold]", "[red]oops[/]", "[x]", "[y]"):
        assert part in printed


def test_words():
    assert bar(-1) == "░" * 20
    assert bar(7) == "█" * 20
    assert evidence("-3.2", "4.6").startswith("░" * 20 + " 0.0408 of 99.5")
    assert evidence("0", "") == "no bound yet"
    assert evidence("9999", "4.6").startswith("█" * 20)
    assert percent(0, 0) == "-"
    assert size(1536) == "1.5 KiB"
    assert size(10**15).endswith("TiB")
    assert ago(None, NOW) == "-"
    assert took(None, None, NOW) == "-"


def test_a_live_version_under_watch_is_shown_with_what_is_tolerated_and_its_way_back():
    guard = {
        "guard": "0/errors", "live": {"requests": 900, "failures": 9}, "windows": 9, "tolerated": "0.05",
        "logEvidence": "2.302585092994046", "bound": "4.605170185988091",
    }  # fmt: skip
    watch = {
        "version": "delay-11", "against": "delay-10", "since": START, "until": START, "length": "1h", "observed": "50",
        "lastWindowAt": START, "guards": [guard],
    }  # fmt: skip
    raw = DEPLOYMENT | {"status": {"phase": "Live", "live": {"version": "delay-11", "since": START}, "watch": watch}}
    shown = plain(view("deployment", raw, NOW))
    assert "after the promotion of delay-11  Watching  50s of 1h00m observed" in shown
    assert "tolerated" in shown
    assert "5.00 %" in shown
    watch |= {"holdback": 5, "guards": [guard | {"logEvidence": "-inf", "previous": {"requests": 50, "failures": 1}}]}
    shown = plain(view("deployment", raw, NOW))
    assert "delay-10 keeps 5 %" in shown
    assert "2.00 %" in shown
    raw["status"]["wayBack"] = {"version": "delay-10", "leaves": "delay-11", "since": START, "reason": "Forced"}
    assert "way back to delay-10  Starting  Forced, 1m00s ago" in plain(view("deployment", raw, NOW))
