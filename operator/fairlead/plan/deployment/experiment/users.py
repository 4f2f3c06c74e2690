"""Are the users divided as asked? With sticky users it is new ones that are divided, and these are counted by the
recorder beside each server, if there is one; without cookies it is requests, which the servers count."""

from __future__ import annotations

from fairlead.api.candidate import Candidate, ExperimentStatus
from fairlead.api.experiment import Division, Experiment
from fairlead.api.units import seconds
from fairlead.manifests import route
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.split import SETTLE
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import PodView
from fairlead.plan.requests import Counters, Failed, MetricNames, Request, ScrapePod
from fairlead.verdict import arms
from fairlead.verdict.guards import decode, encode

PORT, NEW_USERS = 8091, "fairlead_answers_new_users_total"
"""Where a recorder counts, and what it calls the users that came without a cookie."""
EVERY, EARLY = 5, 0.9
"""They are counted each time when so many windows have passed."""
PODS = 16
"""Pods of a version whose recorders are read at most."""
UNCOUNTED = (
    "whether new users are divided as asked is not known: they are counted by the recorder; set spec.record to have one"
)


def sticky(wanted: Experiment) -> bool:
    """Whether users have cookies."""
    return seconds(wanted.sticky.for_) > 0


def requests(look: Look, wanted: Experiment, kept: ExperimentStatus) -> list[Request]:
    """The recorders' counters, if it is time for them."""
    return [asked for _, _, asked in _recorders(look, kept)] if _asks(look, wanted, kept) else []


def _asks(look: Look, wanted: Experiment, kept: ExperimentStatus) -> bool:
    at = kept.division.read_at
    ready = look.spec.record is not None and sticky(wanted) and kept.phase == "Running"
    return ready and (at is None or look.now >= epoch(at) + EARLY * EVERY * look.window)


def _recorders(look: Look, kept: ExperimentStatus) -> list[tuple[str, PodView, ScrapePod]]:
    names = MetricNames(requests=NEW_USERS, failures=NEW_USERS)
    found = []
    for version in phase.taking_part(kept):
        for pod in [pod for pod in pods.of(look, version) if pod.ready][:PODS]:
            host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
            found.append((version, pod, ScrapePod(f"http://{host}:{PORT}/metrics", names, look.namespace)))
    return found


def counted(
    look: Look, wanted: Experiment, kept: ExperimentStatus, before: ExperimentStatus
) -> ExperimentStatus:  # fmt: skip
    """The experiment after what has been counted since the last time. before: as this look found it."""
    if kept.phase != "Running" or len(phase.taking_part(kept)) < 2:
        return kept
    if phase.taking_part(kept) != phase.taking_part(before):
        return kept  # somebody came or left in this look: after it the shares are others
    kept = _routed(look, kept)
    if not sticky(wanted):
        found = _answered(before, kept)
        return _judged(look, kept, *found) if found else kept
    if look.spec.record is None:
        return _unknown(kept, UNCOUNTED)
    return _new_users(look, kept) if _asks(look, wanted, kept) else kept


def _routed(look: Look, kept: ExperimentStatus) -> ExperimentStatus:
    """They are counted from when the gateway has had time to take up the shares."""
    if kept.division.since is not None:
        return kept
    wanted = {look.child(version): phase.contender(kept, version).share for version in phase.taking_part(kept)}
    if route.weights(look.route) != wanted:
        return kept
    return _with(kept, kept.division.model_copy(update={"since": rfc3339(look.now + SETTLE)}))


def _new_users(look: Look, kept: ExperimentStatus) -> ExperimentStatus:
    book, sums = Book(kept.cursors), dict.fromkeys(phase.taking_part(kept), 0)
    for version, pod, asked in _recorders(look, kept):
        answer = look.world.answer(asked)
        if not isinstance(answer, Counters):
            said = answer.message if isinstance(answer, Failed) else "not a page of counters"
            return _unknown(kept, f"new users can't be counted, a recorder of {version} does not answer: {said}")
        if answer.unproven:
            return _unknown(kept, f"new users can't be counted, a recorder of {version} has no counter of them: it is "
                            "older than this operator, let its pods be made anew")  # fmt: skip
        source = f"u/{version}/{pod.uid}"
        if source not in book:
            book.begin(source, (answer.requests,))
        sums[version] += book.read(source, (answer.requests,), from_zero=False).deltas[0]
    present = {f"u/{version}/{pod.uid}" for version, pod, _ in _recorders(look, kept)}
    book.keep(lambda source: not source.startswith("u/") or source in present)
    kept = kept.model_copy(update={"cursors": book.close()})
    for version, users in sums.items():
        kept = phase.changed(kept, version, users=phase.contender(kept, version).users + users)
    return _judged(look, kept, sums, kept.division.read_at)


def _answered(before: ExperimentStatus, kept: ExperimentStatus) -> tuple[dict[str, int], str | None] | None:
    """Requests by version in the window that all arms have closed in this look, and when it began; None if they have
    not."""
    then = {arm.version: arm for arm in before.arms}
    pairs = [(then.get(arm.version), arm) for arm in kept.arms if arm.step >= 0]
    if not pairs or any(old is None or old.last_window_at == new.last_window_at for old, new in pairs):
        return None
    grown = [(old, new) for old, new in pairs if old is not None]
    if len({(old.last_window_at, new.last_window_at) for old, new in grown}) > 1:
        return None
    found = {new.version: new.answered.requests - old.answered.requests for old, new in grown}
    return {kept.against: _live(*grown[0])} | found, grown[0][0].last_window_at


def _live(old: Candidate, new: Candidate) -> int:
    return new.live_answered.requests - old.live_answered.requests


def _judged(
    look: Look, kept: ExperimentStatus, sums: dict[str, int], began: str | None
) -> ExperimentStatus:  # fmt: skip
    """After so many more of each, in a window that began then; those before the shares were in effect don't count."""
    division = kept.division.model_copy(update={"read_at": look.stamp, "unknown": ""})
    since = division.since
    if since is None or began is None or epoch(began) < epoch(since) or list(sums) != phase.taking_part(kept):
        return _with(kept, division)
    shares = [phase.contender(kept, version).share / 100 for version in sums]
    state = arms.Division(tuple(division.counts), decode(division.log_evidence), division.wrong)
    after = arms.divided(state, list(sums.values()), shares)
    return _with(kept, division.model_copy(update={
        "counts": list(after.counts), "log_evidence": encode(after.log_evidence), "wrong": after.wrong,
    }))  # fmt: skip


def _unknown(kept: ExperimentStatus, why: str) -> ExperimentStatus:
    return _with(kept, kept.division.model_copy(update={"unknown": why[:1024]}))


def _with(kept: ExperimentStatus, division: Division) -> ExperimentStatus:
    return kept.model_copy(update={"division": division})
