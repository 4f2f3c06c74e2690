"""`fairlead review deployment/NAME`: compare pairs of answers without knowing which version gave which."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from fairlead.cli.session import (
    FAILED,
    NOT_FOUND,
    OK,
    USAGE,
    Json,
    Problem,
    Session,
    add_options,
    command,
    print_json,
    tell,
)

if TYPE_CHECKING:
    from fairlead.api.candidate import Candidate
    from fairlead.api.deployment import Deployment
    from fairlead.api.review import ReviewInput, ReviewPair
    from fairlead.cli.blocks import Block

WORDS = {"a": "a", "b": "b", "s": "same", "same": "same", "n": "neither", "neither": "neither"}
"""What people type, and what it means."""
ASKED = "Which answer is better? [a] [b] [s] both are as good  [n] neither is good  [k] skip  [q] quit: "


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "review", help="compare pairs of answers of two versions; what you say is evidence",
        description="Show pairs of answers to the same requests, one of the live version and one of the version on its "
        "way, without saying which is which, and write down which one is better. A guard on `review` judges by it.",
    )  # fmt: skip
    parser.add_argument("what", metavar="deployment/NAME")
    parser.add_argument("--list", action="store_true", dest="only_list", help="show the pairs and ask nothing")
    parser.add_argument("--judge", action="append", default=[], metavar="PAIR=WORD",
                        help="judge without being asked: a, b, same or neither; may be repeated")  # fmt: skip
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class Blind:
    """A pair as the person sees it."""

    id: str
    request: str
    a: str
    b: str
    input: ReviewInput | None = None

    def better(self, word: str) -> str:
        """Whose answer a word means."""
        if word in ("a", "b"):
            return "Live" if (word == "a") == a_is_live(self.id) else "Candidate"
        return {"same": "Same", "neither": "BothBad"}[word]


def a_is_live(pair: str) -> bool:
    """Which side a pair's live answer stands on: by a hash, so it is the same for everybody, and the answers do not
    give it away."""
    return sha256(f"side/{pair}".encode()).digest()[0] % 2 == 0


def blind(pair: ReviewPair) -> Blind:
    """Without saying which is which."""
    both = (pair.live, pair.candidate) if a_is_live(pair.id) else (pair.candidate, pair.live)
    return Blind(pair.id, pair.request, *both, pair.input)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Show, ask, write."""
    name = _name(args.what)
    if args.judge:
        return await _judge(session, name, [_said(text) for text in args.judge])
    found, candidate = await _read(session, name)
    if args.only_list or args.output == "json":
        return _list(args, found, candidate)
    if not sys.stdin.isatty():
        raise Problem("nobody can be asked here; use --list -o json and --judge PAIR=a", USAGE)
    return await converse(session, name, typed)


def _name(what: str) -> str:
    kind, slash, name = what.partition("/")
    if not slash or not name or kind not in ("deployment", "mdeploy"):
        raise Problem(f"{what!r} is not deployment/NAME", USAGE)
    return name


def _said(text: str) -> tuple[str, str]:
    pair, equals, word = text.partition("=")
    if not equals or word not in WORDS:
        raise Problem(f"--judge {text}: write PAIR=a, PAIR=b, PAIR=same or PAIR=neither", USAGE)
    return pair, WORDS[word]


async def _read(session: Session, name: str) -> tuple[Deployment, Candidate]:
    """The Deployment and its version on its way. Raises Problem if there is nothing to judge by."""
    from fairlead.api.deployment import Deployment
    from fairlead.plan.core import DEPLOYMENT
    from fairlead.plan.deployment.metrics.review import METRIC

    found = Deployment.model_validate(await session.get(DEPLOYMENT, name))
    if not any(guard.metric == METRIC.name for guard in found.spec.rollout.guards):
        raise Problem(f"deployment {name!r} asks nobody: it has no guard with `metric: review` in spec.rollout.guard")
    candidate = found.status.candidate
    if candidate is None or candidate.review is None:
        raise Problem(
            f"deployment {name!r} has no answers to compare: {found.status.message or 'no rollout'}", NOT_FOUND
        )
    return found, candidate


def waiting(found: Deployment, candidate: Candidate) -> list[Blind]:
    """The pairs that nobody has judged."""
    said = {one.pair for one in found.spec.judgements if one.version == candidate.version}
    return [blind(pair) for pair in candidate.review.pairs if pair.id not in said] if candidate.review else []


def progress(found: Deployment, candidate: Candidate) -> str:
    """How many pairs are judged and are wanted, without what was said."""
    from fairlead.plan.deployment.metrics.review import METRIC

    known = {*candidate.review.judged, *candidate.review.offered} if candidate.review else set[str]()
    said = {one.pair for one in found.spec.judgements if one.version == candidate.version and one.pair in known}
    done = len(said.union(candidate.review.judged if candidate.review else ()))
    wanted = max((guard.min_events for guard in found.spec.rollout.guards if guard.metric == METRIC.name), default=0)
    return f"{done} of {wanted} judged" if wanted else f"{done} judged"


