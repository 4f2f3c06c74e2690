"""A ModelVersion: its bytes are verified, it is compared with the one in production, and people agree to it.

The Job is recorded before it is made, with the champion and the rows that it compares by. A version that is approved,
rejected or revoked costs nothing.

Where nothing is measured and nobody is asked, it is approved at once: each pod verifies the bytes before it loads them.
What the first pods find counts for the version; one that no Deployment takes soon is verified by a Job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.api.kinds import KINDS
from fairlead.api.modelversion import (
    EvaluationJob,
    Evidence,
    ModelVersion,
    ModelVersionSpec,
    ModelVersionStatus,
    ProfileRef,
)
from fairlead.api.tasks import EvaluateResult, TaskResult
from fairlead.api.units import human, many, seconds
from fairlead.plan import accounts, core, standing, terse
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import (
    DATASET,
    DEPLOYMENT,
    JOB,
    MODEL_VERSION,
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
)
from fairlead.plan.jobs import attempt, jobpods
from fairlead.plan.jobs.attempt import Answered, Broken, Paused, Running
from fairlead.plan.model import findings, identity, proof, proving, usage
from fairlead.plan.model import standing as proofstanding
from fairlead.plan.model.proving import Proving
from fairlead.plan.model.waking import (
    FINAL,
    by_dataset,
    by_deployment,
    by_pod,
    gauges,
    heeded,
    index,
    settled,
    unverified,
)
from fairlead.plan.requests import Request

UNTAKEN = 30.0
"""Seconds after which a Job verifies an approved version that no Deployment has taken."""


@dataclass
class Draft(core.Draft[ModelVersion, ModelVersionStatus]):
    """The plan that is being made."""

    conditions: Conditions
    plan: Plan

    @property
    def spec(self) -> ModelVersionSpec:
        """What is wanted."""
        return self.context.subject.body.spec

    def say(self, phase: str, message: str) -> None:
        """Phase and message. An approved version stays that while a Job verifies its bytes."""
        if self.status.phase == "Approved" and phase not in FINAL:
            return
        self.update(phase=phase, message=message[:1024])

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Tell people."""
        self.plan.events.append(Event(reason, message[:1024], warning))


def observe(subject: Subject[ModelVersion], world: World, now: float) -> Iterable[Request]:
    """The answer of a Job that has ended."""
    status, job = subject.body.status, subject.body.status.job
    unproven = (status.phase not in FINAL and status.evidence is None) or unverified(subject.raw)
    open_ = subject.body.spec.revoked is None and unproven
    if open_ and (job is None or job.not_before is not None):
        asks = status.phase not in FINAL
        return accounts.requests(subject.meta.namespace, [subject.body.spec.server] if asks else [])
    if not open_ or job is None:
        return ()
    return attempt.requests(Proving(Context(subject, world, now), job))


def plan(subject: Subject[ModelVersion], world: World, now: float) -> Plan:
    """What a ModelVersion needs next."""
    status, spec = subject.body.status, subject.body.spec
    conditions = Conditions(status.conditions, now, subject.meta.generation)
    draft = Draft(Context(subject, world, now), status, conditions, Plan(status))
    if spec.revoked is not None:
        _revoke(draft, spec.revoked)
    elif status.phase not in FINAL:
        if status.evidence is None:
            _prove(draft)
        if draft.status.evidence is not None and draft.status.phase not in FINAL and not _ends(draft):
            _approve(draft)
        _leftovers(draft)
    elif unverified(subject.raw):
        _verify_later(draft)
        _leftovers(draft)
    standing.tell(draft.conditions, proofstanding.standing(draft.status, draft.conditions))
    _used(draft)
    draft.update(**draft.conditions.said(), observed_generation=subject.meta.generation)
    draft.plan.status = draft.status
    return draft.plan


def _used(draft: Draft) -> None:
    """Say where it is live, on its way, or was taken back."""
    found = usage.uses(draft.context.world, draft.context.name, draft.status.deployments)
    draft.update(
        deployments=found[: usage.MOST], more_deployments=max(0, len(found) - usage.MOST), in_use=usage.summary(found)
    )


def _revoke(draft: Draft, why: str) -> None:
    if draft.status.phase != "Revoked":
        draft.event("Revoked", why, warning=True)
    draft.conditions.set("Approved", False, "Revoked", why)
    draft.say("Revoked", f"revoked: {why}")
    draft.plan.delete += [_deletion(job) for job in draft.context.world.owned(JOB)]


def _leftovers(draft: Draft) -> None:
    """Jobs of earlier attempts go when the next one begins: until then their logs can be read."""
    recorded = draft.status.job.name if draft.status.job else ""
    jobs = draft.context.world.owned(JOB)
    draft.plan.delete += [_deletion(job) for job in jobs if job["metadata"]["name"] != recorded]


