"""A stream's last windows as a page, and what came of all of them in words."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fairlead.cli import monitor_page
from fairlead.cli.monitor_view import Seen, View
from fairlead.cli.past_json import moment
from fairlead.cli.past_summary import Summary
from fairlead.cli.text import amount

if TYPE_CHECKING:
    from fairlead.cli.monitor import Past

WINDOWS = 200
"""Windows of a page, where nobody says how many: the last ones."""


def tell(past: Past, windows: int, output: str) -> None:
    """Print it, or write it to a file. windows: that are shown, the last ones. Raises Problem."""
    monitor_page.tell(view(past, windows), output)


def view(past: Past, windows: int) -> View:
    """Judge all windows, and keep the last ones."""
    summary, last = Summary(past), deque[Seen](maxlen=windows)
    for judged in past.judgement.windows():
        summary.add(judged)
        last.append(Seen(str(moment(past, judged.to)), judged.tally.rows, judged.report, judged.tally.unread))
    note = f"profile {past.profile.digest[:12]}; {amount(summary.rows, 'row')} in {amount(summary.windows, 'window')}"
    return View("Monitors of rows of the past", note, past.profile.task, list(last), said=list(summary.said()))
