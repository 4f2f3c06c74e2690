"""From a request of the plan to its answer."""

from __future__ import annotations

import aiohttp

from fairlead.plan.core import Counters, Failed, PromQuery, ScrapePod, Vector, Warm, WarmUp
from fairlead.signals.errors import SignalError
from fairlead.signals.pods import scrape, warm_up
from fairlead.signals.prometheus import query


async def ask(
    session: aiohttp.ClientSession, request: ScrapePod | PromQuery | WarmUp
) -> Counters | Vector | Warm | Failed:
    """The answer; what can't be had is `Failed`, with the reason and what to do."""
    try:
        match request:
            case ScrapePod():
                return await scrape(session, request)
            case PromQuery():
                return await query(session, request)
            case WarmUp():
                return await warm_up(session, request)
    except SignalError as error:
        return Failed(error.reason, error.message)
