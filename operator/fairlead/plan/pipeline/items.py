"""The items of a step with `each`: which there are, and what their values are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from fairlead.api import foreign
from fairlead.api.each import LARGEST_MATRIX, Items
from fairlead.api.items import MOST, PAGE, Values, item_id, mask_of
from fairlead.api.pipeline import Input, PipelineSpec, Step
from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
from fairlead.plan import store
from fairlead.plan.core import Invalid, World
from fairlead.plan.pipeline import refs
from fairlead.plan.read import NotReadable
from fairlead.plan.requests import NOT_YET, Document, Failed, ReadDocument

Matrix = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Item:
    """One item of a step."""

    number: int
    values: Values

    @property
    def id(self) -> str:
        """What it is called in names, labels and keys."""
        return item_id(self.number, self.values)


class Unread(NotReadable):
    """The values of an item are in a document that is not read yet, or can't be read at the moment."""

    def __init__(self, reason: str, message: str, soon: bool) -> None:
        self.reason, self.message, self.soon = reason, message, soon
        Exception.__init__(self, message)


# --- which step has which items ------------------------------------------------------------------------------------


def root(steps: Mapping[str, Step], step: Step) -> Step:
    """The step that says what the items are: the step itself, or the one that it takes them from.

    Raises Invalid if there is none."""
    at, seen = step, {step.name}
    while at.each is not None and at.each.items_of is not None:
        wanted = at.each.items_of
        found = steps.get(wanted)
        if found is None or found.each is None or wanted in seen:
            there = ", ".join(sorted(one.name for one in steps.values() if one.each and one.name not in seen)) or "none"
            raise Invalid(
                "each.itemsOf", f"step {wanted!r} has no items that step {step.name!r} could take; steps with `each` "
                f"before it: {there}",
            )  # fmt: skip
        seen.add(wanted)
        at = found
    return at


def names(first: Step) -> list[str]:
    """The names of an item's values. first: a root."""
    assert first.each is not None
    return sorted(first.each.matrix) if first.each.matrix is not None else list(first.each.distinct or ())


def is_own(steps: Mapping[str, Step], step: Step, source: Input) -> bool:
    """Whether an input is what another step has left for the same item."""
    if step.each is None or not source.output or source.item is not None:
        return False
    other = steps[refs.split(source.output)[0]]
    return other.each is not None and root(steps, other).name == root(steps, step).name


def before(spec: PipelineSpec, step: Step, inputs: Iterable[Input]) -> list[str]:
    """The steps of which an item must be completed, before it may begin here. inputs: of the step."""
    steps = {one.name: one for one in spec.steps}
    found = {step.each.items_of} if step.each is not None and step.each.items_of else set()
    found |= {refs.split(one.output or "")[0] for one in inputs if is_own(steps, step, one)}
    return sorted(found)


def not_completed(items: Items) -> int:
    """The items, as bits, that a step which is over has not completed."""
    return mask_of(items.failed) | mask_of(items.stopped) | mask_of(items.left_out)


# --- values --------------------------------------------------------------------------------------------------------


def count(matrix: Matrix) -> int:
    """How many items a matrix has."""
    return prod(map(len, matrix.values()))


def of_matrix(matrix: Matrix, number: int) -> dict[str, str]:
    """An item of a matrix: names in alphabetical order, the last one runs fastest. Costs nothing but the names."""
    found = {}
    for name in sorted(matrix, reverse=True):
        number, at = divmod(number, len(matrix[name]))
        found[name] = matrix[name][at]
    return dict(sorted(found.items()))


def number_in(matrix: Matrix, values: Mapping[str, str]) -> int:
    """The number of an item of a matrix. Raises ValueError if it is none."""
    number = 0
    for name in sorted(matrix):
        number = number * len(matrix[name]) + list(matrix[name]).index(values[name])
    return number


