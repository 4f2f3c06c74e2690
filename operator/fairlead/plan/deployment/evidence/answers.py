"""What the recorders of both arms have kept: each answer is dealt with once, whatever happens to the operator.

Nothing but the cursors is kept between two looks. A live answer is dealt with when its twin is there, or when it is
older than `LATE`, for then no twin will come; those after it wait so long. A candidate's answer is passed when it was
dealt with, or is older than `KEPT`, for then no live answer can still ask for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import AnswerCursor
from fairlead.manifests import presets
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import signals
from fairlead.plan.deployment.evidence.signals import ARMS
from fairlead.plan.deployment.serving.pods import PodView, Problem
from fairlead.plan.requests import AnswersPage, Failed, KeptAnswer, ReadAnswers

RECORDER = "recorder"
"""The container."""
LATE = 2.0
"""Seconds that a copy's answer may come after the live version's."""
KEPT = 5.0
"""Seconds that a candidate's answer waits for its twin: more than `LATE` by what clocks may differ, and a window."""
AT_ONCE = 20_000
"""Answers of all pods that are dealt with at one look: more take so long that others would wait."""
END = 2**53
"""After all answers: only where they end is asked for."""


@dataclass(frozen=True)
class Pair:
    """Two answers to the same request."""

    stable: KeptAnswer
    candidate: KeptAnswer


@dataclass(frozen=True)
class Batch:
    """What was dealt with in one look."""

    stable: tuple[KeptAnswer, ...] = ()
    candidate: tuple[KeptAnswer, ...] = ()
    pairs: tuple[Pair, ...] = ()
    alone: int = 0
    """Live answers without a twin."""


@dataclass(frozen=True)
class Reader:
    """A pod whose recorder is read."""

    arm: str
    pod: PodView
    request: ReadAnswers

    @property
    def source(self) -> str:
        """Name of its cursor."""
        return f"{self.arm}/{self.pod.uid}"


def wanted(look: Look, candidate: Candidate) -> bool:
    """Whether answers are read in this step: a guard may need them, and where they fail people are told what they
    say."""
    return look.spec.recorded is not None and candidate.step >= 0


def requests(look: Look, candidate: Candidate) -> list[ReadAnswers]:
    """What is asked from the recorders, when a window is due."""
    if not signals.due(candidate.last_window_at, look, candidate):
        return []
    return [reader.request for reader in readers(look, candidate)]


def readers(look: Look, candidate: Candidate) -> list[Reader]:
    """The recorders to be read; those of pods that have none are left out."""
    if not wanted(look, candidate):
        return []
    known = {cursor.source: cursor for cursor in candidate.answers}
    return [
        Reader(arm, pod, _request(look.namespace, pod, known.get(f"{arm}/{pod.uid}")))
        for arm in ARMS
        for pod in signals.judged(look, signals.version_of(candidate, arm))[0]
        if has_recorder(pod)
    ]


def has_recorder(pod: PodView) -> bool:
    """Whether a pod keeps its answers."""
    return any(one["name"] == RECORDER for one in pod.raw["spec"].get("initContainers") or [])


def _request(namespace: str, pod: PodView, cursor: AnswerCursor | None) -> ReadAnswers:
    url = f"{signals.base(pod, presets.RECORDER_PORT)}/answers"
    after, boot = (cursor.after, cursor.boot) if cursor else (END, "")
    return ReadAnswers(url, after, boot, namespace)


def read(look: Look, candidate: Candidate) -> tuple[Batch, list[AnswerCursor]] | Problem:
    """What can be dealt with now, and the cursors after it. Of a pod that is read for the first time nothing is: what
    it has kept so far came before."""
    pages: list[tuple[Reader, AnswersPage]] = []
    for reader in readers(look, candidate):
        answer = look.world.answer(reader.request)
        if isinstance(answer, AnswersPage):
            pages.append((reader, answer))
        elif reader.pod.ready:
            return _unreadable(candidate, reader, answer)
    for arm in ARMS:
        if not any(reader.arm == arm for reader, _ in pages):
            return Problem("NoRecorder", f"no ready pod of {signals.version_of(candidate, arm)} keeps its answers yet: "
                           "wait for the pods that follow spec.record", arm)  # fmt: skip
    known = {cursor.source for cursor in candidate.answers}
    begun = [(reader, page) for reader, page in pages if reader.source in known]
    batch, passed = dealt(begun, look.now, bool(candidate.shadow))
    cursors = {reader.source: _cursor(reader, page, page.next) for reader, page in pages if reader.source not in known}
    cursors |= {reader.source: _cursor(reader, page, passed[reader.source]) for reader, page in begun}
    present = {f"{arm}/{pod.uid}" for arm in ARMS for pod in _pods(look, candidate, arm)}
    unread = {one.source: one for one in candidate.answers if one.source in present and one.source not in cursors}
    return batch, [found for _, found in sorted({**unread, **cursors}.items())]


