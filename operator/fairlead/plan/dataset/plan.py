"""A Dataset: its source is listed, a listing that has settled is read by a Job, and becomes a version or is refused.

In steady state a listing that is as before causes no write. The Job that reads a listing is recorded before it is
made; what it found is recorded before it is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairlead.api.dataset import CheckResult, Dataset, DatasetStatus, DatasetVersion, Listing
from fairlead.api.kinds import KINDS
from fairlead.api.units import seconds
from fairlead.manifests.meta import short_hash
from fairlead.plan import gauges, standing, store, terse
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import (
    DATASET,
    JOB,
    LABEL_PREFIX,
    POD,
    Delete,
    Event,
    Json,
    KindSpec,
    Plan,
    Subject,
    World,
    epoch,
    rfc3339,
)
from fairlead.plan.dataset import standing as datastanding
from fairlead.plan.dataset.snapshot import (
    Changed,
    Found,
    Pause,
    Refused,
    Work,
    begin,
    look,
    manifest,
    outdated,
    requests,
    rules,
)
from fairlead.plan.jobs.failures import LIMITS, Running
from fairlead.plan.jobs.jobpods import UNREADABLE
from fairlead.plan.requests import NO_TURN, Failed, Listed, ListSource, Request
from fairlead.plan.sources import registry as sources
from fairlead.plan.sources.base import Source

VERSIONS = 20
WHOLE = 8
"""Checks whose messages a status has in full."""
LATE = 30.0
"""Seconds by which a listing may be late before the next one's moment is waited for."""
EMPTY = "no objects under {}{}{}; they are looked for every {}"
NO_DATA = " (but {} that are no data, by how their names begin or by spec.source.exclude)"


@dataclass
class Draft:
    """The status that is being made."""

    subject: Subject[Dataset]
    world: World
    now: float
    status: DatasetStatus
    conditions: Conditions

    def update(self, **changes: Any) -> None:
        """Change fields of the status."""
        self.status = self.status.model_copy(update=changes)

    def work(self) -> Work:
        """What the Job's side needs."""
        return Work(self.subject, self.world, self.now)


def request(subject: Subject[Dataset], world: World) -> ListSource:
    """The listing of the source."""
    wanted = subject.body.spec.source
    return sources.of(wanted, world.config).request(subject.meta.namespace, wanted.exclude or ())


def observe(subject: Subject[Dataset], world: World, now: float) -> Iterable[Request]:
    """The source's listing, unless one is being read (then its Job's answer), the Dataset is suspended, or it rests
    until its next moment."""
    status = subject.body.status
    work = Work(subject, world, now)
    if status.job is not None and status.job.not_before is None:
        return requests(work, status)
    if subject.body.spec.suspend or resting(subject, world, now):
        return ()
    return (request(subject, world),)


def resting(subject: Subject[Dataset], world: World, now: float) -> bool:
    """Whether nothing is open, and the next listing's moment has not come. So an operator that starts beside thousands
    of Datasets does not list them all at once."""
    status, every = subject.body.status, _every(subject)
    conditions = {condition.type: condition.status for condition in status.conditions}
    settled = (
        status.job is None and status.observed_generation == subject.meta.generation
        and conditions.get("SourceReachable") == "True" and conditions.get("Valid") in ("True", "False")
        and status.handled != "" and status.handled == _listing(status)
        and status.rules == rules(Work(subject, world, now))
    )  # fmt: skip
    return settled and every - _left(subject, now) > min(every / 4, LATE)


def _every(subject: Subject[Dataset]) -> float:
    return max(1.0, seconds(subject.body.spec.watch.every))


def _left(subject: Subject[Dataset], now: float) -> float:
    return until_listing(subject.meta.uid, _every(subject), now)


def until_listing(uid: str, every: float, now: float) -> float:
    """Seconds until a Dataset's next listing: evenly spaced, and each Dataset at its own moment."""
    offset = int(short_hash(uid), 16) % 1000 / 1000 * every
    return every - (now - offset) % every


def _listing(status: DatasetStatus) -> str:
    return status.listing.digest if status.listing else ""


def plan(subject: Subject[Dataset], world: World, now: float) -> Plan:
    """What a Dataset needs next."""
    conditions = Conditions(subject.body.status.conditions, now, subject.meta.generation)
    draft = Draft(subject, world, now, subject.body.status, conditions)
    store.check_name(subject.meta.name)
    store.dataset_folder(subject.body.spec.store, world.config, subject.meta.namespace, subject.meta.name)
    found = Plan(draft.status)
    if subject.body.spec.suspend and draft.status.job is None:
        phase, message, after = "Suspended", "spec.suspend is set: the source is not looked at", None
    else:
        phase, message, after = _watch(draft, found)
    datastanding.available(draft.conditions, draft.status)
    standing.tell(draft.conditions, datastanding.standing(
        draft.status, draft.conditions, phase, message, seen=_seen(draft, phase)
    ))  # fmt: skip
    found.delete = _leftovers(draft)
    found.requeue_after = after
    found.status = draft.status.model_copy(
        update={
            "phase": phase,
            "message": message[:1024],
            **draft.conditions.said(),
            "observed_generation": subject.meta.generation,
        }
    )
    return found


