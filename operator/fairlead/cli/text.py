"""Words and small drawings for people: ages, bars, counts. Pure."""

from __future__ import annotations

from math import exp

from fairlead.api.units import human, many
from fairlead.plan.core import epoch


def printable(text: str) -> str:
    """With escapes for what a terminal would obey (ESC and its like) or that would make it show something else than is
    there (marks of direction, line breaks): objects, people and models may say anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str, most: int = 200) -> str:
    """Free text of people in a list of facts: line breaks as escapes, and the end of what is longer left out."""
    found = printable(text)
    return found if len(found) <= most else f"{found[: most - 1]}…"


def ago(timestamp: str | None, now: float) -> str:
    """`3m10s ago`; a dash for no time."""
    return f"{human(max(0.0, now - epoch(timestamp)))} ago" if timestamp else "-"


def took(started: str | None, finished: str | None, now: float) -> str:
    """How long something took, or has been taking until now."""
    if not started:
        return "-"
    return human(max(0.0, (epoch(finished) if finished else now) - epoch(started)))


def bar(part: float, width: int = 20) -> str:
    """A bar filled to a part in [0, 1]; beyond it is full, below it is empty."""
    filled = round(min(1.0, max(0.0, part)) * width)
    return "█" * filled + "░" * (width - filled)


def evidence(log_evidence: str, bound: str) -> str:
    """Evidence against its bound: the bar in logs, the numbers as odds (`10.8 of 100`)."""
    have, need = _number(log_evidence), _number(bound)
    if need <= 0:
        return "no bound yet"
    return f"{bar(have / need)} {_factor(have)} of {_factor(need)}"


def percent(failures: int, requests: int) -> str:
    """A failure rate; a dash without requests."""
    return f"{100 * failures / requests:.2f} %" if requests else "-"


def count(number: int) -> str:
    """A number with thin groups: `336,776`."""
    return f"{number:,}"


def amount(number: int, one: str, several: str = "") -> str:
    """So many of them, with thin groups: `1 row`, `336,776 rows`."""
    return many(number, one, several, form=",")


def size(number: int) -> str:
    """Bytes as people read them."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def short(digest: str) -> str:
    """The first 12 digits of a digest."""
    return digest[:12]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _factor(log_value: float) -> str:
    value = exp(min(log_value, 40.0))
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
