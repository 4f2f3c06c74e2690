"""What a model learnt from, in few numbers: bins, categories, and how right its answers were. One document, named by
its digest; counts are of a profile, and are never compared with another one's.

A numeric feature has the reference's quantiles as edges, so that each bin has about as many rows; bin i holds the
values from edge i-1 up to, but not including, edge i. What lies beyond the smallest and largest value of the reference,
what is missing, no number, or of another type is counted apart, behind the bins: see `OUTSIDE` and `STRAY`.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from fairlead.api.schema import Model

VERSION = 1
BINS, SCORES, CATEGORIES, KNOWN = 32, 64, 32, 512
"""Of a numeric feature, of a score; categories with a place of their own, and others that are recognised."""
FEATURES, PAIRS, SLICES, VALUES = 500, 32, 4, 8
"""At most so many features, pairs, columns of slices, and slices of a column."""
SIZE = 1 << 20
"""Bytes of a document; one of 20 features has less than 64 KiB."""
STRAY = ("below", "above", "missing", "unusable", "wrong")
"""Behind the bins of a number: smaller and larger than all of the reference; null; NaN or infinite; of another type."""
OUTSIDE = ("other", "unseen", "missing", "wrong")
"""Behind the categories: rarer ones that the reference had; ones that it did not have; null; of another type."""
LONGEST = 256
"""Characters of a category's name; longer ones are cut, as they are counted."""

Count = Annotated[int, Field(ge=0, le=2**53)]
"""No float counts further."""
Real = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=LONGEST)]


class Part(Model):
    """Of a profile: a field that is not known here may change what the others mean, so it is refused."""

    model_config = ConfigDict(extra="forbid")


class Number(Part):
    """A numeric feature, or a regression's answer."""

    kind: Literal["number"]
    name: Text
    edges: Annotated[list[Real], Field(max_length=BINS - 1)]
    """Between the bins, rising. Fewer than 31 where the reference has few different values."""
    counts: Annotated[list[Count], Field(min_length=1, max_length=BINS)]
    """Rows of the reference by bin: one more than edges."""
    low: Real
    high: Real
    """Smallest and largest value of the reference."""
    mean: Real = 0.0
    sd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Of the reference's values; 0 for a constant."""
    missing: Count = 0
    unusable: Count = 0
    wrong: Count = 0
    """Rows of the reference that were null; NaN or infinite; of another type."""

    @model_validator(mode="after")
    def _fits(self) -> Number:
        if len(self.counts) != len(self.edges) + 1 or not self.low <= self.high:
            raise ValueError(f"{self.name[:60]}: bins and edges don't fit each other")
        if any(not a < b for a, b in pairwise(self.edges)):
            raise ValueError(f"{self.name[:60]}: the edges don't rise")
        return self

    @property
    def length(self) -> int:
        """Places in a vector of counts."""
        return len(self.counts) + len(STRAY)

    @property
    def reference(self) -> tuple[int, ...]:
        """The reference as a vector of counts."""
        return (*self.counts, 0, 0, self.missing, self.unusable, self.wrong)

    def place(self, value: Any) -> int:
        """Where a value of a request is counted. True and false are 1 and 0, as they are sent."""
        bins = len(self.counts)
        if value is None:
            return bins + 2
        if not isinstance(value, (int, float)):
            return bins + 4
        try:
            number = float(value)
        except OverflowError:  # an integer that no float is as large as
            return bins + (1 if value > 0 else 0)
        if not isfinite(number):
            return bins + 3
        if number < self.low:
            return bins
        return bins + 1 if number > self.high else bisect_right(self.edges, number)


