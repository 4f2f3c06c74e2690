"""Why a live version answers as it does: what is asked for, and what is known of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from fairlead.api.common import Timestamp
from fairlead.api.halves import Own
from fairlead.api.schema import LIST_ATOMIC, Model, Span, Text, cel

SHOWN = 10
"""Features that a status names."""


class Explain(Model):
    """Explain a sample of the live version's answers: what each feature contributed. A Job asks the version's own
    server; requests' bodies are kept for it."""

    every: Span = "1d"
    rows: Annotated[int, Field(ge=10, le=1000)] = 100
    """Requests that are explained each time. Each costs the server about 64 predictions a feature."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.every) || self.every.matches('[1-9][0-9]*[mhd]([0-9]|$)')",
                "every is a minute at least: 1h, 1d",
            )
        )
    )


class ExplainJob(Model):
    """The Job that explains requests of one stretch of time."""

    name: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)] = ""
    since: Timestamp
    until: Timestamp
    attempt: int = 1
    unreadable: int = 0
    """Attempts whose answer could not be read."""
    failures: int = 0
    """Those that failed by the model's own fault; at most 3."""
    bare: bool = False
    """Without the evaluation's rows: there are none, they can't be fetched, or the reference is made."""
    not_before: Timestamp | None = None
    part: Annotated[str, Field(max_length=32)] = ""
    """Of the window's budget of false alarms; empty: all of it."""


class Mean(Model):
    """Of a number in [0, 1] over the reference's rows, and between what it lies."""

    low: float
    mean: float
    high: float


class WatchedFeature(Model):
    """A feature's share of the contributions, and their direction (`monitor/attributions.py`)."""

    name: str
    share: Mean
    way: Mean


class Reference(Model):
    """What contributions are compared with, and the rows that answers are explained against: made once a version."""

    key: Annotated[str, Field(max_length=256)]
    """Below the version's folder of explanations."""
    sha256: Annotated[str, Field(max_length=64)]
    of: Annotated[str, Field(max_length=16)] = ""
    """`evaluation`: rows of the version's evaluation; `requests`: the first requests that were explained."""
    rows: int = 0
    pairs: int = 0
    """Background rows, and pairs of orders, an explained row."""
    note: Annotated[str, Field(max_length=512)] = ""
    watched: Annotated[list[WatchedFeature], Field(max_length=16)] = []


class Contribution(Model):
    """How much a feature contributes, in the unit of what is explained."""

    feature: Annotated[str, Field(max_length=256)]
    mean: Annotated[str, Field(max_length=24)]
    """Of the absolute contributions to the last explained requests, and"""
    error: Annotated[str, Field(max_length=24)]
    """its standard error."""
    share: Annotated[str, Field(max_length=12)]
    """Of all contributions."""


class Explained(Model):
    """What is known of why the live version answers as it does."""

    at: Timestamp | None = None
    """When requests were explained last."""
    rows: int = 0
    """Of them."""
    left: int = 0
    """Requests that were drawn and not explained, whatever the reason."""
    asked: int = 0
    """Predictions that this cost the server, in `calls` requests."""
    calls: int = 0
    explains: Annotated[str, Field(max_length=512)] = ""
    """What is explained: `the answer`, `the probability of yes`."""
    base: Annotated[str, Field(max_length=24)] = ""
    """Its mean over the background: contributions are to the difference from this."""
    features: Annotated[list[Contribution], Field(max_length=SHOWN, json_schema_extra=LIST_ATOMIC)] = []
    """Those that contribute most, first."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why nothing new is known; empty: something is."""
    message: Text = ""
    uri: Annotated[str, Field(max_length=1024)] = ""
    """Where the explanations lie."""
    said: Annotated[str, Field(max_length=16)] = ""
    """What the drift of contributions is: a monitor's state."""
    moved: Text = ""
    """In words."""
    next_at: Own[Timestamp | None] = None
    """When the next Job begins; absent: not known yet."""
    until: Own[Timestamp | None] = None
    """The requests before have been explained, or were not to be."""
    job: Own[ExplainJob | None] = None
    reference: Own[Reference | None] = None
    state: Own[Annotated[str, Field(max_length=32768)]] = ""
    """Of the tests, packed."""
    settings: Own[Annotated[str, Field(max_length=16)]] = ""
    """Digest of what the tests go by."""
