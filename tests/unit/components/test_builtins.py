"""The Components that come with Fairlead are what a Component has to be."""

from __future__ import annotations

import pytest

from fairlead.api.component import ComponentInput, ComponentOutput, ComponentSpec, Param
from fairlead.api.config import Images
from fairlead.api.schema import Model
from fairlead.plan.component.check import check
from fairlead.plan.component.texts import texts, used
from fairlead.plan.pipeline.components import catalog
from fairlead.plan.pipeline.components.builtin.base import Builtin

IMAGES = Images(worker="worker:1", trainer="trainer:1")


def _all_fields(said: object, model: type[Model]) -> list[str]:
    """Names that a file writes and the model does not know: pydantic would leave them out without a word."""
    assert isinstance(said, dict)
    aliases = {field.alias or name for name, field in model.model_fields.items()}
    return [name for name in said if name not in aliases]


def test_each_passes_the_check_of_its_own_kind() -> None:
    for one in catalog.BUILTINS:
        spec = one.spec("image:1")
        check(spec)
        assert spec.description, f"{one.name} says what it does"
        assert all(param.description for param in spec.params.values()), f"{one.name}: each parameter says what it is"
        assert spec.inputs or spec.more_inputs
        assert spec.outputs
        assert not spec.secrets
        assert not spec.allowed_namespaces


def test_each_is_written_in_words_that_the_kind_knows() -> None:
    for one in catalog.BUILTINS:
        assert not _all_fields(one.said, ComponentSpec), one.name
        for part, model in (("params", Param), ("inputs", ComponentInput), ("outputs", ComponentOutput)):
            for name, said in one.said.get(part, {}).items():
                assert not _all_fields(said, model), f"{one.name}: {part}.{name}"
        assert "image" not in one.said


def test_names_differ() -> None:
    names = [one.name for one in catalog.BUILTINS]
    assert len(set(names)) == len(names)


def test_all_texts_of_values_are_arguments_of_their_own_program() -> None:
    for one in catalog.BUILTINS:
        spec = one.spec("image:1")
        assert spec.command[:2] == ["python", "-m"], one.name
        assert spec.command[2].startswith("fairlead.components."), one.name
        for field, text in texts(spec):
            for name in used(text, field):
                assert text.startswith("--"), f"{one.name}: {name} might be taken for an option of the program"


TRAINS = Builtin("trains", {"version": "1", "command": ["python"]}, trains=True)
WORKS = Builtin("works", {"version": "1", "command": ["python"]})


def test_their_images_are_those_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "BUILTINS", (TRAINS, WORKS))
    assert {name: one.image for name, one in catalog.builtins(IMAGES).items()} == {
        "trains": "trainer:1", "works": "worker:1",
    }  # fmt: skip
    assert catalog.without_image(IMAGES) == frozenset()


def test_without_an_image_for_training_those_that_train_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "BUILTINS", (TRAINS, WORKS))
    images = Images(worker="worker:1")
    assert list(catalog.builtins(images)) == ["works"]
    assert catalog.without_image(images) == {"trains"}


def test_the_same_images_give_the_same_mapping() -> None:
    assert catalog.builtins(IMAGES) is catalog.builtins(Images(worker="worker:1", trainer="trainer:1"))
