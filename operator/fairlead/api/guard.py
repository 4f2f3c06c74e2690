"""Guards: the ways in which a candidate must not be worse than the live version."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from fairlead.api.schema import Decimal, Key, Model, Name, Percent, cel, exactly_one_of

_RANGE = "[]][ ]*$"
IS_OFF = "((has({0}.off) && {0}.off) || (has({0}.__false__) && {0}.__false__))"
"""CEL: a guard is switched off."""
_RATES = "(^|[^a-zA-Z0-9_:])(i?rate|increase|i?delta|deriv)[ ]*[(]"


def _counters(pattern: str) -> str:
    """CEL: none of the counters' expressions matches."""
    optional = " && ".join(
        f"(!has(self.{one}) || !self.{one}.matches('{pattern}'))" for one in ("failures", "successes")
    )
    return f"!self.total.matches('{pattern}') && {optional}"


class PromCounters(Model):
    """Two counters by version, from Prometheus. In the expressions `{{version}}` stands for the version's name and
    `{{namespace}}` for the namespace. Write plain counters without rate() or increase(): resets are handled here."""

    total: Annotated[str, Field(min_length=1, max_length=1024)]
    """PromQL whose series count all outcomes of a version, each in the moment when it is known."""
    failures: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """PromQL whose series count the bad ones among them."""
    successes: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Instead: PromQL whose series count the good ones, such as orders, clicks or accepted answers."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one_of("failures", "successes"),
            ("self.total.contains('{{version}}') && (!has(self.failures) || self.failures.contains('{{version}}')) && "
             "(!has(self.successes) || self.successes.contains('{{version}}'))",
             "both expressions must contain {{version}}: they are asked for each version"),
            (_counters(_RANGE), "an expression with a [range] gives no counters: write it without"),
            (_counters(_RATES), "write plain counters, without rate() or increase(): resets are handled here"),
        )
    )  # fmt: skip


