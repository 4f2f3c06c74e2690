"""A request that works: from the evaluation's sample to a command, a program, and rows that people write."""

from __future__ import annotations

import io
import json
import subprocess

import pytest

from fairlead.api.modelversion import ModelVersion
from fairlead.cli import blocks, columns, request
from fairlead.cli.blocks import Lines, plain

TEXT = {"content_type": "str"}
SAMPLE = {
    "parameters": {"content_type": "pd"},
    "inputs": [
        {"name": "carrier", "datatype": "BYTES", "shape": [1, 1], "data": ["it's"], "parameters": TEXT},
        {"name": "hour", "datatype": "INT64", "shape": [1, 1], "data": [7]},
        {"name": "late", "datatype": "FP64", "shape": [1, 1], "data": [1.5]},
        {"name": "rain", "datatype": "BOOL", "shape": [1, 1], "data": [True]},
    ],
}  # fmt: skip
GOOD = {"carrier": "AA", "hour": 8, "late": None, "rain": False}


def version(sample: str = json.dumps(SAMPLE), **spec: object) -> ModelVersion:
    body = {"model": "delay", "artifact": {"uri": "s3://bkt/m", "sha256": "ab" * 32}} | spec
    return ModelVersion.model_validate(
        {"spec": body, "status": {"evidence": {"digest": "ab", "sample": sample}}}
    )  # fmt: skip


def known() -> list[columns.Column]:
    return columns.of(json.dumps(SAMPLE))


def test_the_samples_own_row_gives_the_sample_again():
    row = {column.name: column.example for column in known()}
    assert columns.body(known(), [row]) == SAMPLE


def test_rows_take_their_types_from_the_sample():
    made = columns.body(known(), [GOOD, {**GOOD, "hour": 9.0, "late": 3}])
    assert [t["data"] for t in made["inputs"]] == [["AA", "AA"], [8, 9], [None, 3], [False, False]]
    assert all(t["shape"] == [2, 1] for t in made["inputs"])
    assert '"data": [8, 9]' in json.dumps(made)  # 9.0 would be a float to some servers


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**GOOD, "hours": 1}, "there is no column 'hours'; did you mean 'hour'?"),
        ({k: v for k, v in GOOD.items() if k != "late"}, "column 'late' is missing; it is a number (FP64)"),
        ({**GOOD, "hour": "8"}, "column 'hour' is a whole number (INT64): not \"8\""),
        ({**GOOD, "hour": 8.5}, "not 8.5"),
        ({**GOOD, "hour": None}, "null is none, and the evaluation's rows had no gaps there"),
        ({**GOOD, "hour": True}, "column 'hour' is a whole number (INT64): not true"),
        ({**GOOD, "carrier": 5}, "write 5 in quotes, as text"),
        ({**GOOD, "rain": 1}, "column 'rain' is true or false (BOOL): not 1"),
        ({**GOOD, "late": [1.0]}, "column 'late' is a number (FP64): not [1.0]"),
        ({**GOOD, "late": float("inf")}, "NaN and infinite values can't be sent"),
    ],
)
def test_b17_what_does_not_fit_is_named_by_column(row, words):
    with pytest.raises(columns.Unfit) as told:
        columns.body(known(), [row])
    assert words in str(told.value)
    with pytest.raises(columns.Unfit, match="row 2"):
        columns.body(known(), [GOOD, row])


def test_lists_have_the_samples_lengths():
    sample = {"inputs": [{"name": "e", "datatype": "FP64", "shape": [1, 2, 2], "data": [1.0, 2.0, 3.0, 4.0],
                          "parameters": {"content_type": "np"}}]}  # fmt: skip
    (column,) = columns.of(json.dumps(sample))
    assert column.example == [[1.0, 2.0], [3.0, 4.0]]
    made = columns.body([column], [{"e": [[5, 6], [7, 8]]}])
    assert made["parameters"] == {"content_type": "np"}  # one array instead of a data frame
    assert made["inputs"][0]["data"] == [5, 6, 7, 8]
    for wrong in ([[5, 6], [7]], [5, 6, 7, 8], 5, [[5, 6]]):
        with pytest.raises(columns.Unfit, match="lists of shape"):
            columns.body([column], [{"e": wrong}])


@pytest.mark.parametrize(
    ("values", "datatype"),
    [
        ([1, 2], "INT64"), ([1, 2.5], "FP64"), ([1, None], "FP64"), ([True, False], "BOOL"), (["a", None], "BYTES"),
        ([None], "FP64"), ([[1.0, 2.0]], "FP64"),
    ],
)  # fmt: skip
def test_without_a_sample_types_are_what_they_look_like(values, datatype):
    rows = [{"x": value} for value in values]
    (column,) = columns.guessed(rows)
    assert column.datatype == datatype
    columns.body([column], rows)


def test_where_only_the_names_are_known_they_are_held_to():
    known = columns.guessed([{"a": 1}], ["a", "b"])
    with pytest.raises(columns.Unfit, match=r"^column 'b' is missing$"):
        columns.body(known, [{"a": 1}])
    assert [one.name for one in columns.guessed([{"b": 1, "a": "x"}], ["a", "b"])] == ["a", "b"]


def test_fields_of_a_csv_are_read_by_the_samples_types():
    read = columns.from_text(known(), {"carrier": "007", "hour": "8", "late": "", "rain": "True"})
    assert read == {"carrier": "007", "hour": 8, "late": None, "rain": True}
    assert columns.from_text([], {"a": "1", "b": "1.5", "c": "AA", "d": "false"}) == {
        "a": 1, "b": 1.5, "c": "AA", "d": False,
    }  # fmt: skip


