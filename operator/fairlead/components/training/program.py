"""The program of a component that trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import joblib

from fairlead.components import tables, words
from fairlead.components.training import importance, measure, prepare, rows
from fairlead.components.training.asked import Asked, asked
from fairlead.components.training.library import Fitted, Library, needs_validation
from fairlead.components.training.rows import Rows
from fairlead.components.words import say
from fairlead.sdk.log import log_metric

MODEL = "model.joblib"
"""What the runtime `sklearn` looks for in a model's folder."""


def train(library: Library, given: Sequence[str]) -> None:
    """Read rows, learn, write the model, say how good it is. Raises Refused."""
    wanted = asked(given, library.models)
    library.check(wanted)
    with tables.database(*rows.readable()) as db:
        training = rows.training(db, wanted)
        validation = rows.validation(db, wanted, training)
    needs_validation(wanted, validation)
    model, fitted = learned(library, wanted, training, validation)
    joblib.dump(model, words.output("model") / MODEL)
    if fitted.rounds is not None:
        log_metric("rounds", fitted.rounds)
        say(f"{fitted.rounds} of at most {wanted.rounds} rounds")
    measure.told(model, training, validation, wanted.classes)
    found = importance.importance(model, validation or training, wanted.classes, wanted.seed)
    importance.write(found, "log_loss" if wanted.classes else "mae", words.output("importance"))


def learned(library: Library, wanted: Asked, training: Rows, validation: Rows | None) -> tuple[Any, Fitted]:
    """The Pipeline, and its last part. Raises Refused."""
    form, most = library.form(wanted), library.most(wanted)
    _say_rare(training, most)
    prepared = prepare.transformer(training, form, most).fit(training.features)
    others = prepare.matrix(validation, prepared, form) if validation is not None else None
    fitted = library.fit(wanted, prepare.matrix(training, prepared, form), others)
    return prepare.pipeline(prepared, fitted.estimator), fitted


def _say_rare(training: Rows, most: int | None) -> None:
    for name in training.of("category"):
        count = int(training.features[name].nunique())
        if most is not None and count > most:
            say(f"note: {name} has {count} categories; the {count - most + 1} rarest count as one")