class PromGauge(Model):
    """A value by version that goes up and down, from Prometheus, such as a mean latency or a queue's length. It is
    read once a window; the two versions' values at the same moment make a pair."""

    value: Annotated[str, Field(min_length=1, max_length=1024)]
    """PromQL with one series for a version; `{{version}}` and `{{namespace}}` as in counters."""
    better: Literal["Lower", "Higher"] = "Lower"
    """Which direction is good."""
    tolerance: Decimal = "0"
    """How much worse is tolerable, in the value's own unit."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.value.contains('{{version}}')",
                "the expression must contain {{version}}: it is asked for each version",
            ),
            (f"!self.value.matches('{_RANGE}')", "an expression with a [range] gives no value: write it without"),
            ("!has(self.tolerance) || !self.tolerance.startsWith('-')", "a tolerance is not negative"),
        )
    )


Loss = Literal["wrong", "absolute", "squared"]


class Labels(Model):
    """What was really the case, known later: rows of a Dataset that name the request that they belong to."""

    dataset: Name
    """A Dataset in the same namespace; each of its versions is joined with the answers that were kept."""
    request_id: Key = "request_id"
    """Column with the value of the answer's header `x-request-id`."""
    label: Key = "label"
    """Column with the truth."""
    tolerance: Decimal = "0"
    """With `loss: wrong`: a number is wrong if it is farther than this from the truth; anything else is wrong if it is
    not equal."""
    loss: Loss = "wrong"
    """What an answer costs. `wrong`: all that are wrong the same. `absolute`, `squared`: how far a number is from the
    truth, or the square of that."""
    cap: Decimal | None = None
    """With `absolute` and `squared`: the largest loss; a larger one counts as this. `worseBy` is in percent of it."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.tolerance) || !self.tolerance.startsWith('-')", "a tolerance is not negative"),
            (
                "has(self.cap) == (has(self.loss) && self.loss != 'wrong')",
                "loss absolute or squared needs cap, the largest loss that counts; loss wrong has none",
            ),
            ("!has(self.cap) || double(self.cap) > 0.0", "cap is greater than 0"),
            (
                "!has(self.tolerance) || double(self.tolerance) == 0.0 || !has(self.loss) || self.loss == 'wrong'",
                "tolerance belongs to loss: wrong; a loss counts every difference",
            ),
        )
    )


class Guard(Model):
    """A way in which the candidate must not be worse than the live version at the same time on the same traffic."""

    metric: Literal["errors", "latency", "outcomes", "gauge", "disagreement", "labels", "scores", "review"]
    """`errors`: failed requests, by the servers' own counters. `latency`: requests slower than the live version's
    quantile was when the rollout began. `outcomes`: any two counters in Prometheus. `gauge`: any value in Prometheus.
    `disagreement`: in shadow steps, requests to which the two versions give different answers. `labels`: answers that
    turned out wrong. `scores`: answers beyond the range in which the live version's are. `review`: of answers that differ
    in shadow steps, people look at a sample and say which is better, `kubectl fairlead review deployment/NAME`."""
    role: Literal["alarm", "guardrail", "target"] = "alarm"
    """What it takes to go live. `alarm`: it was not shown to be worse. `guardrail`: besides, it was proven not to be
    worse by `worseBy`. `target`: besides, it was proven to be better. Harm rolls back in every role."""
    worse_by: Percent = "0%"
    """How much worse is tolerable: percentage points of failures; for latency, percent on top of the quantile; for
    disagreement, the share of requests that may be answered differently; for review, percentage points by which the
    candidate's answer may be the worse one more often than the better one."""
    quantile: Literal["p50", "p90", "p95", "p99"] | None = None
    """With `latency`; default p95."""
    promql: PromCounters | None = None
    """With `outcomes`."""
    gauge: PromGauge | None = None
    """With `gauge`."""
    labels: Labels | None = None
    """With `labels`."""
    min_events: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """With `outcomes` and `labels`: a step is not left before this many of the candidate have been counted in it. With
    `review`: no shadow step is left before so many pairs have been judged, or all that differed; at most 100."""
    off: bool | None = None
    """Only `{metric: errors, off: true}`, as the last of the list: errors are not guarded. Without it they always are,
    whatever else the list says."""
    off_unquoted: Annotated[bool | None, Field(alias="false")] = None
    """What YAML makes of the word `off` where it is written without quotation marks; it means the same."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("(self.metric == 'outcomes') == has(self.promql)", "outcomes needs promql, and only outcomes"),
            ("(self.metric == 'gauge') == has(self.gauge)", "metric gauge needs gauge, and only that one"),
            ("(self.metric == 'labels') == has(self.labels)", "metric labels needs labels, and only that one"),
            ("!has(self.quantile) || self.metric == 'latency'", "quantile goes with latency"),
            (
                f"!{IS_OFF.format('self')} || self.metric == 'errors'",
                "only errors are guarded without being asked for, so only errors can be off: take the other guard out",
            ),
            (
                f"!{IS_OFF.format('self')} || ((!has(self.role) || self.role == 'alarm') && "
                "(!has(self.worseBy) || !self.worseBy.matches('[1-9]')))",
                "a guard that is off has neither a role nor worseBy",
            ),
            (
                "!has(self.role) || self.role != 'guardrail' || (has(self.worseBy) && self.worseBy.matches('[1-9]'))",
                "a guardrail needs worseBy above 0%: that two versions are exactly equal can't be proven",
            ),
            (
                "!has(self.role) || self.role != 'target' || !has(self.worseBy) || !self.worseBy.matches('[1-9]')",
                "worseBy does not go with a target, which must be better",
            ),
            (
                "!has(self.role) || self.role == 'alarm' || !(self.metric in ['gauge', 'disagreement', 'scores'])",
                "gauge, disagreement and scores can only be alarms",
            ),
            (
                "self.metric != 'disagreement' || (has(self.worseBy) && self.worseBy.matches('[1-9]'))",
                "disagreement needs worseBy above 0%: a new version that answers everything alike is not new",
            ),
            (
                "self.metric != 'gauge' || !has(self.worseBy) || !self.worseBy.matches('[1-9]')",
                "a gauge's tolerance is gauge.tolerance, in its own unit",
            ),
            (
                "!has(self.minEvents) || self.minEvents == 0 || self.metric in ['outcomes', 'labels', 'review']",
                "minEvents goes with outcomes, labels and review",
            ),
            (
                "self.metric != 'review' || !has(self.minEvents) || self.minEvents <= 100",
                "at most 100 pairs are judged in a rollout",
            ),
            (
                "self.metric == 'latency' || !has(self.worseBy) || self.worseBy.matches('^(100([.]0+)?|..?([.].+)?)%')",
                "worseBy is at most 100% here",
            ),
            (
                "self.metric != 'review' || !has(self.worseBy) || !self.worseBy.startsWith('100')",
                "with review, worseBy is below 100%",
            ),
        )
    )

    @model_validator(mode="before")
    @classmethod
    def _yaml_off(cls, body: Any) -> Any:
        """For Python's YAML the word is even no text as a key, but the value False."""
        return (
            {"off" if key is False else key: value for key, value in body.items()} if isinstance(body, dict) else body
        )

    @property
    def is_off(self) -> bool:
        """Whether it says that its metric is not guarded."""
        return bool(self.off or self.off_unquoted)
