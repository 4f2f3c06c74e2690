"""`fairlead new`: manifests that are short, that Fairlead understands, and commands that there are."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from fairlead.api.kinds import KINDS as OBJECTS
from fairlead.cli import new, session
from fairlead.cli.main import main, parser

READ = {info.kind: info.model for info in OBJECTS}


@pytest.mark.parametrize("kind", new.KINDS)
def test_b17_a_start_is_read_as_it_is_and_short(kind):
    text = new.manifests(kind, "tips", "team")
    made = list(yaml.safe_load_all(text))
    assert "Deployment" in {one["kind"] for one in made} or kind == "pipeline"
    for one in made:
        READ[one["kind"]].model_validate(one)
        assert one["metadata"]["namespace"] == "team"
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    assert len([line for line in lines if line != "---"]) <= 32
    assert "${" not in text
    assert not re.search(r"[\[ ](y|n|on|off)[,\] ]", re.sub("#.*", "", text)), "kubectl reads these as true and false"


@pytest.mark.parametrize("kind", new.KINDS)
def test_its_commands_are_commands(kind):
    after = new.manifests(kind, "tips", "team").partition(new.NEXT)[2]
    commands = [line.removeprefix("#   ") for line in after.splitlines()]
    assert len(commands) >= 3
    for command in commands:
        words = shlex.split(command)
        if words[:2] == ["kubectl", "fairlead"]:
            parser("fairlead").parse_args(words[2:])
        else:
            assert words == ["kubectl", "apply", "-f", "tips.yaml"]


def test_the_version_of_scikit_learn_is_the_servers():
    from pathlib import Path

    root = Path(__file__).resolve().parents[3]
    pinned = re.search(r"^scikit-learn==(\S+)", (root / "operator/requirements/sklearn.in").read_text(), re.M)
    assert pinned
    pages = [root / "docs" / "how-to" / "bring-a-model.md", root / "docs" / "tutorials" / "your-own-model.md"]
    for text in [*(page.read_text() for page in pages), *(new.manifests(k, "a", "b") for k in ("sklearn", "pipeline"))]:
        assert set(re.findall(r"scikit-learn(?:==| )(\d+\.\d+\.\d+)", text)) == {pinned[1]}


def test_a_file_is_written_once_and_what_comes_next_is_said(tmp_path, capsys):
    words = ["new", "sklearn", "tips", "-n", "team", "--bucket", "ours", "-o", str(tmp_path / "k8s")]
    assert main(words) == 0
    written = tmp_path / "k8s" / "tips.yaml"
    assert "s3://ours/tips/1/model.joblib" in written.read_text()
    assert f"  kubectl apply -f {written}\n" in capsys.readouterr().out
    written.write_text("mine")
    assert main(words) == session.USAGE
    assert "is there already" in capsys.readouterr().err
    assert written.read_text() == "mine"


@pytest.mark.parametrize(("name", "bucket"), [("Tips", "ours"), ("a" * 41, "ours"), ("1a", "ours"), ("tips", "Ours/x")])
def test_names_that_nothing_can_have(name, bucket, capsys):
    assert main(["new", "sklearn", name, "-n", "team", "--bucket", bucket]) == session.USAGE
    assert "can't be a" in capsys.readouterr().err


@pytest.mark.parametrize("kind", new.KINDS)
@pytest.mark.parametrize(
    ("name", "namespace", "bucket"), [("on", "no", "2024-01-01"), ("y", "123", "1.5"), ("null", "1e3", "0x1f")]
)
def test_what_yaml_would_read_as_something_else_is_in_quotes(kind, name, namespace, bucket):
    text = new.manifests(kind, name, namespace, bucket)
    for one in yaml.safe_load_all(text):
        READ[one["kind"]].model_validate(one)
        assert one["metadata"]["namespace"] == namespace
        assert one["metadata"]["name"] in (name, f"{name}-1", f"{name}-test")
        assert one["spec"].get("source", {"s3": {"bucket": bucket}})["s3"]["bucket"] == bucket
    bare = re.findall(r"(?:name|namespace|bucket|model): ([^\s{},\"\']+)", re.sub("#.*", "", text))
    assert not set(bare) & {"on", "no", "y", "null", "123", "1e3", "1.5", "0x1f"}, "kubectl reads more as numbers"


@pytest.mark.parametrize(
    ("name", "namespace"), [("tips\n", "team"), ("tips", "a: b"), ("tips", "team\n"), ("tips", "")]
)
def test_no_name_changes_the_manifest(name, namespace):
    with pytest.raises(session.Problem, match="can't be a name"):
        new.manifests("sklearn", name, namespace)


def test_a_folders_name_is_quoted_in_what_comes_next(tmp_path, capsys):
    folder = tmp_path / "my files"
    assert main(["new", "sklearn", "tips", "-n", "team", "-o", str(folder)]) == 0
    assert f"kubectl apply -f '{folder}/tips.yaml'" in capsys.readouterr().out
