"""The evidence ledger, as status keeps its end until the store has it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead.api.schema import LIST_ATOMIC, Model, Text

LINE = 65536
Line = Annotated[str, Field(max_length=LINE)]
"""The longest are the rules: 8 guards with two PromQL expressions each."""


class Ledger(Model):
    """The evidence of one rollout: a line of JSON for each window and each decision, in the order in which they came.
    Lines go to the store in segments and are dropped here once they are there; a segment is sealed before it is
    written, so whoever writes it writes the same."""

    name: Annotated[str, Field(max_length=128)] = ""
    """Of the rollout: its version and when it began."""
    uri: Annotated[str, Field(max_length=1024)] = ""
    """Where its segments lie; empty: there is no store, and only the last lines are kept."""
    segment: int = 0
    """Number of the next segment."""
    sealed: int = 0
    """How many of the lines belong to the segment that is being written."""
    awaited: int = 0
    """The step is left when so many segments are saved; 0 while the step goes on."""
    dropped: int = 0
    """Lines that are nowhere any more, because nothing could keep them."""
    rules: Annotated[str, Field(max_length=16)] = ""
    """Digest of the rules that the lines were judged by: a change of them is a line too."""
    failing: Annotated[str, Field(max_length=64)] = ""
    """Why the store did not take the sealed lines, in a word; empty when it did."""
    message: Text = ""
    """The same in a sentence, with what to do."""
    lines: Annotated[list[Line], Field(max_length=512, json_schema_extra=LIST_ATOMIC)] = []
    """What is not saved yet."""
