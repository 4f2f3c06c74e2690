"""A Dataset: its source is listed, a listing that has settled is read by a Job, and becomes a version or is refused.

In steady state a listing that is as before causes no write. The Job that reads a listing is recorded before it is
made; what it found is recorded before it is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.api.dataset import CheckResult, Dataset, DatasetSpec, DatasetStatus, DatasetVersion, Listing
from fairlead.api.kinds import KINDS
from fairlead.api.tasks import SnapshotResult
from fairlead.api.units import many, seconds
from fairlead.manifests.meta import short_hash
from fairlead.plan import core, gauges, standing, store, terse
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import (
    DATASET,
    JOB,
    POD,
    Context,
    Delete,
    Event,
    Json,
    KindSpec,
    Plan,
    Subject,
    World,
    epoch,
    look_of,
)
from fairlead.plan.dataset import snapshot
from fairlead.plan.dataset import standing as datastanding
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.attempt import Broken, Paused, Running
from fairlead.plan.jobs.failures import Failure
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
class Draft(core.Draft[Dataset, DatasetStatus]):
    """The status that is being made."""

    conditions: Conditions

    @property
    def spec(self) -> DatasetSpec:
        """What is wanted."""
        return self.context.subject.body.spec


def request(subject: Subject[Dataset], world: World) -> ListSource:
    """The listing of the source."""
    wanted = subject.body.spec.source
    return sources.of(wanted, world.config).request(subject.meta.namespace, wanted.exclude or ())


def observe(subject: Subject[Dataset], world: World, now: float) -> Iterable[Request]:
    """The source's listing, unless one is being read (then its Job's answer), the Dataset is suspended, or it rests
    until its next moment."""
    status, context = subject.body.status, Context(subject, world, now)
    if status.job is not None and status.job.not_before is None:
        return snapshot.requests(context, status)
    if subject.body.spec.suspend or resting(context):
        return ()
    return (request(subject, world),)


def resting(context: Context[Dataset]) -> bool:
    """Whether nothing is open, and the next listing's moment has not come. So an operator that starts beside thousands
    of Datasets does not list them all at once."""
    subject = context.subject
    status, every = subject.body.status, _every(subject)
    conditions = {condition.type: condition.status for condition in status.conditions}
    settled = (
        status.job is None and status.observed_generation == subject.meta.generation
        and conditions.get("SourceReachable") == "True" and conditions.get("Valid") in ("True", "False")
        and status.handled != "" and status.handled == _listing(status)
        and status.rules == snapshot.rules(context) and (status.look or "") == look_of(subject.meta)
    )  # fmt: skip
    return settled and every - _left(context) > min(every / 4, LATE)


def _every(subject: Subject[Dataset]) -> float:
    return max(1.0, seconds(subject.body.spec.watch.every))


def _left(context: Context[Dataset]) -> float:
    return until_listing(context.uid, _every(context.subject), context.now)


def until_listing(uid: str, every: float, now: float) -> float:
    """Seconds until a Dataset's next listing: evenly spaced, and each Dataset at its own moment."""
    offset = int(short_hash(uid), 16) % 1000 / 1000 * every
    return every - (now - offset) % every


def _listing(status: DatasetStatus) -> str:
    return status.listing.digest if status.listing else ""


def plan(subject: Subject[Dataset], world: World, now: float) -> Plan:
    """What a Dataset needs next."""
    conditions = Conditions(subject.body.status.conditions, now, subject.meta.generation)
    draft = Draft(Context(subject, world, now), subject.body.status, conditions)
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
    if draft.spec.suspend:
        return "Suspended", "spec.suspend is set: the source is not looked at", None
    answer = draft.context.world.answer(request(draft.context.subject, draft.context.world))
    if isinstance(answer, Failed) and answer.reason == "NotAsked":
        if resting(draft.context):
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
    draft.update(look=look_of(draft.context.subject.meta) or None)
    draft.conditions.set("SourceReachable", True, "Listed", f"{_source(draft).uri()} can be listed")
    return _listed(draft, found, answer)


def _source(draft: Draft) -> Source:
    return sources.of(draft.spec.source, draft.context.world.config)


def _with_secret(draft: Draft, answer: Failed) -> str:
    """A message about a source names the field that is at fault, or the Secret that it was asked with: the first thing
    to look at."""
    if answer.reason == "EndpointRefused":
        return f"{_source(draft).field}: {answer.message}"
    message, secret = answer.message, _source(draft).secret
    return message if secret is None or secret in message else f"{message} (Secret {secret})"


def _next_poll(draft: Draft) -> float:
    return _left(draft.context)


# --- the listing -------------------------------------------------------------------------------------------------


def _listed(draft: Draft, found: Plan, answer: Listed) -> Outcome:
    if answer.objects == 0:
        draft.update(listing=None, job=None)
        every, phase = draft.spec.watch.every, "Watching" if draft.status.current else "Pending"
        others = NO_DATA.format(answer.ignored) if answer.ignored else ""
        source = _source(draft)
        return phase, EMPTY.format(source.uri(), source.meaning(), others, every), _next_poll(draft)
    if answer.digest != _listing(draft.status):
        seen = Listing(
            digest=answer.digest, since=draft.context.stamp, objects=answer.objects, bytes=answer.bytes,
            ignored=answer.ignored,
        )  # fmt: skip
        draft.update(listing=seen, job=None)
    elif draft.status.listing is not None and answer.ignored != draft.status.listing.ignored:
        draft.update(listing=draft.status.listing.model_copy(update={"ignored": answer.ignored}))
    valid = draft.conditions.get("Valid")
    known = valid is not None and valid.status != "Unknown"
    if known and answer.digest == draft.status.handled and snapshot.rules(draft.context) == draft.status.rules:
        draft.update(job=None)
        return _rest(draft)
    return _settling(draft, found, answer.digest)