def _ends(draft: Draft) -> bool:
    """Let the Job go whose pod would never end, for what somebody has added to it goes on; whether there was one. What
    it has proven is recorded; once the version is final, nobody would look at its Job any more."""
    job = draft.status.job
    found = attempt.find(Proving(draft.context, job)) if job is not None else None
    if found is None or found.job is None or "deletionTimestamp" in found.job["metadata"]:
        return False
    if not jobpods.lingers(found):
        return False
    draft.plan.delete.append(_deletion(found.job))
    return True


def _deletion(job: Json) -> Delete:
    return Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])


# --- the proof ---------------------------------------------------------------------------------------------------


def _prove(draft: Draft) -> None:
    if draft.status.job is not None:
        _go_on(draft, draft.status.job)
        return
    try:
        proof.servable(draft.context)
    except proof.Missing as missing:
        _wait_for(draft, missing)
        return
    if proof.by_every_pod(draft.spec):
        _unverified(draft)
        _unmeasured(draft)
    else:
        _begin(draft)


def _unverified(draft: Draft) -> None:
    text = (
        "nobody has looked at the model's bytes yet: each pod compares them with their digest before it loads them"
        if draft.spec.artifact else "the image is the model, and no node has said yet that it runs it"
    )  # fmt: skip
    draft.conditions.set("Verified", None, findings.BY_EVERY_POD, text)


def _go_on(draft: Draft, job: EvaluationJob) -> None:
    one = Proving(draft.context, job)
    seen = attempt.look(one)
    if not isinstance(seen, Paused):
        _follow(draft, one, seen)
    elif seen.left > 0:
        draft.plan.requeue_after = seen.left
    else:
        _begin(draft)


def _verify_later(draft: Draft) -> None:
    """An approved version whose bytes nobody has looked at: what pods have found counts. While a Deployment has it, its
    pods will find something; while none has, a Job looks."""
    context, job = draft.context, draft.status.job
    found = findings.of(context.world, context.uid)
    if found is not None and found.reason == findings.VERIFIED:
        _verified(draft)
        draft.plan.delete += [_deletion(one) for one in context.world.owned(JOB)]
    elif found is not None and found.reason == findings.MISMATCH:
        draft.conditions.set("Verified", False, found.reason, found.message)
        draft.plan.delete += [_deletion(one) for one in context.world.owned(JOB)]
        _reject(draft, found.reason, found.message)
    elif job is not None and job.verified:
        _verified_late(draft)
    elif job is not None:
        _go_on(draft, job)
    elif found is not None:
        draft.conditions.set("Verified", None, found.reason, found.message)
    else:
        _unverified(draft)
        if context.subject.body.spec.artifact and not findings.is_taken(context.world, context.uid):
            _unless_taken(draft)


def _unless_taken(draft: Draft) -> None:
    assert draft.status.approved_at is not None
    left = epoch(draft.status.approved_at) + UNTAKEN - draft.context.now
    if left > 0:
        draft.plan.requeue_after = left
    else:
        _begin(draft)


def _begin(draft: Draft) -> None:
    try:
        job = proof.begin(draft.context, draft.status.job)
        created = proof.manifest(draft.context, job)
    except proof.Missing as missing:
        _wait_for(draft, missing)
        return
    draft.update(job=job)
    draft.plan.create = [created]
    draft.say("Verifying", "the pod that fetches the model is made")


def _wait_for(draft: Draft, missing: proof.Missing) -> None:
    draft.conditions.set("Evaluated", None, missing.reason, missing.message)
    draft.say("Pending", missing.message)
    draft.plan.requeue_after = missing.again
    if draft.status.job is not None:  # the last attempt is over, whatever its pod still says
        again = draft.context.stamp
        draft.update(job=draft.status.job.model_copy(update={"not_before": again}))


def _follow(draft: Draft, one: Proving, seen: Running | Broken | Answered[TaskResult]) -> None:
    job = one.job
    draft.update(job=job.model_copy(update={"uid": seen.found.uid}))
    if isinstance(seen, Running):
        _running(draft, one, seen)
    elif isinstance(seen, Broken):
        _broken(draft, one, seen)
    elif draft.status.phase == "Approved":
        _verified_late(draft)
    else:
        _verified(draft)
        if seen.answer.evaluate is not None:
            _proven(draft, job, seen.answer.evaluate)
        else:
            _unmeasured(draft)


def _verified_late(draft: Draft) -> None:
    """Nobody looks at the version any more when its condition says so: its Job must need nobody by then."""
    job = draft.status.job
    if job is not None and not job.verified:
        draft.update(job=job.model_copy(update={"verified": True}))
    if not _ends(draft):
        _verified(draft)