def test_differences_are_told_column_by_column():
    sent = columns.body(known(), [GOOD])
    assert columns.differences(known(), sent) == []
    sent["inputs"][1]["datatype"] = "FP64"
    sent["inputs"][2]["name"] = "delay"
    assert columns.differences(known(), sent) == [
        "column 'delay' was sent, and the evaluation's rows have none",
        "column 'hour' was sent as FP64; the evaluation sent INT64",
        "column 'late' was not sent; it is a number (FP64)",
    ]
    assert columns.differences(known(), "text") == []


@pytest.mark.parametrize("sample", ["", "no json", "[]", '{"inputs": [{"name": "x"}]}', '{"inputs": 5}'])
def test_a_sample_that_is_none_is_no_columns(sample):
    assert columns.of(sample) == []


def test_the_command_is_one_that_a_shell_sends_as_it_is(tmp_path):
    """A shell reads the body of `curl` as it is, quotes and all."""
    (tmp_path / "curl").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$OUT/words"\ncat >"$OUT/body"\n')
    (tmp_path / "curl").chmod(0o755)
    command = request.curl("http://1.2.3.4/a b", request.example(version()))
    path = f"{tmp_path}:/usr/bin:/bin"
    subprocess.run(["sh", "-c", command], check=True, env={"PATH": path, "OUT": str(tmp_path)})
    assert json.loads((tmp_path / "body").read_text()) == SAMPLE
    words = (tmp_path / "words").read_text().split("\n")
    assert words[:4] == ["-sS", "http://1.2.3.4/a b/v2/models/delay/infer", "-H", "Content-Type: application/json"]


@pytest.mark.parametrize("text", ["plain", "it's", "a ''' b", "back\\slash", "EOF", "line\nEOF\nend"])
def test_any_body_comes_through_the_program_and_the_shell(text):
    wanted = request.Request("/p", text)
    body = request.python("http://a", wanted).split("request = ")[0].removeprefix("import urllib.request\n")
    space: dict[str, str] = {}
    exec(body, space)
    assert space["body"].strip() == text
    end = request.curl("http://a", wanted).split("\n")
    assert "\n".join(end[1:-1]) == text
    assert end[-1] not in text.split("\n")


def test_what_is_not_known_is_said():
    evaluation = {"features": ["a", "b"], "target": "y", "metrics": ["mae"], "data": {"dataset": {"name": "d"}}}
    named = request.example(version("", evaluation=evaluation))
    assert [t["name"] for t in json.loads(named.body)["inputs"]] == ["a", "b"]
    assert "types of the columns are not known" in named.note
    assert "has no evaluation" in request.example(version("")).note
    assert request.example(version()).note == ""


def test_an_openai_server_is_asked_for_a_completion():
    server = {"runtime": "custom", "image": "registry.example/llm:1", "protocol": "openai"}
    wanted = request.example(version("", server=server))
    assert wanted.path == "/v1/chat/completions"
    assert json.loads(wanted.body)["model"] == "delay"
    assert wanted.note == ""


def test_the_shown_lines_are_a_command_and_a_request():
    lines = request.shown("web", "airline", "http://1.2.3.4/airline/web", version())
    assert lines[0].startswith("kubectl fairlead ask deployment/web -n airline --row ")
    assert any("/airline/web/v2/models/delay/infer" in line for line in lines)
    assert request.shown("web", "airline", "", version()) == []
    assert "ModelInfer" in request.shown("web", "airline", "grpc://1.2.3.4:80", version())[0]


@pytest.mark.parametrize(
    "text", ['{\n\t"x": 1}', '{"x":\r\n1}', "it's \x1b[2J\\n \u202e\u200b é %s $(id) `id`", "1\n2"]
)
def test_what_is_printed_is_what_is_sent(tmp_path, text):
    """Terminals get escapes for what they would obey; the request stays the same."""
    (tmp_path / "curl").write_text('#!/bin/sh\ncat >"$OUT/body"\n')
    (tmp_path / "curl").chmod(0o755)
    wanted = request.Request("/p", text)
    shown = plain([Lines(request.curl("http://a", wanted).split("\n"))])
    for shell in ("sh", "bash"):
        subprocess.run(
            [shell, "-c", shown], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin", "OUT": str(tmp_path)}
        )
        assert (tmp_path / "body").read_bytes().decode().removesuffix("\n") == text
    space: dict[str, str] = {}
    program = plain([Lines(request.python("http://a", wanted).split("\n"))])
    exec(program.split("request = ")[0].removeprefix("import urllib.request\n"), space)
    assert space["body"].strip("\n") == text
    server = {"runtime": "custom", "image": "registry.example/s:1", "protocol": "http", "ready": "/",
              "warmUp": {"path": "/p", "body": text}}  # fmt: skip
    said = request.command("web", "airline", version("", server=server))
    assert said == "kubectl fairlead ask deployment/web -n airline"


def test_a_terminal_shows_it_as_it_is():
    rich = pytest.importorskip("rich.console")
    for text in ('{"x": ":fire: [bold]a[/]"}', "back\\", "[link=http://a]x[/link]"):
        drawn = io.StringIO()
        rich.Console(file=drawn, soft_wrap=True).print(blocks._drawn(Lines([text])), highlight=False)
        assert drawn.getvalue() == f"{text}\n"


def test_a_sample_that_claims_more_values_than_it_has_is_none():
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 10**12, 2], "data": [1.0]}
    assert columns.of(json.dumps({"inputs": [tensor]})) == []
