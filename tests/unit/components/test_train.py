"""The programs that train: what they write is what the runtime `sklearn` serves, and what they refuse is said."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.unit.components.programs import Here, Ran

from fairlead.components import train_lightgbm, train_sklearn, train_xgboost

LIBRARIES = (train_sklearn, train_xgboost, train_lightgbm)
SMALL = ["--rounds=20"]


def rows(count: int, seed: int = 0) -> dict[str, Any]:
    """A delay that follows from a number with gaps, an integer, a boolean and a text with gaps; and noise."""
    chance = np.random.default_rng(seed)
    distance = chance.uniform(0, 10, count)
    hour = chance.integers(0, 24, count)
    carrier = np.array(["AA", "DL", "UA"])[chance.integers(0, 3, count)]
    weekend = chance.integers(0, 2, count).astype(bool)
    delay = distance * 2 + hour / 2 + (carrier == "AA") * 9 + weekend * 4 + chance.normal(0, 0.3, count)
    gaps = chance.integers(0, 10, count) == 0
    return {
        "distance": pa.array(distance, mask=gaps), "hour": hour, "carrier": pa.array(carrier, mask=np.roll(gaps, 5)),
        "weekend": weekend, "noise": chance.normal(size=count), "delay": delay, "late": delay > 20,
        "band": np.array(["early", "on time", "late"])[np.digitize(delay, [12, 24])],
        "weight": chance.uniform(0.5, 2, count),
    }  # fmt: skip


FEATURES = "--features=distance,hour,carrier,weekend,noise"


@pytest.fixture
def flights(here: Here) -> Here:
    here.write("data", {"data.parquet": pa.table(rows(500))})
    here.write("validation", {"data.parquet": pa.table(rows(200, seed=1))})
    return here


def model(ran: Ran) -> Any:
    assert ran.code == 0, ran.error
    return joblib.load(ran.out / "model" / "model.joblib")


def refused(ran: Ran) -> str:
    """One line that says what to do, and no traceback."""
    assert ran.code == 2, ran.error + ran.said
    assert ran.error.startswith("error: ")
    assert ran.error.count("\n") == 1
    assert not (ran.out / "model" / "model.joblib").exists()
    return ran.error


def sent(**columns: Any) -> pd.DataFrame:
    """As MLServer decodes a request: a series a column."""
    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_model_of_numbers(library: ModuleType, flights: Here) -> None:
    ran = flights.run(library, ["--target=delay", "--task=regression", FEATURES, "--rounds=200", "--early_stopping=10"])
    found = model(ran)
    metrics = ran.metrics()
    assert metrics["validation_mae"] < 2.5
    assert metrics["train_r2"] > metrics["validation_r2"] > 0.9
    assert metrics["train_rows"] == 500
    assert 1 <= metrics["rounds"] <= 200
    truth = pa.table(rows(200, seed=1)).to_pandas()
    answers = found.predict(truth)
    assert np.abs(answers - truth["delay"]).mean() == pytest.approx(metrics["validation_mae"])
    listed = (ran.out / "importance" / "importance.csv").read_text().splitlines()
    assert listed[0] == "feature,mae_increase,deviation"
    assert {line.split(",")[0] for line in listed[1:4]} <= {"distance", "hour", "carrier"}
    chart = ElementTree.parse(ran.out / "importance" / "importance.svg").getroot()
    assert len(chart.findall(".//{*}rect")) == 6
    modules = {type(part).__module__.split(".")[0] for _, part in found.steps}
    assert "fairlead" not in modules


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("target", "classes"), [("late", [0, 1]), ("band", ["early", "late", "on time"])])
def test_a_model_of_classes(library: ModuleType, target: str, classes: list[Any], flights: Here) -> None:
    ran = flights.run(library, [f"--target={target}", "--task=classification", FEATURES, "--early_stopping=5"])
    found, metrics = model(ran), ran.metrics()
    assert list(found.classes_) == classes
    assert metrics["validation_accuracy"] > 0.8
    assert metrics["validation_log_loss"] < 0.6
    assert ("validation_roc_auc" in metrics) == (target == "late")
    truth = pa.table(rows(200, seed=1)).to_pandas()
    answers = found.predict(truth)
    assert np.mean(answers == truth[target]) == pytest.approx(metrics["validation_accuracy"])
    assert found.predict_proba(truth).shape == (200, len(classes))


ALL = [*((one, []) for one in LIBRARIES),
       *((train_sklearn, [f"--model={name}"]) for name in ("random-forest", "extra-trees", "linear"))]  # fmt: skip


@pytest.mark.parametrize(("library", "more"), ALL)
def test_rows_as_a_server_gets_them(library: ModuleType, more: list[str], flights: Here) -> None:
    """Integers with gaps come as floats, texts with gaps as None or NaN, columns in any order, beside others."""
    found = model(flights.run(library, ["--target=delay", "--task=regression", FEATURES, *SMALL, *more]))
    whole = sent(distance=[1.0, 2.0], hour=[3, 4], carrier=["AA", "DL"], weekend=[True, False], noise=[0.0, 0.0])
    floats = sent(noise=[0.0, 0.0], other=["x", "y"], weekend=[1.0, 0.0], carrier=["AA", "DL"], hour=[3.0, 4.0],
                  distance=[1.0, 2.0])  # fmt: skip
    assert found.predict(whole).tolist() == found.predict(floats).tolist()

    def carried(carrier: Any) -> list[float]:
        more = {"distance": [1.0], "hour": [3], "weekend": [True], "noise": [0.0]}
        answers: list[float] = found.predict(sent(carrier=[carrier], **more)).tolist()
        return answers

    assert carried(None) == carried(np.nan)
    assert carried("ZZ") == carried(None)  # what training has not seen counts as missing
    empty = sent(distance=[None], hour=[None], carrier=[None], weekend=[None], noise=[None])
    assert np.isfinite(found.predict(empty.astype({n: "float64" for n in empty if n != "carrier"}))).all()


@pytest.mark.parametrize(("library", "more"), ALL)
def test_the_same_rows_give_the_same_bytes(library: ModuleType, more: list[str], flights: Here) -> None:
    args = ["--target=late", "--task=classification", FEATURES, "--weight=weight", *SMALL, *more]
    first, again = (flights.run(library, args) for _ in range(2))
    assert first.code == again.code == 0, first.error
    for path in ("model/model.joblib", "importance/importance.csv", "importance/importance.svg"):
        assert (first.out / path).read_bytes() == (again.out / path).read_bytes(), path
    assert first.metrics() == again.metrics()


@pytest.mark.parametrize("library", [train_sklearn, train_lightgbm])
def test_however_many_cores_there_are(library: ModuleType, flights: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ["--target=delay", "--task=regression", FEATURES, *SMALL]
    found, answers = [], []
    truth = pa.table(rows(200, seed=1)).to_pandas()
    for count in (1, 2):
        monkeypatch.setattr(library, "cores", lambda count=count: count)
        ran = flights.run(library, args)
        found.append((ran.out / "model" / "model.joblib").read_bytes())
        answers.append(model(ran).predict(truth).tolist())
    assert answers[0] == answers[1]
    assert library is train_lightgbm or found[0] == found[1]  # a model of LightGBM says how many threads it has had


@pytest.mark.parametrize("library", LIBRARIES)
def test_early_stopping_keeps_the_best_round(library: ModuleType, flights: Here) -> None:
    """Its error on the rows for validation is no larger than with all the rounds."""
    args = ["--target=delay", "--task=regression", FEATURES, "--rounds=300", '--options={"learning_rate": 0.5}']
    every, best = flights.run(library, args), flights.run(library, [*args, "--early_stopping=10"])
    assert best.metrics()["rounds"] < every.metrics()["rounds"] == 300
    assert best.metrics()["validation_rmse"] <= every.metrics()["validation_rmse"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_weights_count(library: ModuleType, here: Here) -> None:
    here.write("data", {"a.csv": "x,y,w\n" + "1,0,9\n1,10,1\n2,0,1\n2,10,9\n" * 30})
    leaf = '--options={"min_samples_leaf": 1}' if library is train_sklearn else "--options={}"
    found = model(here.run(library, ["--target=y", "--task=regression", "--weight=w", leaf]))
    assert found.feature_names_in_.tolist() == ["x"]
    assert found.predict(sent(x=[1, 2])).tolist() == pytest.approx([1, 9], abs=0.3)


BAD_OPTIONS = [
    (train_lightgbm, {"num_leafs": 5}, "num_leafs, which LGBMRegressor does not have; did you mean num_leaves?"),
    (train_xgboost, {"learningrate": 1}, "did you mean learning_rate?"),
    (train_sklearn, {"zzz": 1}, "zzz, which HistGradientBoostingRegressor does not have; it has l2_regularization, "),
    (train_lightgbm, {"num_leaves": "many"}, 'params.options.num_leaves is "many"; give an integer'),
    (train_lightgbm, {"num_leaves": True}, "params.options.num_leaves is true; give an integer"),
    (train_lightgbm, {"max_bin": 2.5}, "params.options.max_bin is 2.5; give an integer"),
    (train_xgboost, {"max_depth": [1]}, "params.options.max_depth is [1]; give an integer or null"),
    (train_sklearn, {"learning_rate": "fast"}, "'learning_rate' parameter of HistGradientBoostingRegressor must be a"),
    (train_sklearn, {"max_bins": "x"}, "'max_bins' parameter"),
    (train_lightgbm, {"num_leaves": 1}, "lightgbm does not take them"),
    (train_lightgbm, {"objective": "nonsense"}, "lightgbm does not take them"),
    (train_xgboost, {"objective": "nonsense"}, "xgboost does not take them: Unknown objective function"),
    (train_xgboost, {"n_estimators": 5}, "n_estimators, which is not chosen here: give params.rounds"),
    (train_lightgbm, {"random_state": 5}, "random_state, which is not chosen here: give params.seed"),
    (train_sklearn, {"max_iter": 5}, "max_iter, which is not chosen here: give params.rounds"),
    (train_sklearn, {"n_iter_no_change": 5}, "give params.early_stopping"),
    (train_lightgbm, {"class_weight": {"0": 1}}, 'class_weight as an object; give "balanced"'),
]


@pytest.mark.parametrize(("library", "options", "said"), BAD_OPTIONS)
def test_options_are_the_estimators_own(library: ModuleType, options: Any, said: str, flights: Here) -> None:
    ran = flights.run(library, ["--target=delay", "--task=regression", FEATURES, f"--options={json.dumps(options)}"])
    assert said in refused(ran)


@pytest.mark.parametrize("text", ["{", "[1]", '{"learning_rate": NaN}', '{"learning_rate": 1e999}'])
def test_options_are_an_object(text: str, flights: Here) -> None:
    ran = flights.run(train_lightgbm, ["--target=delay", "--task=regression", f"--options={text}"])
    assert "params.options" in refused(ran)


def test_options_reach_the_estimator(flights: Here) -> None:
    args = ["--target=delay", "--task=regression", FEATURES, *SMALL]
    options = '--options={"objective": "quantile", "alpha": 0.9, "num_leaves": 4}'
    found = model(flights.run(train_lightgbm, [*args, options])).steps[-1][1]
    assert (found.get_params()["alpha"], found.num_leaves) == (0.9, 4)
    assert found.booster_.dump_model()["objective"].startswith("quantile")
    few = model(flights.run(train_sklearn, [*args, '--options={"max_bins": 3}'])).steps[-1][1]
    assert few.max_bins == 3


N = 40
GOOD: dict[str, Any] = {"x": list(range(N)), "y": [n % 7 for n in range(N)], "c": ["a", "b"] * (N // 2)}
NUMBER, CLASS = ["--target=y", "--task=regression"], ["--target=c", "--task=classification"]
BAD_ROWS = [
    ({}, ["--target=Y", "--task=regression"], "the column Y, which is not there; there is y"),
    ({}, ["--task=regression"], "params.target is empty"),
    ({}, ["--target=y", "--task=ranking"], "give one of regression, classification"),
    ({}, [*NUMBER, "--features=x,z"], "params.features names the column z, which is not there"),
    ({}, [*NUMBER, "--features=x,y"], "params.features names y, which is the target"),
    ({}, [*NUMBER, "--weight=v"], "params.weight names the column v"),
    ({}, ["--target=c", "--task=regression"], "c is VARCHAR, and regression is of numbers"),
    ({"y": [True, False] * (N // 2)}, NUMBER, "regression is of numbers"),
    ({"y": [None, *range(N - 1)]}, NUMBER, "1 of 40 rows of the input data have no y"),
    ({"y": [float("nan"), None, *([0.5] * (N - 2))]}, NUMBER, "2 of 40 rows of the input data have no y"),
    ({"c": [None, "b"] * (N // 2)}, CLASS, "20 of 40 rows of the input data have no c"),
    ({"y": [float("inf"), *([0.5] * (N - 1))]}, NUMBER, "1 rows of the input data have an infinite y"),
    ({"y": [3] * N}, NUMBER, "y is 3.0 in all 40 rows of the input data; there is nothing to learn"),
    ({"c": ["a"] * N}, CLASS, "c is a in all 40 rows of the input data; there is one class only"),
    ({"y": [0.5, 1.5] * (N // 2)}, ["--target=y", "--task=classification"], "y has numbers such as 0.5"),
    ({"y": [2**60, 1] * (N // 2)}, ["--target=y", "--task=classification"], "integers above 2^53"),
    ({"x": pa.nulls(N, pa.float64())}, NUMBER, "no value of x in any row"),
    ({"x": [float("inf")] * N}, NUMBER, "40 rows of the input data have an infinite x"),
    ({"x": pa.array([0] * N, pa.timestamp("us"))}, NUMBER, "has times, of which a model makes nothing: x (TIMESTAMP)"),
    ({"x": [[1]] * N}, NUMBER, "no numbers, booleans or texts: x (BIGINT[])"),
    ({"x": [b"1"] * N}, NUMBER, "x (BLOB)"),
    ({"w": [-1.0] * N}, [*NUMBER, "--weight=w"], "40 rows of the input data have a w that is missing, negative"),
    ({"w": [0] * N}, [*NUMBER, "--weight=w"], "w is 0 in all rows"),
    ({"w": ["1"] * N}, [*NUMBER, "--weight=w"], "w is VARCHAR; weights are numbers"),
    ({}, [*NUMBER, "--early_stopping=5"], "params.early_stopping needs rows in the input validation"),
    ({}, [*NUMBER, "--rounds=0"], "params.rounds is 0"),
]


@pytest.mark.parametrize(("change", "args", "said"), BAD_ROWS)
def test_what_nothing_can_be_learned_from(change: dict[str, Any], args: list[str], said: str, here: Here) -> None:
    here.write("data", {"data.parquet": pa.table({**GOOD, **change})})
    assert said in refused(here.run(train_lightgbm, args))


def test_names_of_rows_are_no_categories(here: Here) -> None:
    many = {"id": [f"n{at}" for at in range(10_000)], "y": [at % 5 for at in range(10_000)]}
    here.write("data", {"data.parquet": pa.table(many)})
    assert "more than 1000 different texts are names of rows rather than categories: id (10000)" in refused(
        here.run(train_lightgbm, NUMBER)
    )
    ran = here.run(train_lightgbm, ["--target=id", "--task=classification"])
    assert "id has 10000 different values, and at most 1000 classes are told apart" in refused(ran)


def test_more_categories_than_bins(here: Here) -> None:
    """The rarest count as one, and it is said."""
    cities = [f"c{at % 300}" for at in range(3000)]
    here.write("data", {"data.parquet": pa.table({"city": cities, "y": [float(at % 300 < 150) for at in range(3000)]})})
    ran = here.run(train_sklearn, [*NUMBER, *SMALL])
    assert "note: city has 300 categories; the 47 rarest count as one" in ran.said
    assert model(ran).predict(sent(city=["c1", "c299", "nowhere"])).shape == (3,)


def test_a_constant_feature_is_said(here: Here) -> None:
    here.write("data", {"data.parquet": pa.table({**GOOD, "k": [7] * N})})
    ran = here.run(train_lightgbm, [*NUMBER, *SMALL])
    assert ran.code == 0, ran.error
    assert "note: k is 7.0 in all rows" in ran.said


def test_rows_for_validation_that_are_not_like_the_others(here: Here) -> None:
    here.write("data", {"data.parquet": pa.table(GOOD)})
    here.write("validation", {"data.parquet": pa.table({**GOOD, "x": ["1"] * N})})
    assert "has x as a category, and the input data as a number" in refused(here.run(train_lightgbm, NUMBER))
    here.write("validation", {"data.parquet": pa.table({**GOOD, "c": ["new"] * N})})
    assert "the input validation has rows of c new" in refused(here.run(train_lightgbm, CLASS))
    here.write("validation", {"data.parquet": pa.table({"y": [1]})})
    assert "the column x, which is not there" in refused(here.run(train_lightgbm, NUMBER))


def test_no_rows(here: Here) -> None:
    """An empty part of a split is none; to learn from, there must be some."""
    here.write("data", {"data.parquet": pa.table(GOOD)})
    here.write("validation", {"data.parquet": pa.table(GOOD).slice(0, 0)})
    ran = here.run(train_lightgbm, [*NUMBER, *SMALL])
    assert ran.code == 0, ran.error
    assert "input validation has no rows" in ran.said
    assert not any(name.startswith("validation") for name in ran.metrics())
    here.write("data", {"data.parquet": pa.table(GOOD).slice(0, 0)})
    assert "the input data has no rows" in refused(here.run(train_lightgbm, NUMBER))


def test_odd_names_and_texts(here: Here) -> None:
    """Column names are nobody's syntax, and texts are what they are."""
    odd = 'a "b", {c}: [d]\n<é>'
    table = pa.table(
        {odd: ["", "nan", "None", "日本"] * 10, "SELECT": [1.5, 2.5] * 20, "y": [float(n % 4) for n in range(N)]}
    )
    here.write("data", {"data.parquet": table})
    options = ['--options={"min_child_samples": 1, "min_data_per_group": 1, "cat_smooth": 0}']
    ran = here.run(train_lightgbm, [*NUMBER, *options])
    found = model(ran)
    answers = found.predict(pd.DataFrame({odd: ["", "nan", "None", "日本"], "SELECT": [1.5, 2.5, 1.5, 2.5]}))
    assert answers.tolist() == pytest.approx([0, 1, 2, 3], abs=0.3)
    ElementTree.parse(ran.out / "importance" / "importance.svg")


def test_a_line_that_has_not_converged_says_so(flights: Here) -> None:
    args = ["--target=late", "--task=classification", FEATURES, "--model=linear", '--options={"max_iter": 1}']
    assert "note: lbfgs failed to converge" in flights.run(train_sklearn, args).said
    assert "params.early_stopping is of hist-gradient-boosting" in refused(
        flights.run(train_sklearn, [*args, "--early_stopping=3"])
    )


def test_the_images_libraries_are_locked() -> None:
    """The model server has what the models are pickled by, without the libraries for GPUs."""
    lock = (Path(__file__).parents[3] / "operator" / "requirements" / "sklearn.txt").read_text()
    assert all(f"\n{name}==" in lock for name in ("xgboost-cpu", "lightgbm", "scikit-learn", "joblib"))
    assert "\nxgboost==" not in lock
    assert "nvidia" not in lock