Outcome = tuple[str, str, float | None]
"""Phase, message, seconds until the next look (None: an event will come)."""


def _watch(draft: Draft, found: Plan) -> Outcome:
    if draft.status.job is not None:
        outcome = _job(draft, found)
        if outcome is not None:
            return outcome
    if draft.subject.body.spec.suspend:
        return "Suspended", "spec.suspend is set: the source is not looked at", None
    answer = draft.world.answer(request(draft.subject, draft.world))
    if isinstance(answer, Failed) and answer.reason == "NotAsked":
        if resting(draft.subject, draft.world, draft.now):
            return _rest(draft)
        return draft.status.phase, draft.status.message, 0.0  # a Job has just ended: look at the source next
    if isinstance(answer, Failed):
        if answer.reason == NO_TURN:
            draft.conditions.set("SourceReachable", None, answer.reason, answer.message)
            return draft.status.phase or "Pending", answer.message, _next_poll(draft)
        message = _with_secret(draft, answer)
        draft.conditions.set("SourceReachable", False, answer.reason, message)
        return "Unreachable", message, _next_poll(draft)
    assert isinstance(answer, Listed)
    draft.conditions.set("SourceReachable", True, "Listed", f"{_source(draft).uri()} can be listed")
    return _listed(draft, found, answer)


def _source(draft: Draft) -> Source:
    return sources.of(draft.subject.body.spec.source, draft.world.config)


def _with_secret(draft: Draft, answer: Failed) -> str:
    """A message about a source names the field that is at fault, or the Secret that it was asked with: the first thing
    to look at."""
    if answer.reason == "EndpointRefused":
        return f"{_source(draft).field}: {answer.message}"
    message, secret = answer.message, _source(draft).secret
    return message if secret is None or secret in message else f"{message} (Secret {secret})"


def _next_poll(draft: Draft) -> float:
    return _left(draft.subject, draft.now)


# --- the listing -------------------------------------------------------------------------------------------------


def _listed(draft: Draft, found: Plan, answer: Listed) -> Outcome:
    if answer.objects == 0:
        draft.update(listing=None, job=None)
        every, phase = draft.subject.body.spec.watch.every, "Watching" if draft.status.current else "Pending"
        others = NO_DATA.format(answer.ignored) if answer.ignored else ""
        source = _source(draft)
        return phase, EMPTY.format(source.uri(), source.meaning(), others, every), _next_poll(draft)
    if answer.digest != _listing(draft.status):
        seen = Listing(
            digest=answer.digest, since=rfc3339(draft.now), objects=answer.objects, bytes=answer.bytes,
            ignored=answer.ignored,
        )  # fmt: skip
        draft.update(listing=seen, job=None)
    elif draft.status.listing is not None and answer.ignored != draft.status.listing.ignored:
        draft.update(listing=draft.status.listing.model_copy(update={"ignored": answer.ignored}))
    valid = draft.conditions.get("Valid")
    known = valid is not None and valid.status != "Unknown"
    if known and answer.digest == draft.status.handled and rules(draft.work()) == draft.status.rules:
        draft.update(job=None)
        return _rest(draft)
    return _settling(draft, found, answer.digest)


def _settling(draft: Draft, found: Plan, digest: str) -> Outcome:
    settle = seconds(draft.subject.body.spec.watch.settle)
    assert draft.status.listing is not None
    left = epoch(draft.status.listing.since) + settle - draft.now
    if left > 0:
        return "Watching", f"the source has changed; it is read when it stays the same for {_settle(draft)}", left
    job = draft.status.job
    if job is not None and job.not_before is not None and epoch(job.not_before) > draft.now:
        return draft.status.phase, draft.status.message, epoch(job.not_before) - draft.now
    draft.update(job=begin(draft.work(), digest))
    found.create = [manifest(draft.work(), draft.status)]
    return "Checking", _checking(draft), None


def _settle(draft: Draft) -> str:
    return draft.subject.body.spec.watch.settle


def _checking(draft: Draft) -> str:
    listing = draft.status.listing
    return f"reading and checking {listing.objects if listing else 0} objects"


def _rest(draft: Draft) -> Outcome:
    """Nothing has changed since the last listing that was read."""
    valid = draft.conditions.get("Valid")
    if valid is not None and valid.status == "False":
        return "Invalid", valid.message, _next_poll(draft)
    current = draft.status.current
    message = f"version {current.version}, {current.rows} rows in {current.files} files" if current else ""
    return "Ready", message, _next_poll(draft)


# --- the Job -----------------------------------------------------------------------------------------------------


def _job(draft: Draft, found: Plan) -> Outcome | None:
    """What the running Job came to; None: it is out of the way, go on with the listing."""
    assert draft.status.job is not None
    if outdated(draft.work(), draft.status.job):
        draft.update(job=None)
        return None
    answer = look(draft.work(), draft.status)
    if isinstance(answer, Pause):
        return None
    if isinstance(answer, Running):
        return _running(draft, found, answer)
    if isinstance(answer, Changed):
        draft.update(job=None, listing=None)
        return "Watching", answer.message, seconds(draft.subject.body.spec.watch.settle)
    if isinstance(answer, Refused) and answer.retry is not None:
        return _retry(draft, answer, answer.retry)
    draft.update(handled=draft.status.job.listing, rules=rules(draft.work()), job=None)
    return _refused(draft, found, answer) if isinstance(answer, Refused) else _found(draft, found, answer)


