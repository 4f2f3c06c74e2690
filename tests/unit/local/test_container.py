"""A container of a Job as a command of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from fairlead.api.pipeline import Step
from fairlead.local.container import Folders, Unusable, as_container, as_process, expanded
from fairlead.manifests import pod
from fairlead.manifests.job import step_env

Json = dict[str, Any]
AT = {"/fairlead/in": "/w/runs/1/steps/train/in", "/fairlead/out": "/w/runs/1/steps/train/out"}


def made(step: Json, params: dict[str, str] | None = None) -> Json:
    """The container of a step, as its Job has it."""
    body = Step.model_validate({"name": "train", "image": "example.com/train:1", **step})
    env = {one.name: one.value for one in body.env} | step_env("delay-1", "train", 1, params or {})
    return pod.container(
        "step", body.image, command=body.command, args=body.args, env=env, wanted=body.resources, mounts=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"), ("$(A)$(A)", "11"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"), ("$A", "$A"),
        ("a$", "a$"), ("$(A", "$(A"), ("$$", "$"), ("$()", "$()"), ("cost: 5$$", "cost: 5$"),
    ],
)  # fmt: skip
def test_texts_are_expanded_as_the_kubelet_does_it(text: str, expected: str) -> None:
    assert expanded(text, {"A": "1"}) == expected


def test_a_variable_may_name_those_before_it() -> None:
    command = as_process(
        made({"command": ["x", "$(B)"], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)"}]}),
        Folders(AT), {}, sys.executable,
    )  # fmt: skip
    assert command.words == ["x", "1$(C)"]


def test_folders_of_a_pod_are_those_of_the_run() -> None:
    folders = Folders(AT)
    command = as_process(
        made({
            "command": ["sh", "-c", "cp /fairlead/in/raw/* /fairlead/out"], "args": ["--in=/fairlead/in"],
            "env": [{"name": "WHERE", "value": "/fairlead/out/model"}],
        }),
        folders, {"PATH": "/bin"}, sys.executable,
    )  # fmt: skip
    assert command.words[2:] == [f"cp {AT['/fairlead/in']}/raw/* {AT['/fairlead/out']}", f"--in={AT['/fairlead/in']}"]
    assert command.env["WHERE"] == f"{AT['/fairlead/out']}/model"
    assert (command.env["FAIRLEAD_IN"], command.env["FAIRLEAD_OUT"]) == tuple(AT.values())
    assert folders.rewritten == set(AT)


@pytest.mark.parametrize(
    "text", ["/fairlead/input", "/fairlead/in-2/x", "/fairlead/outer", "my/fairlead/in", "/fairlead/in.csv"]
)
def test_other_paths_stay(text: str) -> None:
    folders = Folders(AT)
    assert as_process(made({"command": ["cat", text]}), folders, {}, sys.executable).words == ["cat", text]
    assert not folders.rewritten  # nothing is said of Fairlead's own variables


def test_a_path_that_a_shell_would_split_is_refused() -> None:
    spaced = {"/fairlead/in": "/my data/in", "/fairlead/out": "/my data/out"}
    with pytest.raises(Unusable, match="--out"):
        as_process(made({"command": ["sh", "-c", "ls /fairlead/in"]}), Folders(spaced), {}, sys.executable)
    command = as_process(made({"command": ["ls", "/fairlead/in"]}), Folders(spaced), {}, sys.executable)
    assert command.words == ["ls", "/my data/in"]  # one word


def test_python_is_this_interpreter() -> None:
    for name in ("python", "python3"):
        assert as_process(made({"command": [name, "-V"]}), Folders(AT), {}, "/v/python").words == ["/v/python", "-V"]
    assert as_process(made({"command": ["python3.12"]}), Folders(AT), {}, "/v/python").words == ["python3.12"]


def test_variables_of_the_machine_are_there_but_none_of_fairleads() -> None:
    given = {"HOME": "/home/me", "LANG": "C", "FAIRLEAD_TASK": "{}", "FAIRLEAD_RUN": "other"}
    command = as_process(made({"command": ["x"]}), Folders(AT), given, sys.executable)
    assert command.env["HOME"] == "/home/me"
    assert command.env["FAIRLEAD_RUN"] == "delay-1"
    assert "FAIRLEAD_TASK" not in command.env
    mine = as_process(
        made({"command": ["x"], "env": [{"name": "HOME", "value": "/w"}]}), Folders(AT), given, sys.executable
    )
    assert mine.env["HOME"] == "/w"


def test_parameters_come_as_they_are() -> None:
    params = {"q": "it's $(HOME) and $$5"}
    command = as_process(made({"command": ["x"]}, params), Folders(AT), {}, sys.executable)
    assert json.loads(command.env["FAIRLEAD_PARAMS"]) == params


def test_a_program_that_only_its_image_knows_is_refused() -> None:
    with pytest.raises(Unusable, match=r"command.*--containers"):
        as_process(made({"args": ["--fast"]}), Folders(AT), {}, sys.executable)


def test_a_container_has_the_steps_command_folders_and_memory() -> None:
    container = made({"command": ["train", "$(X)"], "args": ["/fairlead/in/a"], "env": [{"name": "X", "value": "a b"}],
                      "resources": {"memory": "1.5Gi", "cpu": "2"}})  # fmt: skip
    run = as_container(container, "docker", "fairlead-1", "7:8", AT, ["/fairlead/in"]).words
    assert run[:5] == ["docker", "run", "--rm", "--name", "fairlead-1"]
    assert run[run.index("--user") + 1] == "7:8"
    assert f"type=bind,source={AT['/fairlead/in']},target=/fairlead/in,readonly" in run
    assert f"type=bind,source={AT['/fairlead/out']},target=/fairlead/out" in run
    assert run[run.index("--memory") + 1] == str(1536 << 20)
    assert run[run.index("--entrypoint") + 1] == "train"
    assert run[-3:] == ["example.com/train:1", "a b", "/fairlead/in/a"]
    assert "FAIRLEAD_IN=/fairlead/in" in run
    assert "X=a b" in run
    assert "--gpus" not in run


def test_a_container_without_a_command_has_its_images() -> None:
    container = made({"args": ["--fast"], "resources": {"gpu": {"count": 1}}})
    run = as_container(container, "podman", "x", "7:8", AT, []).words
    assert "--entrypoint" not in run
    assert run[-2:] == ["example.com/train:1", "--fast"]
    assert run[run.index("--userns") + 1] == "keep-id"
    assert run[run.index("--gpus") + 1] == "all"


def test_it_is_what_a_shell_makes_of_it() -> None:
    """The words are handed to the program as they are: nothing in between reads them once more."""
    text = "a  b'c\"d $X `e` \\"
    command = as_process(
        made({"command": ["python", "-c", "import sys; print(sys.argv[1])", text]}), Folders(AT), {}, sys.executable
    )
    assert subprocess.run(command.words, capture_output=True, text=True, check=True).stdout == f"{text}\n"