def _settling(draft: Draft, found: Plan, digest: str) -> Outcome:
    settle = seconds(draft.spec.watch.settle)
    assert draft.status.listing is not None
    left = epoch(draft.status.listing.since) + settle - draft.context.now
    if left > 0:
        return "Watching", f"the source has changed; it is read when it stays the same for {_settle(draft)}", left
    job = draft.status.job
    if job is not None and job.not_before is not None and epoch(job.not_before) > draft.context.now:
        return draft.status.phase, draft.status.message, epoch(job.not_before) - draft.context.now
    draft.update(job=snapshot.begin(draft.context, digest))
    found.create = [snapshot.manifest(draft.context, draft.status)]
    return "Checking", _checking(draft), None


def _settle(draft: Draft) -> str:
    return draft.spec.watch.settle


def _checking(draft: Draft) -> str:
    listing = draft.status.listing
    return f"reading and checking {many(listing.objects if listing else 0, 'object')}"


def _rest(draft: Draft) -> Outcome:
    """Nothing has changed since the last listing that was read."""
    valid = draft.conditions.get("Valid")
    if valid is not None and valid.status == "False":
        return "Invalid", valid.message, _next_poll(draft)
    current = draft.status.current
    message = (
        f"version {current.version}, {many(current.rows, 'row')} in {many(current.files, 'file')}" if current else ""
    )
    return "Ready", message, _next_poll(draft)


# --- the Job -----------------------------------------------------------------------------------------------------


def _job(draft: Draft, found: Plan) -> Outcome | None:
    """What the running Job came to; None: it is out of the way, go on with the listing."""
    assert draft.status.job is not None
    if snapshot.outdated(draft.context, draft.status.job):
        draft.update(job=None)
        return None
    one = snapshot.Snapshot(draft.context, draft.status)
    seen = attempt.look(one)
    if isinstance(seen, Paused):
        return None
    if isinstance(seen, Running):
        return _running(draft, found, seen)
    if isinstance(seen, Broken):
        return _broken(draft, found, one, seen.failure)
    _handled(draft)
    return _answered(draft, found, seen.answer)


def _handled(draft: Draft) -> None:
    """Nothing more is to be found out of the listing."""
    assert draft.status.job is not None
    draft.update(handled=draft.status.job.listing, rules=snapshot.rules(draft.context), job=None)


def _running(draft: Draft, found: Plan, answer: Running) -> Outcome:
    assert draft.status.job is not None
    draft.update(job=draft.status.job.model_copy(update={"uid": answer.uid}))
    if not answer.uid:
        found.create = [snapshot.manifest(draft.context, draft.status)]
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


def _broken(draft: Draft, found: Plan, one: snapshot.Snapshot, failure: Failure) -> Outcome:
    if failure.reason in snapshot.CHANGED:
        draft.update(job=None, listing=None)
        return "Watching", failure.message, seconds(draft.spec.watch.settle)
    settled = attempt.settle(one, failure)
    if settled.pause is None:
        _handled(draft)
        return _refused(draft, found, failure.reason, failure.message, [])
    job = one.recorded.model_copy(update=settled.changes)
    draft.update(job=job)
    draft.conditions.set("Valid", None, failure.reason, failure.message)
    text = f"{failure.message}; tried again at {job.not_before}"
    return "Checking", text, min(settled.pause, _next_poll(draft))


def _refused(draft: Draft, found: Plan, reason: str, message: str, checks: list[CheckResult]) -> Outcome:
    """The listing can't be a version. What was published before stays current."""
    draft.update(checks=_sorted(checks))
    draft.conditions.set("Valid", False, reason, message)
    found.events.append(Event(reason, message, warning=True))
    return "Invalid", message, _next_poll(draft)


def _answered(draft: Draft, found: Plan, answer: SnapshotResult) -> Outcome:
    old, new = draft.status.current, answer.version
    if new is None:
        return _refused(draft, found, "ChecksFailed", snapshot.refusal(answer), answer.checks)
    others = [v for v in draft.status.versions if v.version != new.version]
    draft.update(current=new, versions=[new, *others][:VERSIONS], checks=_sorted(answer.checks), reading=answer.reading)
    warned = sum(not c.passed for c in answer.checks)
    text = f"{many(warned, 'check warns', 'checks warn')}: {_failed(answer.checks)}" if warned else "all checks passed"
    draft.conditions.set("Valid", True, "ChecksPassed", text)
    if old is None or old.version != new.version:
        found.events.append(Event("VersionPublished", _published(new)))
    return _rest(draft)


def _published(version: DatasetVersion) -> str:
    return f"version {version.version}: {many(version.rows, 'row')} in {many(version.files, 'file')}"


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
        for job in draft.context.world.owned(JOB)
        if job["metadata"]["name"] != keep and "deletionTimestamp" not in job["metadata"]
    ]


def _seen(draft: Draft, phase: str) -> bool:
    """Whether what is said of the source was found out by the spec as it is: by this look, or by one before it."""
    if phase in ("Checking", "Suspended") or resting(draft.context):
        return True
    if isinstance(draft.context.world.answer(request(draft.context.subject, draft.context.world)), Listed):
        return True
    before = draft.conditions.get("Ready")
    known = before is not None and before.observed_generation == draft.context.subject.meta.generation
    return known and before is not None and before.reason != "Listing"


def by_pod(pod: Json, _datasets: Iterable[Json]) -> list[str]:
    """The Dataset that a pod reads."""
    return attempt.wakes(pod, snapshot.Snapshot.label)


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
