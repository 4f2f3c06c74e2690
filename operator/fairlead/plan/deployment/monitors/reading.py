"""What the live version's recorders have counted since they were last read: each row once, whatever dies.

A recorder counts for as long as its process lives. The status has a mark of each: its process, and the name of the
counts that were last taken into a window; it moves in the same write as the state that these went into. What a mark
stands for the recorder remembers, as it does the last few that it has given out: so what has come since can be asked
for as often as one likes, by whatever operator. One that is not known any more says nothing: what came before is
counted by nobody, and `lost` says how often that was so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead.api.monitors import Mark, Monitored
from fairlead.manifests import presets
from fairlead.monitor.counts import Foreign, Tally, total
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import answers, signals
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import PodView, Problem
from fairlead.plan.requests import CountsPage, Failed, ReadCounts

MISSED = ("early", "busy", "failed")
"""Of the reasons why requests are not counted, the recorder's own (`worker.record.rows`)."""
PODS = 32
"""Of larger versions so many pods are read: the gateway sends all of them the same kind of requests."""


@dataclass(frozen=True)
class Reader:
    """A pod whose recorder is read."""

    pod: PodView
    request: ReadCounts


@dataclass(frozen=True)
class Reading:
    """What was counted since the marks."""

    tally: Tally
    marks: list[Mark]
    """Of the pods, as they are now."""
    lost: int
    """Pods that had a mark, of which it isn't known any more."""


def readers(look: Look, kept: Monitored) -> list[Reader]:
    """The recorders to be read. Pods that have been read go on being read."""
    known = {one.pod: one.at for one in kept.marks}
    mine = [one for one in pods.of(look, kept.version) if one.ip and answers.has_recorder(one)]
    chosen = sorted(mine, key=lambda one: (one.uid not in known, one.uid))[:PODS]
    return [Reader(one, _request(look, one, known.get(one.uid, ""))) for one in chosen]


def _request(look: Look, pod: PodView, mark: str) -> ReadCounts:
    return ReadCounts(f"{signals.base(pod, presets.RECORDER_PORT)}/counts", mark, look.namespace)


def read(look: Look, kept: Monitored, document: str, digest: str) -> Reading | Problem:
    """What the recorders say. document: SHA-256 of the bytes of the profile that they should count by; digest: by which
    the profile knows itself, in this release's form. A pod that does not answer is read later: its counts only grow."""
    mine = readers(look, kept)
    if not mine:
        return _nothing_to_read(look, kept)
    pages, problem = list[tuple[Reader, CountsPage]](), None
    for reader in mine:
        answer = look.world.answer(reader.request)
        if not isinstance(answer, CountsPage):
            problem = problem or _unread(kept, answer)
        elif answer.problem or answer.profile != document:
            problem = problem or _foreign(kept, answer, document)
        else:
            pages.append((reader, answer))
    if not pages:
        return problem or Problem("RecorderAway", f"no recorder of {kept.version} has answered")
    try:
        return _counted(kept, pages, digest)
    except Foreign as bad:
        return Problem("ForeignProfile", f"the recorders of {kept.version} don't count alike: {bad}; wait until all of "
                       "its pods are of the same kind")  # fmt: skip


def _counted(kept: Monitored, pages: list[tuple[Reader, CountsPage]], digest: str) -> Reading:
    known = {one.pod: one for one in kept.marks}
    found, lost, fresh = list[Tally](), 0, dict[str, Mark]()
    for reader, page in pages:
        mark = known.get(reader.pod.uid)
        new = _new(kept, reader.pod, mark, page)
        lost += new is None and mark is not None
        fresh[reader.pod.uid] = Mark(pod=reader.pod.uid, boot=page.boot, at=page.mark)
        found += [_of_clients(new, digest)] if new is not None else []
    return Reading(total(found, digest), [one for _, one in sorted((known | fresh).items())], lost)


def _of_clients(tally: Tally, digest: str) -> Tally:
    """Without the requests that the recorder itself has missed: they say nothing of what clients send."""
    missed = sum(tally.unread.get(why, 0) for why in MISSED)
    unread = {why: count for why, count in tally.unread.items() if why not in MISSED}
    return replace(tally, profile=digest, sampled=max(0, tally.sampled - missed), unread=unread)


def _new(kept: Monitored, pod: PodView, mark: Mark | None, page: CountsPage) -> Tally | None:
    """What a pod has counted since its mark. Of another process all is new; so it is of a pod that came after the
    window was opened. None: it isn't known."""
    if mark is not None:
        return page.tally if page.boot != mark.boot else page.since
    came = kept.opened_at is not None and pod.started is not None and pod.started > epoch(kept.opened_at)
    return page.tally if came else None


def _nothing_to_read(look: Look, kept: Monitored) -> Problem:
    if not pods.of(look, kept.version):
        return Problem("NoPod", f"{kept.version} has no pod")
    return Problem("NoRecorder", f"no pod of {kept.version} has a recorder yet: wait for the pods that follow "
                   "spec.monitors")  # fmt: skip


def _unread(kept: Monitored, answer: object) -> Problem:
    failed = answer if isinstance(answer, Failed) else Failed("BadAnswer", "not a page of counts")
    return Problem("RecorderAway", f"the recorder of a pod of {kept.version} can't be read: {failed.message}")


def _foreign(kept: Monitored, page: CountsPage, digest: str) -> Problem:
    if page.problem:
        why = page.message or page.problem
        return Problem("NotCounted", f"a recorder of {kept.version} counts nothing ({page.problem}): {why}")
    return Problem("ForeignProfile", f"a recorder of {kept.version} counts by the profile {page.profile[:12]}, and it "
                   f"should be {digest[:12]}: its pod is older than the profile; delete the pod")  # fmt: skip