# --- without being asked -------------------------------------------------------------------------------------------


def _list(args: argparse.Namespace, found: Deployment, candidate: Candidate) -> int:
    from fairlead.cli.blocks import Lines, Title, show

    pairs = waiting(found, candidate)
    if args.output == "json":
        print_json([_for_programs(one) for one in pairs])
        return OK
    show([Title(f"review of {candidate.version}", "", f"{progress(found, candidate)}; {len(pairs)} wait")])
    for pair in pairs:
        show(shown(pair))
    if not pairs:
        show([Lines(["no answers that differ wait for a judgement"])])
    return OK


def _for_programs(pair: Blind) -> Json:
    given = pair.input.model_dump() if pair.input else None
    return {"id": pair.id, "request": pair.request, "input": given, "a": pair.a, "b": pair.b}


async def _judge(session: Session, name: str, said: list[tuple[str, str]]) -> int:
    _, candidate = await _read(session, name)
    known = set(candidate.review.offered) if candidate.review else set[str]()
    strange = [pair for pair, _ in said if pair not in known]
    if strange:
        raise Problem(
            f"no such pair waits: {', '.join(strange)}. See: kubectl fairlead review deployment/{name} --list",
            NOT_FOUND,
        )
    words = [(pair, Blind(pair, "", "", "").better(word)) for pair, word in said]
    after = await _write(session, name, candidate.version, words)
    tell(f"{len(said)} written; {progress(after, candidate)}")
    return OK


# --- in conversation -----------------------------------------------------------------------------------------------


async def converse(session: Session, name: str, ask: Callable[[str], str]) -> int:
    """Pair after pair, until none waits or the person has enough. ask: like `input`."""
    import asyncio

    from fairlead.cli.blocks import Lines, Title, show

    skipped = set[str]()
    while True:
        found, candidate = await _read(session, name)
        pairs = [pair for pair in waiting(found, candidate) if pair.id not in skipped]
        if not pairs:
            show([Lines([f"no pair waits; {progress(found, candidate)}"])])
            return OK
        show([Title(f"review of {candidate.version}", "", progress(found, candidate)), *shown(pairs[0])])
        word = _answer(ask)
        await asyncio.sleep(0.05)  # the loop stood still: connections that the server has closed are noticed first
        if word == "q":
            return OK
        if word == "k":
            skipped.add(pairs[0].id)
        else:
            await _write(session, name, candidate.version, [(pairs[0].id, pairs[0].better(word))])


def typed(prompt: str) -> str:
    """`input`, which Ctrl-C ends at once: asyncio's own handler would wait for the event loop."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input(prompt)
    finally:
        signal.signal(signal.SIGINT, before)


def _answer(ask: Callable[[str], str]) -> str:
    while True:
        try:
            word = ask(ASKED).strip().lower()
        except EOFError:
            return "q"
        if word in ("q", "k"):
            return word
        if word in WORDS:
            return WORDS[word]


def shown(pair: Blind) -> list[Block]:
    """What was asked, and the two answers under each other."""
    from fairlead.cli.blocks import Lines
    from fairlead.cli.given import lines

    head = f"pair {pair.id}" + (f"  request {pair.request}" if pair.request else "")
    given = ["", *lines(pair.input)] if pair.input else []
    return [Lines([head, *given, "", "A", *_indented(pair.a), "", "B", *_indented(pair.b)])]


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.split("\n")]


# --- writing -------------------------------------------------------------------------------------------------------


async def _write(session: Session, name: str, version: str, words: list[tuple[str, str]]) -> Deployment:
    from fairlead.api.deployment import Deployment
    from fairlead.cli.approve import whoami
    from fairlead.plan.core import DEPLOYMENT

    user = await whoami(session)
    changed = await session.change(DEPLOYMENT, name, lambda raw: add(raw, version, words, user))
    return Deployment.model_validate(changed)


def add(raw: Json, version: str, words: list[tuple[str, str]], user: str) -> bool:
    """Put judgements into the Deployment, and take out those of other rollouts. False if all are there already. Raises
    Problem when there is no room, or another version is on its way by now."""
    from fairlead.api.review import JUDGED
    from fairlead.plan.core import rfc3339

    candidate = raw.get("status", {}).get("candidate") or {}
    if candidate.get("version") != version:
        raise Problem(f"{version} is not on its way any more: {raw.get('status', {}).get('message', '')}", FAILED)
    review = candidate.get("review") or {}
    known = {*review.get("offered", []), *review.get("judged", [])}
    kept = [one for one in raw["spec"].get("judgements", []) if one["version"] == version and one["pair"] in known]
    there, at = {one["pair"] for one in kept}, rfc3339(time.time())
    mine = [{"pair": pair, "version": version, "better": better, "by": user, "at": at}
            for pair, better in words if pair not in there and pair not in review.get("judged", [])]  # fmt: skip
    if len(kept) + len(mine) > JUDGED:
        raise Problem(f"{JUDGED} pairs are judged: in one rollout no more are counted")
    if mine:
        raw["spec"]["judgements"] = [*kept, *mine]
    return bool(mine)
