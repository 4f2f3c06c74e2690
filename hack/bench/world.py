"""Is it the version, or the world? A watch after a promotion through a year of weather, by simulation. No cluster.

First in years in which both versions are equally good at each moment: how often a version is taken back where an alarm
is the end, as it used to be, and where it is a question to both versions at the same time. Then, in steady weather, a
version that becomes worse: how long until it is taken back, and what asking costs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np
from scipy.stats import binom

from fairlead.verdict.proportion import upper_bound
from hack.bench.report import keep, quantile, table
from hack.bench.watched import REFERENCE, Rules, Seen, watched
from hack.bench.weather import BLOCK, MINUTE, TRUTHS, YEAR, Rng, Weather, becomes, uneven, year

PER_SECOND = 10.0
LENGTHS = {"1h": 3600, "72h": 72 * 3600, "8760h": YEAR * BLOCK}
WATCHES = 100
"""Of each year, begun at random moments; one that lasts the year."""
SHARES = (0.1, 0.2, 0.5)
WORSE = ((0.02, 0.06), (0.02, 0.2), (0.02, 0.5), (0.02, 1.0), (0.001, 0.01))
LOADS = (1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Study:
    """Watches of one length in one kind of weather."""

    words: str
    length: str
    seen: list[Seen]

    def row(self) -> list[object]:
        """For the table."""
        number, alarms = len(self.seen), sum(one.alarm is not None for one in self.seen)
        questions = [one.questions for one in self.seen]
        asked = sum(one.asked for one in self.seen) / sum(one.lasted for one in self.seen)
        return [
            self.words, self.length, number, f"{alarms / number:.1%}", self.back, f"{self.back / number:.2%}",
            f"{upper_bound(self.back, number, 0.05):.2%}", float(np.mean(questions)), max(questions), f"{asked:.1%}",
        ]  # fmt: skip

    @property
    def back(self) -> int:
        """How many were taken back by an answer."""
        return sum(one.back is not None for one in self.seen)

    def as_declared(self, alpha: float) -> bool:
        """Whether so many may be taken back by chance; one study in a thousand has more though all is well."""
        return self.back <= int(binom.ppf(0.999, len(self.seen), alpha))


def years(rng: Rng, made: Callable[[], Weather], rules: Rules, words: str, number: int) -> list[Study]:
    """So many years, and the watches of each length in them."""
    seen: dict[str, list[Seen]] = {length: [] for length in LENGTHS}
    for _ in range(number):
        weather = made()
        for length, seconds in LENGTHS.items():
            last = len(weather.requests) - seconds // BLOCK
            begins = rng.integers(REFERENCE, last, WATCHES) if last > REFERENCE else [REFERENCE]
            seen[length] += [watched(rng, weather, int(at), replace(rules, seconds=seconds)) for at in begins]
    return [Study(words, length, found) for length, found in seen.items()]


def healthy(rng: Rng, number: int) -> tuple[list[list[object]], bool]:
    """Rows of versions that are as good as the ones before, and whether so few are taken back as is declared."""
    found: list[Study] = []
    for words, truth, said in TRUTHS:
        made = partial(year, rng, truth, PER_SECOND)
        found += years(rng, made, replace(Rules(0), **said), words, number)  # type: ignore[arg-type]
    good = all(study.as_declared(Rules(0).false_alarms) for study in found)
    words = "beyond what is promised: the same, the version before has less to do"
    found += years(rng, partial(uneven, rng, PER_SECOND), Rules(0, share=0.5), words, number)
    return [study.row() for study in found], good


def until_back(rng: Rng, rates: tuple[float, float], per_second: float, rules: Rules, number: int) -> list[Seen]:
    """Watches in which the live version becomes worse at some moment of the first half; times count from it."""
    found = []
    for _ in range(number):
        after = int(rng.integers(MINUTE, rules.seconds // BLOCK // 2))
        weather = becomes(rng, per_second, rates, REFERENCE + after, REFERENCE + 3 * rules.seconds // BLOCK)
        one = watched(rng, weather, REFERENCE, rules)
        early = one.alarm is not None and one.alarm < after * BLOCK
        found.append(Seen() if early else one.since(after * BLOCK))
    return found


def harmful(rng: Rng, number: int) -> tuple[list[list[object]], bool]:
    """Rows of versions that become worse, and whether what is plain (from 2 to 20 % and more, with 10 requests a
    second or more) is taken back within two minutes by a share of 20 %."""
    rows: list[list[object]] = []
    good = True
    for rates in WORSE:
        for per_second in LOADS:
            # a point is tolerated on top of the past unless said otherwise: from 0.1 to 1 % would never be an alarm
            rules = Rules(3600, tolerance=0.01 if rates[0] > 0.01 else 0.001)
            cells: list[object] = [f"{100 * rates[0]:g} → {100 * rates[1]:g} %", per_second]
            for share in SHARES:
                seen = until_back(rng, rates, per_second, replace(rules, share=share), number)
                if share == SHARES[0]:
                    cells.append(times([one.alarm for one in seen]))
                cells.append(times([one.back for one in seen]))
                if share == rules.share:
                    test = times([one.took for one in seen if one.took is not None])
                    backs = [one.back if one.back is not None else inf for one in seen]
                    if rates[1] >= 0.2 and per_second >= 10:
                        good &= quantile(backs, 0.95) <= 120
            rows.append([*cells, test])
    return rows, good


def times(seconds: Sequence[int | None]) -> str:
    """Median and 95 % quantile; what was not found took for ever."""
    if not seconds:
        return "-"
    known = [inf if each is None else each for each in seconds]
    half, most = quantile(known, 0.5), quantile(known, 0.95)
    found = sum(each is not None for each in seconds) / len(seconds)
    words = ", ".join("never" if each == inf else f"{each:.0f}" for each in (half, most))
    return words if found == 1 else f"{words} ({found:.0%})"


def main(arguments: list[str]) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="world", description=__doc__)
    parser.add_argument("--years", type=int, default=3, help="of each kind of weather")
    parser.add_argument("--watches", type=int, default=500, help="of each version that becomes worse")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began, rng = time.monotonic(), np.random.default_rng(options.seed)
    late, soon = harmful(rng, options.watches)
    table("Seconds until a version that became worse is taken back: median, 95 % (found)", late, [
        "bad answers", "requests/s", "alarm", *(f"asked with {share:.0%}" for share in SHARES), "the test, with 20 %",
    ])  # fmt: skip
    rows, declared = healthy(rng, options.years)
    table(f"A year of weather, both versions alike, {PER_SECOND:.0f} requests/s, falseAlarms 1%", rows, [
        "weather", "watch", "watches", "alarms: taken back", "asked: taken back", "share", "95 % upper bound",
        "questions a watch", "most", "time in questions",
    ])  # fmt: skip
    keep("world", {"late": late, "years": rows})
    good = soon and declared
    print(f"targets {'met' if good else 'MISSED'} in {time.monotonic() - began:.0f} s")
    return 0 if good else 1
