"""`make bench ONLY=cache`: are keys ever the same where programs could see a difference, and what does one cost.

Steps of every shape are drawn and one to three things of each are made otherwise. A hit is wrong if two programs have
one key and can see something different in their Jobs; one is missed if they can't, and have two keys. And the parts
that `why --cache` names must be exactly those that were changed.
"""

from __future__ import annotations

import argparse
import random
import time

from fairlead.plan.pipeline.cache import keys, why
from hack.bench.keymutations import cases, mutated, original


def main(argv: list[str]) -> int:
    """Measure and print; 1 if a hit was wrong, or a difference was not named."""
    parser = argparse.ArgumentParser(prog="python -m hack.bench cache", description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    found = measured(args.keys, args.seed)
    print(f"{found['keys']} mutated keys ({len(cases())} kinds of mutations, one to three at a time, seed {args.seed})")
    print(f"wrong hits: {found['wrong']}; missed hits: {found['missed']}; differences not named exactly: "
          f"{found['unnamed']}")  # fmt: skip
    print(f"a key takes {found['microseconds']:.0f} µs")
    return int(bool(found["wrong"] or found["unnamed"]))


def measured(count: int, seed: int) -> dict[str, float]:
    """Counts of what went wrong among so many keys, and microseconds a key."""
    rng = random.Random(seed)
    before = original(rng)
    by_key: dict[str, str] = {}
    by_sight: dict[str, str] = {}
    wrong = missed = unnamed = 0
    spent = 0.0
    for number in range(count):
        before = before if number % 20 else original(rng)
        after = mutated(rng, before, rng.choice([1, 1, 2, 3]))
        for case in (before, after):
            started = time.perf_counter()
            parts = case.parts()
            key = keys.key(parts)
            spent += time.perf_counter() - started
            sight = case.visible()
            wrong += by_key.setdefault(key, sight) != sight
            missed += by_sight.setdefault(sight, key) != key
        named = {one.part for one in why.differences(before.parts(), parts)}
        unnamed += named != after.changed
    return {
        "keys": count, "wrong": wrong, "missed": missed, "unnamed": unnamed, "microseconds": spent / count / 2 * 1e6,
    }  # fmt: skip
