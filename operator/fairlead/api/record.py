"""What is kept of the answers that a Deployment gives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.schema import Decimal, Model, Percent, Share, Span, cel


class Output(Model):
    """What an answer is, and when two of them are the same."""

    type: Literal["class", "number", "vector", "embedding", "text"] = "class"
    """`class`: labels, compared exactly. `number` and `vector`: within a tolerance. `embedding`: by the cosine.
    `text`: up to white space."""
    path: Annotated[str, Field(max_length=256, pattern=r"^(/[^/]*)*$")] | None = None
    """Where it stands in the answer's JSON, as a JSON pointer (RFC 6901). Default: the first output's data of the Open
    Inference Protocol, else the first choice's text of the OpenAI API, else the whole body."""
    absolute: Decimal = "0"
    """With `number` and `vector`: they may differ by so much,"""
    relative: Percent = "0%"
    """or by this share of the live version's, whichever is larger."""
    cosine: Decimal = "0.99"
    """With `embedding`: at least."""

    model_config = ConfigDict(
        json_schema_extra=cel(("!has(self.absolute) || !self.absolute.startsWith('-')", "absolute is not negative"))
    )


class Record(Model):
    """Which answers are kept, and for how long they wait. They lie in the store as Parquet files, by version and
    day: request id, version, time, status, latency, answer, and the chance with which it was kept."""

    sample: Share = "100%"
    """Share of the requests. Which ones follows from the request id, so of a request all versions' answers are kept
    or none."""
    inputs: bool = False
    """Keep the requests' bodies too: up to 256 KiB of text each, whole or not at all. With a guard on `review`, people
    see the beginning of those whose answers they compare."""
    every: Span = "60s"
    """How long an answer waits at most before it is written to the store."""
    output: Output = Output()

    model_config = ConfigDict(
        json_schema_extra=cel(("!has(self.sample) || self.sample.matches('[1-9]')", "sample must be above 0%"))
    )
