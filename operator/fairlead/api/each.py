"""A step for each item of a list: what people write, and the record of where the items stand."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Timestamp
from fairlead.api.items import MOST, PAGE, VALUE
from fairlead.api.schema import LIST_ATOMIC, LIST_SET, Decimal, Key, Model, Name, Share, cel, exactly_one_of

SHOWN = 12
"""Failed items of which it is said why; the others are counted."""
LARGEST_MATRIX = 4096
"""Characters of a matrix' names and values: a run keeps the whole pipeline in its status."""

ItemValue = Annotated[str, Field(max_length=VALUE)]


class Each(Model):
    """The step's program runs once for each item, and finds its values as `{{each.NAME}}` and in FAIRLEAD_ITEM. At most
    10,000 items."""

    matrix: Annotated[
        dict[Key, Annotated[list[ItemValue], Field(min_length=1, max_length=1000, json_schema_extra=LIST_SET)]],
        Field(min_length=1, max_length=8),
    ] | None = None  # fmt: skip
    """Lists by name; an item is one value of each. Names in alphabetical order, the last one runs fastest."""
    dataset: Name | None = None
    """With `distinct`: the items are the distinct rows of these columns, in the version that the run reads."""
    distinct: Annotated[list[Key], Field(min_length=1, max_length=8, json_schema_extra=LIST_SET)] | None = None
    items_of: Name | None = None
    """The items of that step, those that it has completed. What is read of its outputs is the item's own."""
    max_parallel: Annotated[int, Field(ge=1, le=100)] = 10
    """So many items run at a time."""
    failures: Literal["Fail", "Continue"] = "Fail"
    """`Fail`: an item that fails stops the others, and the step fails. `Continue`: the others go on."""
    min_success: Share | None = None
    """With `Continue`: the step succeeds if this part of its items does. Default: all of them."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one_of("matrix", "dataset", "itemsOf"),
            ("has(self.dataset) == has(self.distinct)", "dataset and distinct go together"),
            ("!has(self.minSuccess) || (has(self.failures) && self.failures == 'Continue')",
             "minSuccess needs failures: Continue"),
        )
    )  # fmt: skip


class LiveItem(Model):
    """An item that has begun and is not over: it runs, or waits for another attempt."""

    item: Annotated[int, Field(ge=0, lt=MOST)]
    """Its number, from 0."""
    attempt: int = 1
    phase: Literal["Running"] | None = None
    """Absent: its pod has not begun, or another attempt is waited for."""
    reason: Annotated[str, Field(max_length=64)] | None = None
    message: Annotated[str, Field(max_length=128)] | None = None
    """Of the first few that wait for something."""
    failures: int | None = None
    disruptions: int | None = None
    not_before: Timestamp | None = None
    job_uid: Annotated[str, Field(max_length=36)] | None = None
    memory: Annotated[str, Field(max_length=20)] | None = None
    """What the attempt may use, once it is more than `resources.memory`."""
    gpu_since: Timestamp | None = None
    gpus: Decimal | None = None
    """GPUs that its pod has, and since when."""
    ended_at: Timestamp | None = None
    """When its attempt has ended, whose log is still to be kept."""
    recall: bool | None = None
    """The Job only asks what was committed."""


class FailedItem(Model):
    """Why an item has failed."""

    item: int
    values: Annotated[str, Field(max_length=128)] = ""
    """In words."""
    reason: Annotated[str, Field(max_length=64)] = ""
    message: Annotated[str, Field(max_length=256)] = ""


class Asked(Model):
    """The Job that asks a Dataset's version for its items."""

    name: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)] = ""
    attempt: int = 1
    unreadable: int = 0
    """Answers that could not be read."""
    not_before: Timestamp | None = None


class Items(Model):
    """Where the items stand. Those below `next` have begun or were left out; what is neither alive nor failed, stopped
    or left out is completed. Their outputs, in the store, are shown by `kubectl fairlead get run/NAME --items`."""

    total: Annotated[int, Field(ge=0, le=MOST)] | None = None
    """Absent: not known yet."""
    next: int = 0
    completed: int = 0
    live: Annotated[list[LiveItem], Field(max_length=200, json_schema_extra=LIST_ATOMIC)] = []
    failed: Annotated[str, Field(max_length=2048)] = ""
    """A set of numbers, `0-3,7`, or `bits:` and their bits in base64."""
    stopped: Annotated[str, Field(max_length=2048)] = ""
    """Likewise: begun, and stopped before they were over."""
    left_out: Annotated[str, Field(max_length=2048)] = ""
    """Likewise: not completed by a step whose items these are."""
    why: Annotated[list[FailedItem], Field(max_length=SHOWN, json_schema_extra=LIST_ATOMIC)] = []
    """Of the first that have failed."""
    tally: Annotated[str, Field(max_length=344)] = ""
    """Of what the completed ones have left, as long as the step goes on,"""
    digest: Annotated[str, Field(max_length=64)] = ""
    """and afterwards: a step that reads all of it verifies it by this."""
    folder: Annotated[str, Field(max_length=1024)] = ""
    """Where what they leave is kept: `outcomes/`, `items/` and `logs/` below."""
    asked: Asked | None = None
    pages: Annotated[
        list[Annotated[str, Field(max_length=64)]], Field(max_length=MOST // PAGE, json_schema_extra=LIST_ATOMIC)
    ] = []  # fmt: skip
    """Of items of a Dataset: digests of the documents with their values."""