@dataclass(frozen=True)
class Shelf:
    """Where the items of a run's step are found."""

    world: World
    folder: store.Location
    """Of the step that says what the items are."""
    namespace: str
    first: Step
    status: StepStatus
    """Both of that step."""

    def item(self, number: int) -> Item:
        """An item with its values. Raises Unread."""
        assert self.first.each is not None
        if self.first.each.matrix is not None:
            return Item(number, of_matrix(self.first.each.matrix, number))
        answer = self.world.answer(self._request(number // PAGE))
        if isinstance(answer, Failed):
            text = f"the values of item {number} can't be read from the store: {answer.message}"
            raise Unread(answer.reason, text, answer.reason in NOT_YET)
        assert isinstance(answer, Document)
        row = foreign.parse(answer.text)[number % PAGE]
        return Item(number, dict(zip(names(self.first), row, strict=True)))

    def requests(self, wanted: int) -> Iterator[ReadDocument]:
        """What has to be read before these items' values are known. wanted: as bits."""
        assert self.first.each is not None
        if self.first.each.matrix is not None or self.status.items is None:
            return
        for page in range(len(self.status.items.pages)):
            if wanted >> (page * PAGE) & ((1 << PAGE) - 1):
                yield self._request(page)

    def _request(self, page: int) -> ReadDocument:
        assert self.status.items is not None
        digest, reach = self.status.items.pages[page], self.folder.reach
        key = f"{self.folder.prefix}pages/{digest}.json"
        return ReadDocument(
            self.namespace, self.folder.bucket, key, digest, reach.endpoint, reach.region, reach.credentials
        )


def shelf(
    world: World, namespace: str, run_uid: str, pipeline: str, run: PipelineRunStatus, spec: PipelineSpec, step: Step
) -> Shelf:  # fmt: skip
    """Where a step's items are found. Raises Invalid without a store."""
    first = root({one.name: one for one in spec.steps}, step)
    folder = store.step_folder(spec.store, world.config, namespace, pipeline, run_uid, first.name)
    status = next(one for one in run.steps if one.name == first.name)
    return Shelf(world, folder, namespace, first, status)


# --- what makes no sense -------------------------------------------------------------------------------------------


def check(path: str, step: Step, steps: Mapping[str, Step]) -> list[str]:
    """Raises Invalid for what the CRD's schema can't check; returns the names that the step's texts may use."""
    if step.each is None:
        return []
    try:
        first = root(steps, step)
    except Invalid as invalid:
        raise Invalid(f"{path}.{invalid.field_path}", str(invalid).partition(": ")[2]) from None
    if step.each.matrix is not None:
        _check_matrix(f"{path}.each.matrix", step.each.matrix)
    return names(first)


def _check_matrix(path: str, matrix: Matrix) -> None:
    if (found := count(matrix)) > MOST:
        raise Invalid(path, f"it has {found} items; a step can have {MOST}: make several steps, or shorter lists")
    size = sum(len(name) + sum(map(len, values)) for name, values in matrix.items())
    if size > LARGEST_MATRIX:
        raise Invalid(path, f"its names and values have {size} characters together; {LARGEST_MATRIX} are allowed: keep "
                      "them in a Dataset, and use each.dataset with distinct")  # fmt: skip


def check_item(path: str, source: Input, steps: Mapping[str, Step]) -> None:
    """Raises Invalid for an input of one item that makes no sense."""
    if source.item is None:
        return
    other = steps.get(refs.split(source.output or "")[0])
    if other is None or other.each is None:
        raise Invalid(path, f"{source.output} is no output of a step with `each`; remove item")
    first = root(steps, other)
    if set(source.item) != set(names(first)):
        raise Invalid(path, f"it must name one item of step {other.name!r}, by {', '.join(names(first))}")
    assert first.each is not None
    for name, value in source.item.items():
        known = (first.each.matrix or {}).get(name)
        if known is not None and value not in known:
            raise Invalid(f"{path}.{name}", f"{value!r} is not in the list; it has {', '.join(known)[:300]}")