def _running(draft: Draft, one: Proving, seen: Running) -> None:
    job, verified = one.job, proving.is_verified(one, seen)
    if not seen.uid:
        try:
            draft.plan.create = [proof.manifest(draft.context, job)]
        except proof.Missing as missing:
            # What was pinned is gone before the Job was made: pin anew.
            draft.update(job=job.model_copy(update={"not_before": draft.context.stamp}))
            draft.say("Pending", missing.message)
            draft.plan.requeue_after = 0.0
        return
    draft.plan.requeue_after = seen.look_again
    draft.update(job=job.model_copy(update={"uid": seen.uid, "crash": proving.crash(one, seen)}))
    if verified and draft.status.phase != "Approved":
        _verified(draft)
    evaluating = verified and draft.spec.evaluation is not None
    condition = "Evaluated" if evaluating else "Verified"
    against = f"comparing with {job.champion}" if job.champion else "there is no live version to compare with"
    if seen.waiting is not None:
        draft.conditions.set(condition, None, seen.waiting.reason, seen.waiting.message)
        draft.say(draft.status.phase, seen.waiting.message)
    elif seen.stage:
        draft.conditions.set(condition, None, "Starting", seen.stage)
        draft.say("Evaluating" if evaluating else "Verifying", seen.stage)
    elif evaluating:
        draft.conditions.set("Evaluated", None, "Evaluating", against)
        draft.say("Evaluating", against)
    else:
        draft.conditions.set("Verified", None, "Verifying", "fetching the bytes, and comparing their digests")
        draft.say("Verifying", "fetching the bytes, and comparing their digests")


def _verified(draft: Draft) -> None:
    if draft.status.job is not None and not draft.status.job.verified:
        draft.update(job=draft.status.job.model_copy(update={"verified": True}))
    model = "model's bytes have" if draft.spec.artifact else "image that runs has"
    if not draft.conditions.is_true("Verified"):
        draft.event("Verified", f"the {model} the digest that the spec names")
    draft.conditions.set("Verified", True, "Verified", f"the {model} the digest that the spec names")


def _broken(draft: Draft, one: Proving, seen: Broken) -> None:
    reason, message, job = seen.failure.reason, seen.failure.message, draft.status.job
    assert job is not None
    verified = proving.is_verified(one, seen)
    if verified:
        _verified(draft)
    settled = attempt.settle(one, seen.failure)
    known_false = settled.pause is None or reason == "DigestMismatch"
    draft.conditions.set("Evaluated" if verified else "Verified", False if known_false else None, reason, message)
    draft.event(reason, message, warning=True)
    job = job.model_copy(update={**settled.changes, "verified": verified})
    draft.update(job=job)
    if seen.abandon:
        mine = draft.context.world.owned(JOB)
        draft.plan.delete += [_deletion(j) for j in mine if j["metadata"]["uid"] == seen.found.uid]
    if settled.pause is None:
        _reject(draft, reason, f"{message} (after {job.failures} attempts)" if job.failures > 1 else message)
        return
    draft.say("Evaluating" if verified else "Verifying", f"{message} (tried again in {human(settled.pause)})")
    draft.plan.requeue_after = settled.pause


def _unmeasured(draft: Draft) -> None:
    spec = draft.spec
    digest = spec.artifact.sha256 if spec.artifact else identity.digest_of(spec)
    evidence = Evidence(digest=digest, profile=_own_profile(spec))
    draft.conditions.set("Evaluated", True, "NoEvaluation", "spec.evaluation is not set: nothing was measured")
    draft.update(evidence=evidence, evaluated_at=draft.context.stamp)


def _proven(draft: Draft, job: EvaluationJob, said: EvaluateResult) -> None:
    evidence = Evidence(
        digest=said.digest, champion=job.champion, champion_digest=job.champion_digest, data=said.data,
        rows=said.rows, scores=said.scores, gates=said.gates, report=said.report, sample=said.sample,
        profile=_own_profile(draft.spec) or said.profile, no_profile=said.no_profile[:400],
        golden=said.golden, no_golden=said.no_golden[:400],
    )  # fmt: skip
    text = f"scored on {many(said.rows, 'row')}" + (f", against {job.champion}" if job.champion else "")
    draft.conditions.set("Evaluated", True, "Evaluated", text)
    draft.event("Evaluated", text)
    draft.update(evidence=evidence, evaluated_at=draft.context.stamp)


def _own_profile(spec: ModelVersionSpec) -> ProfileRef | None:
    """The profile that came with the model."""
    own = spec.profile
    return ProfileRef(digest=own.digest, uri=own.uri, message="made elsewhere") if own else None