class Category(Part):
    """A feature with names, or a classifier's answer."""

    kind: Literal["category"]
    name: Text
    values: Annotated[list[Text], Field(max_length=CATEGORIES)]
    """The most frequent ones, most frequent first."""
    counts: Annotated[list[Count], Field(max_length=CATEGORIES)]
    other: Count = 0
    """Rows of the reference with a rarer one."""
    known: Annotated[list[Text], Field(max_length=KNOWN)] = []
    """Rarer ones, most frequent first."""
    complete: bool = True
    """Whether `values` and `known` are all that the reference had; if not, a new one can't be told from a rare one, and
    is counted as `other`."""
    missing: Count = 0
    wrong: Count = 0

    @model_validator(mode="after")
    def _fits(self) -> Category:
        names = [*self.values, *self.known]
        if len(self.counts) != len(self.values) or len(set(names)) != len(names):
            raise ValueError(f"{self.name[:60]}: categories and counts don't fit each other")
        return self

    @property
    def length(self) -> int:
        """Places in a vector of counts."""
        return len(self.values) + len(OUTSIDE)

    @property
    def reference(self) -> tuple[int, ...]:
        """The reference as a vector of counts."""
        return (*self.counts, self.other, 0, self.missing, self.wrong)

    @cached_property
    def _places(self) -> dict[str, int]:
        rare = dict.fromkeys(self.known, len(self.values))
        return rare | {value: at for at, value in enumerate(self.values)}

    def place(self, value: Any) -> int:
        """Where a value of a request is counted: by its name (`category_name`)."""
        count = len(self.values)
        if value is None:
            return count + 2
        name = category_name(value)
        if name is None:
            return count + 3
        return self._places.get(name, count + 1 if self.complete else count)


Feature = Annotated[Number | Category, Field(discriminator="kind")]


class Scores(Part):
    """How right the answers were on held-out rows, by how sure they were.

    Of two classes the score is the probability of `positive`; of more, the predicted class' own probability. Without
    probabilities there are no scores.
    """

    edges: Annotated[list[Real], Field(max_length=SCORES - 1)]
    counts: Annotated[list[Count], Field(min_length=1, max_length=SCORES)]
    """Held-out rows by bin."""
    right: Annotated[list[Count], Field(min_length=1, max_length=SCORES)]
    """Those among them whose true class is `positive`; of more than two classes: whose answer was right."""
    predicted: Annotated[list[Count], Field(max_length=SCORES)] = []
    """With two classes: those among them that were answered `positive`."""

    @model_validator(mode="after")
    def _fits(self) -> Scores:
        bins = len(self.edges) + 1
        if not len(self.counts) == len(self.right) == bins or len(self.predicted) not in (0, bins):
            raise ValueError("the scores' bins don't fit each other")
        if any(k > n for k, n in zip(self.right, self.counts, strict=True)):
            raise ValueError("more scores were right than there are")
        if any(not a < b for a, b in pairwise(self.edges)):
            raise ValueError("the scores' edges don't rise")
        return self

    def place(self, score: float) -> int:
        """The bin of a score in [0, 1]."""
        return bisect_right(self.edges, score)


class Losses(Part):
    """A regression's errors on held-out rows, by bin of its answer (`Profile.prediction`), also of the rarest."""

    counts: Annotated[list[Count], Field(max_length=BINS)]
    absolute: Annotated[list[Real], Field(max_length=BINS)]
    """Sums of |error|."""
    squared: Annotated[list[Real], Field(max_length=BINS)]
    """Sums of error²."""
    fourth: Annotated[list[Real], Field(max_length=BINS)]
    """Sums of error⁴: how certain the means of the squares are."""
    nonzero: Annotated[list[Count], Field(max_length=BINS)]
    """Rows whose actual value is not 0."""
    relative: Annotated[list[Real], Field(max_length=BINS)]
    """Sums of |error / actual| over these."""
    relative_squared: Annotated[list[Real], Field(max_length=BINS)]


class Slice(Part):
    """Rows that a column tells apart, for fairness: counts by slice are of its answers."""

    by: Text
    """A feature (`Profile.features`), or a column that only the labels have."""
    values: Annotated[list[Text], Field(max_length=VALUES)]
    """Names of its slices (`category_name`), the most frequent first; others are not told apart."""
    counts: Annotated[list[Count], Field(max_length=VALUES)]
    """Held-out rows of each."""

    @model_validator(mode="after")
    def _fits(self) -> Slice:
        if len(self.counts) != len(self.values):
            raise ValueError(f"{self.by[:60]}: slices and counts don't fit each other")
        return self


