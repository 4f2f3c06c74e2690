"""Profiles and requests for tests of the recorder."""

from __future__ import annotations

import json
from typing import Any

from fairlead.monitor.profile import BINS, CATEGORIES, SCORES, Category, Number, Pair, Profile, Scores, Slice
from fairlead.worker.record.rows import Raw


def number(name: str) -> Number:
    """Values from 0 to 32, a bin each."""
    edges = [float(one) for one in range(1, BINS)]
    return Number(kind="number", name=name, edges=edges, counts=[10] * BINS, low=0.0, high=float(BINS), mean=16, sd=9)


def category(name: str, count: int = 3) -> Category:
    """Values c0, c1 …"""
    return Category(kind="category", name=name, values=[f"c{n}" for n in range(count)], counts=[10] * count)


def profile(numbers: int = 1, categories: int = 1) -> Profile:
    """Of features n0 …, c0 …, two classes, and slices by c0."""
    names = [f"n{n}" for n in range(numbers)]
    features = [*map(number, names), *(category(f"c{n}") for n in range(categories))]
    slices = [Slice(by="c0", values=["c0", "c1"], counts=[10, 10])] if categories else []
    pairs = [Pair(a="n0", b="n1", n=100, r=0.5)] if numbers > 1 else []
    edges = [one / SCORES for one in range(1, SCORES)]
    return Profile(
        task="classification", rows=320, features=features, slices=slices, pairs=pairs, positive="1",
        prediction=Category(kind="category", name="answer", values=["0", "1"], counts=[10, 10]),
        scores=Scores(edges=edges, counts=[1] * SCORES, right=[0] * SCORES),
    )  # fmt: skip


def widest() -> Profile:
    """The largest one there can be, in names of letters that need most bytes."""
    long = "\U0001f600" * 240
    names = [f"{n}{long}" for n in range(500)]
    whole = profile()
    return whole.model_copy(update={
        "features": [category(one, CATEGORIES) if n % 2 else number(one) for n, one in enumerate(names)],
        "slices": [Slice(by=names[2 * n + 1], values=[f"c{m}" for m in range(8)], counts=[1] * 8) for n in range(4)],
        "pairs": [Pair(a=names[2 * n], b=names[2 * n + 2], n=100, r=0.5) for n in range(32)],
    })  # fmt: skip


def tensor(name: str, data: Any, shape: list[int] | None = None, datatype: str = "FP64") -> dict[str, Any]:
    """One of the protocol."""
    return {"name": name, "datatype": datatype, "shape": shape or [len(data), 1], "data": data}


def raw(inputs: Any, outputs: Any, **changed: Any) -> Raw:
    """A request and its answer."""
    asked, said = json.dumps({"inputs": inputs}).encode(), json.dumps({"outputs": outputs}).encode()
    return Raw(**{"status": 200, "request": asked, "answer": said, "kind": "application/json"} | changed)
