"""Each error in one of five words, and the kernel's own conditions."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from fairlead.cluster import errors as api
from fairlead.engine import trouble
from fairlead.engine.errors import ChildError, NameTaken, StatusRefused, Trouble, classify
from fairlead.plan.core import HTTP_ROUTE, Invalid

Json = dict[str, Any]


class Form(BaseModel):
    """Something to get wrong."""

    a: int
    b: list[int]


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"a": "x", "b": [1, "y"]})
    return caught.value


@pytest.mark.parametrize(
    ("error", "word", "reason", "says"),
    [
        (Invalid("spec.a", "no"), "Invalid", "Invalid", "spec.a: no"),
        (invalid(), "Invalid", "Invalid", "b.1: Input should be a valid integer"),
        (NameTaken("Job x is there already"), "Invalid", "NameTaken", "Job x"),
        (ChildError(HTTP_ROUTE, "r", api.Refused("spec.rules: bad", 422)), "Invalid", "Refused", "HTTPRoute r: spec"),
        (ChildError(HTTP_ROUTE, "r", api.Forbidden("no role", 403)), "Invalid", "Forbidden", "may not write HTTPRoute"),
        (ChildError(HTTP_ROUTE, "r", api.NotFound("nothing", 404)), "Invalid", "KindMissing", "installed?"),
        (ChildError(HTTP_ROUTE, "r", api.NotServed("nothing", 404)), "Invalid", "KindMissing", "installed?"),
        (ChildError(HTTP_ROUTE, "r", api.Conflict("late", 409)), "Conflict", "", "late"),
        (ChildError(HTTP_ROUTE, "r", api.Unavailable("down", 503)), "Transient", "", "down"),
        (api.Conflict("late", 409), "Conflict", "", "late"),
        (api.NotFound("gone", 404), "Conflict", "", "gone"),
        (api.NotServed("404 page not found", 404), "Transient", "", "page not found"),
        (api.TooManyRequests("slow down", 429, 7.0), "Transient", "", "slow down"),
        (api.Unauthorized("who?", 401), "Transient", "", "who?"),
        (api.NotLeading("not leading"), "Transient", "", "not leading"),
        (StatusRefused(api.Refused("status.x: bad", 422)), "Bug", "InternalError", "refuses the status: status.x"),
        (KeyError("x"), "Bug", "InternalError", "KeyError"),
    ],
)
def test_each_error_has_its_word(error: Exception, word: str, reason: str, says: str) -> None:
    found = classify(error)
    assert (found.word, found.reason) == (word, reason)
    assert says in found.message


def test_the_server_s_patience_is_kept() -> None:
    assert classify(api.TooManyRequests("slow down", 429, 7.0)).retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [(409, "AlreadyExists", api.AlreadyExists), (409, "Conflict", api.Conflict), (404, "NotFound", api.NotFound),
     (404, "", api.NotServed),
     (422, "Invalid", api.Refused), (413, "", api.TooLarge), (500, "", api.Unavailable),
     (504, "Timeout", api.Unavailable),
     (410, "Expired", api.Gone), (429, "", api.TooManyRequests), (401, "", api.Unauthorized)],
)  # fmt: skip
def test_answers_become_typed_errors(status: int, reason: str, kind: type[api.ApiError]) -> None:
    assert type(api.from_answer(status, reason, "m", None)) is kind


TROUBLE = Trouble("Invalid", "Job x: no", "Refused")


def raw(*conditions: Json, message: str = "") -> Json:
    return {"metadata": {"generation": 3}, "status": {"message": message, "conditions": list(conditions)}}


def condition(type_: str, status: str, reason: str, since: str = "t0") -> Json:
    return {"type": type_, "status": status, "reason": reason, "message": "m", "lastTransitionTime": since}


def test_the_kernels_condition_is_hidden_from_plans_with_its_message() -> None:
    seen = raw(condition("Ready", "False", "Refused"), condition("Fine", "True", "Yes"), message="m")
    assert trouble.without_ours(seen)["status"] == {"message": "", "conditions": [condition("Fine", "True", "Yes")]}
    untouched = raw(condition("Ready", "False", "PlansOwn"))
    assert trouble.without_ours(untouched) is untouched


def test_laying_over_replaces_ready_and_keeps_the_rest() -> None:
    status = {"phase": "Good", "conditions": [condition("Ready", "True", "Fine"), condition("Other", "True", "Yes")]}
    found = trouble.lay_over(status, TROUBLE, raw(), 0.0)
    assert [(c["type"], c["status"]) for c in found["conditions"]] == [
        ("Other", "True"), ("Ready", "False"), ("Stalled", "True"),
    ]  # fmt: skip
    assert {c["reason"] for c in found["conditions"][1:]} == {"Refused"}
    assert found["message"] == "Job x: no"
    assert found["phase"] == "Good"


def test_what_passes_by_itself_is_reconciling_and_replaces_what_the_plan_has_said() -> None:
    status = {"conditions": [condition("Ready", "False", "Mine"), condition("Stalled", "True", "Mine")]}
    found = trouble.lay_over(status, Trouble("Transient", "Job x is on its way out", "BeingDeleted"), raw(), 0.0)
    assert [(c["type"], c["status"], c["reason"]) for c in found["conditions"]] == [
        ("Ready", "False", "BeingDeleted"), ("Reconciling", "True", "BeingDeleted"),
    ]  # fmt: skip
    assert trouble.without_ours({"metadata": {}, "status": found})["status"]["conditions"] == []


def test_the_kernels_own_conditions_are_the_problem_too() -> None:
    laid = trouble.lay_over({"problem": "old"}, TROUBLE, raw(), 0.0)
    assert trouble.summed_up(laid)["problem"] == "Refused: Job x: no"
    marked = trouble.marked({"problem": ""}, [trouble.Mark(trouble.CLOCK, "behind")], raw(), 0.0)
    assert trouble.summed_up(marked)["problem"] == "ClockBehind: behind"
    assert trouble.summed_up({"problem": "old", "conditions": []})["problem"] == ""


def test_times_move_only_with_the_status() -> None:
    before = raw(condition("Ready", "False", "Refused", since="t0"))
    assert trouble.lay_over({}, TROUBLE, before, 0.0)["conditions"][0]["lastTransitionTime"] == "t0"
    healed = {"conditions": [condition("Ready", "True", "Fine", since="t9")]}
    assert trouble.keep_times(healed, before)["conditions"][0]["lastTransitionTime"] == "t9"


def test_an_object_that_cannot_be_read_keeps_its_record() -> None:
    found = trouble.bare({"metadata": {"generation": 3}, "status": {"phase": "Good", "runs": 7}}, TROUBLE)
    assert found == {"phase": "Invalid", "runs": 7, "observedGeneration": 3}
