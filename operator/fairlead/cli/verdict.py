"""`fairlead verdict`: what would a rollout decide on these windows? No cluster is needed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fairlead.api.deployment import Rollout
from fairlead.cli.blocks import Block, Lines, Table, Title, show
from fairlead.cli.session import OK, USAGE, Problem, guarded
from fairlead.cli.text import bar
from fairlead.plan.deployment.rollout import whatif
from fairlead.plan.deployment.rollout.whatif import Judged
from fairlead.verdict import failures
from fairlead.verdict.difference import alternatives
from fairlead.verdict.gauges import GaugeState
from fairlead.verdict.guards import GuardState, pairs_of
from fairlead.verdict.split import BOUND
from fairlead.verdict.trace import BadTrace, read

Json = dict[str, Any]


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "verdict", help="what a rollout would decide on a trace of windows, without a cluster",
        description='What a rollout would decide on a trace: one line of JSON per window, as in {"t": 12.0, "arms": '
        '{"stable": {"requests": 90, "failures": 1}, "candidate": {"requests": 10, "failures": 2}}}. '
        "The exit code is 0 whatever the verdict.",
    )  # fmt: skip
    parser.add_argument("--rollout", required=True, metavar="FILE",
                        help="a Deployment's manifest, its spec, or its spec.rollout, as YAML")  # fmt: skip
    parser.add_argument("--trace", required=True, metavar="FILE", help="the windows; - for standard input")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what would be decided. Returns the exit code."""
    return guarded(lambda: _tell(args))


def _tell(args: argparse.Namespace) -> int:
    try:
        rollout = read_rollout(Path(args.rollout).read_text(encoding="utf-8"))
        text = sys.stdin.read() if args.trace == "-" else Path(args.trace).read_text(encoding="utf-8")
        judged = whatif.judge(rollout, read(text.split("\n"))).judged
    except (OSError, BadTrace, ValueError) as bad:
        raise Problem(str(bad), USAGE) from None
    if not judged:
        raise Problem(f"{args.trace} has no window; each line is an object with t and arms", USAGE)
    if args.output == "json":
        json.dump(report(judged), sys.stdout, indent=1)
        print()
    else:
        show(blocks(judged))
    return OK


def read_rollout(text: str) -> Rollout:
    """The rollout of a Deployment's manifest, of its spec, or itself. Raises ValueError."""
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as bad:
        raise ValueError(f"not YAML: {bad}") from None
    rollout = _within(body)
    if not isinstance(rollout, dict):
        raise ValueError("the rollout is not an object")
    try:
        return _known(rollout)
    except ValidationError as bad:
        first = bad.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _within(body: Any) -> Any:
    """The rollout in a manifest or a spec; what has none is one."""
    if not isinstance(body, dict):
        return body
    if "spec" not in body:
        return body.get("rollout", body)
    if not isinstance(body["spec"], dict):
        raise ValueError("the manifest's spec is not an object")
    return body["spec"].get("rollout", {})


def _known(body: Json) -> Rollout:
    """The rollout; a field that there isn't is an error, as at the API server."""
    found = Rollout.model_validate(body)
    strange = next(_unknown(body, found.model_dump(by_alias=True), ""), None)
    if strange:
        raise ValueError(f"there is no field {strange} in a rollout")
    return found


def _unknown(told: Any, known: Any, path: str) -> Iterator[str]:
    if isinstance(told, dict) and isinstance(known, dict):
        for word, value in told.items():
            key = "off" if word is False else word  # what YAML makes of it
            if key not in known:
                yield f"{path}{key}"
            else:
                yield from _unknown(value, known[key], f"{path}{key}.")
    elif isinstance(told, list) and isinstance(known, list):
        for index, pair in enumerate(zip(told, known, strict=True)):
            yield from _unknown(*pair, f"{path}{index}.")


# --- as JSON -------------------------------------------------------------------------------------------------------


def report(judged: Iterable[Judged]) -> Json:
    """All windows, and where it ended."""
    windows = [window(one) for one in judged]
    return {"windows": windows, "end": windows[-1], "verdict": windows[-1]["verdict"]}


def window(judged: Judged) -> Json:
    """One window: each metric's tests, the split, and the verdict."""
    state, found, rules = judged.state, judged.conclusion, judged.rules
    return {
        "t": judged.t, "weight": judged.weight,
        "verdict": found.verdict, "reason": found.reason, "metric": found.metric,
        "metrics": {metric.name: _metric(judged, i) for i, metric in enumerate(rules.metrics)},
        "split": {
            "logEvidence": state.split.log_evidence, "bound": BOUND, "wrong": state.split.wrong,
            "stable": state.split.stable, "candidate": state.split.candidate,
        },
    }  # fmt: skip


def _metric(judged: Judged, index: int) -> Json:
    rules = judged.rules
    guard, proof = judged.state.guards[index], judged.state.proofs[index]
    common: Json = {
        "role": rules.metrics[index].role, "logEvidence": guard.log_evidence, "bound": rules.bound,
        "windows": guard.windows,
    }  # fmt: skip
    if isinstance(guard, GaugeState):
        stable, candidate = guard.averages
        pairs = {"logEvidence": guard.log_evidence, "batches": len(guard.means), "batchOf": guard.length}
        return common | {"tests": {"C": pairs}, "stable": {"value": stable}, "candidate": {"value": candidate}}
    found: Json = common | {
        "tests": _tests(guard),
        "stable": {"requests": guard.stable.requests, "failures": guard.stable.failures},
        "candidate": {"requests": guard.candidate.requests, "failures": guard.candidate.failures},
    }  # fmt: skip
    if proof:
        found["proof"] = {"logEvidence": proof.log_evidence, "bound": rules.proof}
    return found