def _running(draft: Draft, found: Plan, answer: Running) -> Outcome:
    assert draft.status.job is not None
    draft.update(job=draft.status.job.model_copy(update={"uid": answer.uid}))
    if not answer.uid:
        found.create = [manifest(draft.work(), draft.status)]
    if answer.waiting is None:
        _forget_waiting(draft)
        return "Checking", answer.stage or _checking(draft), answer.look_again
    draft.conditions.set("Valid", None, answer.waiting.reason, answer.waiting.message)
    return "Checking", answer.waiting.message, answer.look_again


def _forget_waiting(draft: Draft) -> None:
    """A Job that could not start goes on: what the newest listing is worth is open, not unknown for a reason."""
    valid = draft.conditions.get("Valid")
    if valid is not None and valid.status == "Unknown" and valid.reason != "Checking":
        draft.conditions.set("Valid", None, "Checking", "the newest listing is being read")


def _retry(draft: Draft, answer: Refused, pause: float) -> Outcome:
    assert draft.status.job is not None
    again, job = rfc3339(draft.now + pause), draft.status.job
    unreadable, exceeded = job.unreadable + (answer.reason == UNREADABLE), job.exceeded + (answer.reason in LIMITS)
    changes = {"uid": "", "not_before": again, "unreadable": unreadable, "exceeded": exceeded}
    draft.update(job=job.model_copy(update=changes))
    draft.conditions.set("Valid", None, answer.reason, answer.message)
    return "Checking", f"{answer.message}; tried again at {again}", min(pause, _next_poll(draft))


def _refused(draft: Draft, found: Plan, answer: Refused) -> Outcome:
    """The listing can't be a version. What was published before stays current."""
    draft.update(checks=_sorted(answer.checks))
    draft.conditions.set("Valid", False, answer.reason, answer.message)
    found.events.append(Event(answer.reason, answer.message, warning=True))
    return "Invalid", answer.message, _next_poll(draft)


def _found(draft: Draft, found: Plan, answer: Found) -> Outcome:
    old, new = draft.status.current, answer.version
    others = [v for v in draft.status.versions if v.version != new.version]
    draft.update(current=new, versions=[new, *others][:VERSIONS], checks=_sorted(answer.checks), reading=answer.reading)
    warned = sum(not c.passed for c in answer.checks)
    text = f"{warned} checks warn: {_failed(answer.checks)}" if warned else "all checks passed"
    draft.conditions.set("Valid", True, "ChecksPassed", text)
    if old is None or old.version != new.version:
        found.events.append(Event("VersionPublished", _published(new)))
    return _rest(draft)


def _published(version: DatasetVersion) -> str:
    return f"version {version.version}: {version.rows} rows in {version.files} files"


def _sorted(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """Failed ones first; the first ones' reasons whole, of others' the beginning: a status has room for so much."""
    found = sorted(checks, key=lambda c: c.passed)[:64]
    return [_short(check, 1000 if number < WHOLE else 300) for number, check in enumerate(found)]


def _short(check: CheckResult, length: int) -> CheckResult:
    if len(check.message) <= length:
        return check
    return check.model_copy(update={"message": f"{check.message[: length - 1]}…"})


def _failed(checks: Iterable[CheckResult]) -> str:
    return "; ".join(f"{c.check}: {c.message}" for c in checks if not c.passed)


def _leftovers(draft: Draft) -> list[Delete]:
    """Jobs whose outcome is recorded, or is not wanted any more."""
    keep = draft.status.job.name if draft.status.job and not draft.status.job.not_before else ""
    return [
        Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])
        for job in draft.world.owned(JOB)
        if job["metadata"]["name"] != keep and "deletionTimestamp" not in job["metadata"]
    ]


def _seen(draft: Draft, phase: str) -> bool:
    """Whether what is said of the source was found out by the spec as it is: by this look, or by one before it."""
    if phase in ("Checking", "Suspended") or resting(draft.subject, draft.world, draft.now):
        return True
    if isinstance(draft.world.answer(request(draft.subject, draft.world)), Listed):
        return True
    before = draft.conditions.get("Ready")
    known = before is not None and before.observed_generation == draft.subject.meta.generation
    return known and before is not None and before.reason != "Listing"


def by_pod(pod: Json, _datasets: Iterable[Json]) -> list[str]:
    """The Dataset that a pod reads."""
    name = (pod["metadata"].get("labels") or {}).get(LABEL_PREFIX + "dataset")
    return [name] if name else []


SPEC: KindSpec[Dataset] = KindSpec(
    kind=DATASET,
    info=next(info for info in KINDS if info.model is Dataset),
    plan=plan,
    smaller=terse.forms,
    observe=observe,
    children=(JOB, POD),
    mappers={POD: by_pod},
    gauges=gauges.of_dataset,
)