class Pair(Part):
    """Two numeric features whose correlation is watched."""

    a: Text
    b: Text
    n: Count
    r: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
    """Of the reference: Pearson's, of values cut to 4 standard deviations from the mean, so that one outlier does not
    decide."""


class Profile(Part):
    """The document."""

    version: Literal[1] = 1
    task: Literal["regression", "classification"]
    rows: Count
    """Of the reference: what the model learnt from, or stands for it."""
    held_out: Count = 0
    """Of the rows that scores, losses and `quality` are from."""
    reference: Annotated[str, Field(max_length=64)] = ""
    data: Annotated[str, Field(max_length=64)] = ""
    """Digests of both."""
    features: Annotated[list[Feature], Field(max_length=FEATURES)]
    prediction: Feature | None = None
    """The model's answers to the held-out rows."""
    positive: Text = ""
    """With two classes: the one whose probability is the score."""
    scores: Scores | None = None
    losses: Losses | None = None
    slices: Annotated[list[Slice], Field(max_length=SLICES)] = []
    pairs: Annotated[list[Pair], Field(max_length=PAIRS)] = []
    natural: Annotated[dict[Text, Share], Field(max_length=FEATURES + 2)] = {}
    """By feature, and for `answers` and `scores`: the largest total variation between the reference and one of its own
    windows (`watched.natural`): what season and chance did while all was well."""
    quality: Annotated[dict[Text, Real], Field(max_length=32)] = {}
    """Metrics of the held-out rows, by name: `accuracy`, `auc`, `mae` …"""

    @model_validator(mode="after")
    def _fits(self) -> Profile:
        names = [one.name for one in self.features]
        if len(set(names)) != len(names):
            raise ValueError("two features have one name")
        numbers = {one.name for one in self.features if isinstance(one, Number)}
        if any(pair.a not in numbers or pair.b not in numbers for pair in self.pairs):
            raise ValueError("a pair names what is no numeric feature")
        if self.losses is not None and not isinstance(self.prediction, Number):
            raise ValueError("losses by bin of an answer that has no bins")
        return self

    def feature(self, name: str) -> Number | Category | None:
        """A feature by its name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Number | Category]:
        return {one.name: one for one in self.features}

    def dumped(self) -> bytes:
        """The document: JSON in one form only, so that equal profiles have equal digests."""
        body = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        head = {"version": self.version}
        return json.dumps(head | body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the document, in hex."""
        return hashlib.sha256(self.dumped()).hexdigest()


class BadProfile(ValueError):  # noqa: N818 - the house's names of errors
    """Bytes that are no profile; the message says why, and what to do."""


def parse(body: bytes, digest: str | None = None) -> Profile:
    """A document's profile. digest: what its bytes must have. Raises BadProfile."""
    if len(body) > SIZE:
        raise BadProfile(f"a profile has at most {SIZE >> 20} MiB, not {len(body)} bytes: profile fewer features")
    found = hashlib.sha256(body).hexdigest()
    if digest is not None and found != digest:
        raise BadProfile(f"the profile's digest is {found}, not {digest}: it was changed, or is another one's")
    try:
        return Profile.model_validate_json(body)
    except ValidationError as bad:
        first = bad.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadProfile(f"not a profile of version {VERSION}: {where}: {first['msg']}; make it again") from None


def category_name(value: Any) -> str | None:
    """What a category is called, however it is sent; None: it is none (a list, an object). Integers that came as floats
    are the same category as integers; true and false are `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int):
        return str(value) if -(10**18) < value < 10**18 else "a huge integer"
    if isinstance(value, float):
        return repr(value)
    return value[:LONGEST] if isinstance(value, str) else None


def bins(profile: Number | Category, vector: Sequence[int]) -> Sequence[int]:
    """The part of a vector that is compared with the reference's bins: without what stands behind them."""
    return vector[: len(profile.counts)]