# --- approval ----------------------------------------------------------------------------------------------------


def _approve(draft: Draft) -> None:
    evidence = draft.status.evidence
    assert evidence is not None
    failed = [g for g in evidence.gates if g.verdict == "Failed"]
    if failed:
        told = "; ".join(f"{g.gate}: {g.message}" if g.message else f"{g.gate}: {g.value}" for g in failed)
        _reject(draft, "GatesFailed", told)
        return
    if (rival := _new_champion(draft)) is not None:
        text = f"{rival} went live since this version was compared with {evidence.champion or 'nothing'}: again"
        draft.event("ChampionChanged", text)
        draft.update(evidence=None, evaluated_at=None)
        draft.conditions.set("Evaluated", None, "ChampionChanged", text)
        draft.conditions.set("Approved", None, "ChampionChanged", "the evidence is not current any more")
        _begin(draft)
        return
    _count(draft, evidence)


def _new_champion(draft: Draft) -> str | None:
    """The live version, if gates compare with it and the evidence does not."""
    evaluation, evidence = draft.spec.evaluation, draft.status.evidence
    if evaluation is None or evidence is None or not any(g.against == "champion" for g in evaluation.gates):
        return None
    live = proof.champion(draft.context)
    if live is None:
        return None
    known = evidence.champion, evidence.champion_digest or identity.digest_of(live.spec)
    return live.version if (live.version, identity.digest_of(live.spec)) != known else None


def _count(draft: Draft, evidence: Evidence) -> None:
    """Approvals that speak of this evidence; different people, as the API server knows them."""
    spec, now = draft.spec, draft.context.now
    people = sorted({a.user for a in spec.approvals if a.evidence == evidence.digest})
    if spec.approval is None or len(people) >= spec.approval.required:
        who = f"approved by {', '.join(people)}" if people else "no approval is needed"
        draft.update(approved_at=draft.context.stamp, approved_by=people[:10])
        draft.conditions.set("Approved", True, "Approved" if people else "NoApprovalNeeded", who)
        draft.event("Approved", who)
        draft.say("Approved", f"{_summary(evidence)}{who}")
        verified = draft.conditions.get("Verified")
        late = verified is not None and verified.status == "Unknown" and spec.artifact is not None
        draft.plan.requeue_after = UNTAKEN if late else None
        return
    assert draft.status.evaluated_at is not None
    left = epoch(draft.status.evaluated_at) + seconds(spec.approval.expires) - now
    if left <= 0:
        text = f"not approved within {spec.approval.expires} of its evaluation; make a new version to prove it anew"
        _reject(draft, "ApprovalExpired", text)
        return
    draft.plan.requeue_after = left
    _await(draft, evidence, people)


def _await(draft: Draft, evidence: Evidence, people: list[str]) -> None:
    spec, name = draft.spec, draft.context.name
    assert spec.approval is not None
    stale = sorted({a.user for a in spec.approvals if a.evidence != evidence.digest})
    void = f" The approval by {', '.join(stale)} speaks of other evidence and does not count." if stale else ""
    text = (
        f"{len(people)} of {spec.approval.required} approvals; look with kubectl fairlead get mv {name}, then "
        f"kubectl fairlead approve {name}.{void}"
    )
    if draft.status.phase != "AwaitingApproval":
        draft.event("AwaitingApproval", text)
    draft.conditions.set("Approved", None, "AwaitingApproval", text)
    draft.say("AwaitingApproval", f"{_summary(evidence)}{text}")


def _summary(evidence: Evidence) -> str:
    """The passed gates in a few words."""
    if not evidence.gates:
        return ""
    passed = sum(g.verdict == "Passed" for g in evidence.gates)
    skipped = len(evidence.gates) - passed
    return f"{many(passed, 'gate')} passed{f', {skipped} skipped' if skipped else ''}; "


def _reject(draft: Draft, reason: str, message: str) -> None:
    draft.conditions.set("Approved", False, reason, message)
    draft.event(reason, message, warning=True)
    draft.say("Rejected", message)
    draft.plan.requeue_after = None


SPEC: KindSpec[ModelVersion] = KindSpec(
    kind=MODEL_VERSION,
    info=next(info for info in KINDS if info.model is ModelVersion),
    plan=plan,
    smaller=terse.forms,
    observe=observe,
    children=(JOB, POD),
    mappers={POD: by_pod, DEPLOYMENT: by_deployment, DATASET: by_dataset},
    heeds={DEPLOYMENT: heeded},
    gauges=gauges,
    index=index,
    settled=settled,
    stale=usage.stale,
    speaks=usage.speaks,
)