def _pods(look: Look, candidate: Candidate, arm: str) -> Sequence[PodView]:
    return signals.judged(look, signals.version_of(candidate, arm))[0]


def _unreadable(candidate: Candidate, reader: Reader, answer: object) -> Problem:
    failed = answer if isinstance(answer, Failed) else Failed("BadAnswer", "not a page of answers")
    name = signals.version_of(candidate, reader.arm)
    return Problem(failed.reason, f"the answers of a pod of {name} can't be read: {failed.message}", reader.arm)


def _cursor(reader: Reader, page: AnswersPage, after: int) -> AnswerCursor:
    return AnswerCursor(source=reader.source, boot=page.boot, after=after)


Read = tuple[str, int, Sequence[KeptAnswer]]
"""Source, where its page begins, and the page."""


def dealt(
    pages: Iterable[tuple[Reader, AnswersPage]], now: float, paired: bool
) -> tuple[Batch, dict[str, int]]:  # fmt: skip
    """What can be dealt with of these pages, and by source the number of the last answer that was."""
    mine = list(pages)
    if any(page.more for _, page in mine) or sum(len(page.answers) for _, page in mine) > AT_ONCE:
        # too far behind to find pairs: what is left out is missed, and nothing is counted wrongly
        return Batch(), {reader.source: page.next for reader, page in mine}
    live, own = ([_opened(*one) for one in mine if one[0].arm == arm] for arm in ARMS)
    if not paired:
        every = {source: answers[-1].number if answers else after for source, after, answers in [*live, *own]}
        return Batch(tuple(_flat(live)), tuple(_flat(own))), every
    return _paired(live, own, now)


def _paired(live: list[Read], own: list[Read], now: float) -> tuple[Batch, dict[str, int]]:
    twins = _unambiguous(_flat(own))
    ids = Counter(answer.request_id for answer in _flat(live))
    passed: dict[str, int] = {}
    done, pairs = list[KeptAnswer](), list[Pair]()
    for source, after, answers in live:
        passed[source] = after
        for answer in answers:
            twin = twins.get(answer.request_id)
            if twin is None and answer.at > now - LATE:
                break
            passed[source] = answer.number
            done.append(answer)
            if twin is not None and ids[answer.request_id] == 1:
                pairs.append(Pair(answer, twin))
    used = {pair.candidate.request_id for pair in pairs}
    judged = list[KeptAnswer]()
    for source, after, answers in own:
        passed[source] = after
        for answer in answers:
            if answer.request_id not in used and answer.at > now - KEPT:
                break
            passed[source] = answer.number
            judged.append(answer)
    return Batch(tuple(done), tuple(judged), tuple(pairs), len(done) - len(pairs)), passed


def _opened(reader: Reader, page: AnswersPage) -> Read:
    """A new process of the recorder begins at 0."""
    return reader.source, reader.request.after if page.boot == reader.request.boot else 0, page.answers


def _flat(arms: Iterable[Read]) -> Iterator[KeptAnswer]:
    return (answer for _, _, answers in arms for answer in answers)


def _unambiguous(answers: Iterator[KeptAnswer]) -> dict[str, KeptAnswer]:
    """By request id. An id that came more than once says nothing: clients can send what they like."""
    found: dict[str, KeptAnswer] = {}
    often = set[str]()
    for answer in answers:
        if answer.request_id in found:
            often.add(answer.request_id)
        found[answer.request_id] = answer
    return {key: answer for key, answer in found.items() if key not in often}