def _tests(guard: GuardState) -> Json:
    """What each test has found; one that judges nothing is left out."""
    if guard.paired is not None:
        return {"F": {"logEvidence": guard.log_evidence, "worseBy": guard.paired}}
    found: Json = {}
    if guard.beyond:
        found["difference"] = {"logEvidence": guard.log_evidence, "worseBy": guard.beyond.worse_by}
    if guard.odds < inf:
        odds = [f"{psi * guard.odds:g}" for psi in failures.GRID]
        each = dict(zip(odds, guard.log_lr, strict=True))
        found["A"] = {"logEvidence": failures.log_mean(guard.log_lr), "oddsRatios": each}
    if guard.floor:
        found["ownRate"] = {"logEvidence": guard.log_excess, "above": guard.floor}
    return found


# --- as a table ----------------------------------------------------------------------------------------------------

_WIDEST = 12


def blocks(judged: list[Judged]) -> list[Block]:
    """A row per window, then each metric at the end with its odds ratios."""
    last = judged[-1]
    rules = last.rules
    headers = [
        "T",
        *(f"{metric.name.upper()} (BOUND {rules.bound:.2f})" for metric in rules.metrics),
        "SPLIT",
        "VERDICT",
    ]
    rows = [_row(one) for one in judged]
    shown: list[Block] = [Table(headers, rows, caption="log evidence of harm, window by window")]
    for index, metric in enumerate(rules.metrics):
        shown.append(_odds(metric.name, last, index))
    end = last.conclusion
    note = " ".join(part for part in (end.reason, end.metric) if part)
    return [*shown, Title("verdict", end.verdict, note), *_proofs(last)]


def _row(judged: Judged) -> list[str]:
    bound = judged.rules.bound
    cells = [f"{bar(guard.log_evidence / bound, _WIDEST)} {guard.log_evidence:8.3f}" for guard in judged.state.guards]
    return [f"{judged.t:g}", *cells, f"{judged.state.split.log_evidence:.3f}", judged.conclusion.verdict]


def _odds(name: str, judged: Judged, index: int) -> Table:
    guard = judged.state.guards[index]
    if isinstance(guard, GaugeState):
        stable, candidate = (f"{value:.6g}" for value in guard.averages)
        row = [candidate, stable, str(len(guard.means)), str(guard.length), f"{guard.log_evidence:.4f}"]
        headers = ["CANDIDATE", "LIVE", "BATCHES", "OF PAIRS", "LOG EVIDENCE"]
        return Table(headers, [row], caption=f"{name} at the end; {guard.windows} pairs of values, on average")
    if guard.paired is not None:
        seen = pairs_of(guard.stable, guard.candidate)
        row = [str(seen.candidate_wrong), str(seen.stable_wrong), str(seen.alike), f"{guard.log_evidence:.4f}"]
        headers = ["CANDIDATE WORSE", "LIVE WORSE", "ALIKE", "LOG EVIDENCE"]
        return Table(headers, [row], caption=f"{name}: test F at the end, pairs of answers")
    if guard.odds == inf:
        headers = ["", f"OWN RATE ABOVE {guard.floor:.2%}"]
        return Table(headers, [["log evidence", f"{guard.log_excess:.4f}"]], caption=f"{name} at the end; {_of(guard)}")
    if guard.beyond:
        rates = [f"{q_c:.2%}" for _, q_c in alternatives("harm", guard.beyond.rate, guard.beyond.worse_by)]
        cells = [f"{value:.4f}" for value in guard.beyond.log_e or (0.0,) * len(rates)]
        caption = f"{name}: worse by more than {guard.beyond.worse_by:.2%} at the end; {_of(guard)}"
        row = ["log evidence", *cells, f"{guard.log_evidence:.4f}"]
        return Table(["IF IT FAILS IN", *rates, "MEAN"], [row], caption=caption)
    headers = ["ODDS RATIO", *(f"{psi * guard.odds:g}" for psi in failures.GRID), "MEAN"]
    cells = [f"{value:.4f}" for value in guard.log_lr]
    row = ["log evidence", *cells, f"{failures.log_mean(guard.log_lr):.4f}"]
    return Table(headers, [row], caption=f"{name}: test A at the end; {_of(guard)}")


def _of(guard: GuardState) -> str:
    return (
        f"candidate {guard.candidate.failures} of {guard.candidate.requests}, "
        f"live {guard.stable.failures} of {guard.stable.requests}"
    )


def _proofs(judged: Judged) -> list[Block]:
    rules = judged.rules
    lines = [
        f"{metric.name}: proof of the {metric.role} {kept.log_evidence:.3f} of {rules.proof:.3f}"
        for metric, kept in zip(rules.metrics, judged.state.proofs, strict=True) if kept
    ]  # fmt: skip
    return [Lines(lines)] if lines else []
