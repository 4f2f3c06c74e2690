"""What is not there is no zero: names that no page has, warm-ups that nobody counted, traffic that does not come.

Each is a state of its own, with its remedy, and nothing is judged or promoted while it lasts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from fairlead.api.candidate import Candidate
from fairlead.api.modelversion import ModelVersion
from fairlead.manifests import presets
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence.signals import Scrape, sample_of, scrapes
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Counters, Unproven
from fairlead.verdict.latency import Unusable

Read = Sequence[tuple[Scrape, Counters]]
JUDGED = ("requests", "failures")
"""What all guards stand on; a latency guard asks for its histogram itself."""
QUIET = 60.0
"""Seconds without a request after which people are told that none comes."""

_LISTED = (
    "correct it in a new ModelVersion; or, if the server makes it only when it is first needed, let it do so at its "
    "start (a # TYPE line is enough)"
)
_LABELLED = "correct it in a new ModelVersion"
_NO_HISTOGRAM = "Name its histogram in a new ModelVersion, or drop the guard on latency"
_FORCED = (
    "; since it is live and can't be judged, nothing can be compared with it: put the next version live by kubectl "
    "kubectl fairlead promote {} -n {} --force --reason …"
)


def unnamed(look: Look, version: str, arm: str, pages: Iterable[Counters], of: Collection[str]) -> Problem | None:
    """What a version's selectors ask for and its pods' pages don't have; None if they have all.

    A metric need be on one of the pages only: a pod that has had no request may lack it. A label must be on each."""
    read = list(pages)
    found = versions.read(look, version)
    if found is not None and _by_proxy(found) and not any(page.requests for page in read):
        return None
    if found is not None and look.grpc and presets.counted_by_proxy(found.spec.server):
        of = set(of) - {"failures"}  # the proxy makes a metric for a status when it sees the first one
    every = [page.unproven for page in read]
    for one in [one for unproven in every for one in unproven if one.of in of]:
        if one.reason == "LabelMissing" or all(_lacks(unproven, one) for unproven in every):
            remedy = _LABELLED if one.reason == "LabelMissing" else _LISTED
            words = f"it is not known what {version} counts: {one.message}: {remedy}"
            return Problem(one.reason, words + forced(look, arm), arm)
    return None


def forced(look: Look, arm: str) -> str:
    """What a person does in a rollout where it is the live version that can't be judged; nothing of other arms."""
    return _FORCED.format(look.name, look.namespace) if arm == "stable" else ""


def _by_proxy(version: ModelVersion) -> bool:
    """Whether Fairlead's proxy counts: warm-ups don't pass it, and it lists what it counts when a request has come."""
    return presets.metrics(version.spec.server).port in (presets.RECORDER_PORT, presets.PROXY_STATS_PORT)


def _lacks(unproven: Iterable[Unproven], wanted: Unproven) -> bool:
    return any((one.of, one.name) == (wanted.of, wanted.name) for one in unproven)


def no_histogram(names: Mapping[str, str], read: Read) -> Unusable | None:
    """A version whose requests are counted, but not how long they took. names: what people call it, by arm."""
    for arm, version in names.items():
        mine = [page for scrape, page in read if scrape.arm == arm]
        if any(page.requests for page in mine) and not any(page.buckets for page in mine):
            words = [one.message for page in mine for one in page.unproven if one.of == "latency"]
            why = words[0] if words else "it has no series that spec.server.metrics.latency means, if that is set"
            return Unusable("NoHistogram", f"nobody knows how long {version} takes: {why}. {_NO_HISTOGRAM}")
    return None


def uncounted(look: Look, candidate: Candidate, read: Read) -> Problem | None:
    """Pods that have answered their warm-ups, and have counted none of them."""
    version = versions.read(look, candidate.version)
    if (
        version is None or not sample_of(version) or look.grpc
    ):  # warm-ups come by REST, as the evaluation's requests did
        return None
    if _by_proxy(version):
        return None
    warmed = [page for scrape, page in read if scrape.arm == "candidate" and scrape.pod.source in candidate.warmed]
    if not warmed or any(page.requests for page in warmed):
        return None
    selector = presets.metrics(version.spec.server).requests
    path = presets.infer_path(version.spec.server, "…")
    return Problem(
        "NotCounted", f"the pods of {candidate.version} have answered requests, and {selector} (spec.server.metrics) "
        f"counts none of them: is it a counter of the answers to {path}, on the page of the process that "
        "gives them (one process, or one registry for all)? Correct it in a new ModelVersion", "candidate",
    )  # fmt: skip


def of_first(look: Look, candidate: Candidate) -> Problem | None:
    """What is to be known of the first version before it goes live, as it can't be changed afterwards. Pages that can't
    be read hold nothing up: nothing is compared with them yet."""
    answers = [(scrape, look.world.answer(scrape.request)) for scrape in scrapes(look, candidate)]
    read = [(scrape, answer) for scrape, answer in answers if isinstance(answer, Counters)]
    pages = [page for _, page in read]
    return unnamed(look, candidate.version, "candidate", pages, JUDGED) or uncounted(look, candidate, read)


def quiet(look: Look, candidate: Candidate) -> Problem | None:
    """No request comes to a candidate that should get some, though its counters are read."""
    began = candidate.step_since if look.side_by_side else candidate.routed_at
    if not began or not (candidate.weight or candidate.shadow):
        return None
    since = max(epoch(one) for one in (began, candidate.last_request_at) if one)
    if look.now - since < max(QUIET, 5 * look.window):
        return None
    what = f"copies of {candidate.shadow}" if candidate.shadow else f"{candidate.weight} %"
    return Problem(
        "NoTraffic", f"no request has come to {candidate.version}, which shall get {what}, "
        f"since {rfc3339(since)[:19]}Z: do clients ask {look.name}, and does the Gateway route them to it? Were there "
        "any, its own counters would say so",
    )  # fmt: skip
