"""Experiments: several versions side by side, judged by what they are good for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Timestamp
from fairlead.api.guard import PromCounters
from fairlead.api.schema import LIST_SET, Duration, Model, Name, Share, Span, Text, cel


class Sticky(Model):
    """A user stays with the version that he was given, by a cookie."""

    for_: Annotated[Duration, Field(alias="for")] = "7d"
    """How long his cookie is valid. `0s`: no cookie, each request is divided anew."""
    cookie: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """Its name. Default `fairlead-<name of the Deployment>`."""


class Experiment(Model):
    """Several versions answer at the same time, each its share, until one of them is shown to be the best. Each
    candidate is besides held against the live version by `rollout.guard`, and leaves as soon as it does harm."""

    versions: Annotated[list[Name], Field(min_length=1, max_length=4, json_schema_extra=LIST_SET)]
    """The candidates: approved ModelVersions. The live version takes part as well."""
    share: Annotated[str, Field(max_length=3, pattern=r"^[1-9][0-9]?%$")] = "50%"
    """Of the users (without `sticky`: of the requests), for all candidates together; the live version keeps the rest.
    With `Bandit`: the most that they may have."""
    allocation: Literal["Equal", "Bandit"] = "Equal"
    """`Equal`: the candidates have equal shares until the end. `Bandit`: who is likely to be the best one gets more
    (Thompson sampling); who is shown to be worse than another one gets nothing."""
    sticky: Sticky = Sticky()
    reward: PromCounters
    """What the versions are compared by: two counters by version, for example all users and those who bought
    something. Larger `successes` (smaller `failures`) are better."""
    confidence: Share = "95%"
    """The chance that the version that is named as the winner is in truth no worse than any other one."""
    for_: Annotated[Duration, Field(alias="for")] = "1h"
    """Nobody wins before so much time, counting only time in which evidence came in."""
    requests: Annotated[int, Field(ge=1, le=100_000_000)] = 1000
    """Nobody wins before the reward's total of each version has grown by this much."""
    patience: Span = "14d"
    """After this it ends without a winner, and a condition says what is known by then."""
    then: Literal["Report", "Promote"] = "Report"
    """`Report`: a condition names the winner. `Promote`: it goes live, and its pods become the live ones. With
    `model.version` that field must be set to the winner before the experiment is removed."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.confidence) || self.confidence.matches('^(5[0-9]|[6-9][0-9])([.][0-9]+)?%$')",
                "confidence lies between 50% and 99.99%",
            ),
            (
                "!has(self.allocation) || self.allocation == 'Equal' || !has(self.share) || "
                "int(self.share.replace('%', '')) >= 5 * self.versions.size()",
                "with Bandit the share must be at least 5% for each candidate: nobody gets less until he is shown to "
                "be worse",
            ),
            (
                "!has(self.share) || int(self.share.replace('%', '')) >= self.versions.size()",
                "the share must be at least 1% for each candidate",
            ),
        )
    )


class Contender(Model):
    """A version in an experiment: what it gets, and what it is worth."""

    version: Name
    state: Literal["Starting", "In", "Away", "Worse", "Out"] = "Starting"
    """`Away`: no pod of it answers now. `Worse`: shown to be worse than another one. `Out`: it did harm, or it is
    not to be had any more."""
    reason: Annotated[str, Field(max_length=64)] = ""
    share: int = 0
    """Percent of the (new) users or requests."""
    users: int = 0
    """New users that it was given; only where they are counted: with `spec.record`, of the requests that it keeps."""
    total: int = 0
    successes: int = 0
    rate: Annotated[str, Field(max_length=16)] = ""
    low: Annotated[str, Field(max_length=16)] = ""
    """Between `low` and `high` lies its rate, at all times at once, with the experiment's confidence."""
    high: Annotated[str, Field(max_length=16)] = ""
    best: Annotated[str, Field(max_length=16)] = ""
    """The chance that it is the best one, from the counts alone (Bayes, uniform prior)."""
    loss: Annotated[str, Field(max_length=16)] = ""
    """By how much its rate is expected to lie below the best one's: the risk of choosing it now."""


class Comparison(Model):
    """The evidence that one version's rate of successes is higher than another's."""

    better: Name
    worse: Name
    log_lr: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Per odds ratio of the grid: the whole state of the test."""
    log_evidence: Annotated[str, Field(max_length=32)] = "0"


class Division(Model):
    """Whether the users (or requests) are divided as asked, since the shares were last changed."""

    counts: Annotated[list[int], Field(max_length=5)] = []
    """By version, in the order of the contenders that take part."""
    since: Timestamp | None = None
    """From when on they are counted; none: the route does not have the shares yet."""
    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    wrong: bool = False
    read_at: Timestamp | None = None
    """When they were last counted."""
    unknown: Text = ""
    """Why they are not counted."""
