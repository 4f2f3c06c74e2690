"""Every example in the documentation is run: manifests by the API server, commands by their parsers, code by Python."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from hack.install.chart import ROOT, environment

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.S | re.M)
STORE = "store: {bucket: models}"  # what an installation that is upgraded was given
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(#[^)]*)?\)")


def blocks(language: str) -> list[tuple[str, str]]:
    """(page and line, text) of the code blocks in a language."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in FENCE.finditer(text):
            if match[2] == language:
                indent, line = match[1], text[: match.start()].count("\n") + 1
                body = re.sub(f"^{indent}", "", match[3], flags=re.M)
                found.append((f"{page.relative_to(ROOT)}:{line}", body))
    return found


def params(language: str) -> list[object]:
    """The blocks as test parameters."""
    return [pytest.param(text, id=where) for where, text in blocks(language)]


def run(words: list[str], stdin: str | None = None) -> None:
    """Run a command in the cluster's environment; fail with what it said."""
    done = subprocess.run(
        words, cwd=ROOT, env=environment(), input=stdin, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", params("yaml"))
def test_manifests_are_accepted(text: str) -> None:
    for document in yaml.safe_load_all(text):
        assert "apiVersion" in document, "show whole manifests, so that they can be copied"
        document["metadata"]["namespace"] = "default"
        run(["kubectl", "apply", "--dry-run=server", "--server-side", "-f", "-"], stdin=yaml.safe_dump(document))


@pytest.mark.parametrize("text", params("python"))
def test_code_compiles(text: str) -> None:
    compile(text, "example", "exec")


@cache
def targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def commands(text: str) -> list[list[str]]:
    """Commands of a shell block, without variables set before them."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [ln.strip() for ln in joined.splitlines() if ln.strip() and not ln.strip().startswith("#")]
    split = [shlex.split(ln, comments=True) for ln in lines]
    return [words[next(i for i, w in enumerate(words) if "=" not in w or w.startswith("-")) :] for words in split]


def check_command(words: list[str]) -> None:
    """Fail when a command cannot be right."""
    if words[:2] == ["kubectl", "fairlead"] or words[0] == "fairlead":
        from fairlead.cli.main import parser

        parser("fairlead").parse_args(words[2:] if words[0] == "kubectl" else words[1:])
    elif words[0] == "make":
        unknown = [w for w in words[1:] if "=" not in w and w not in targets()]
        assert not unknown, f"no such target: {unknown}"
    elif words[:2] == ["kubectl", "create"]:
        run([*words, "--dry-run=client"])
    elif words[0] in ("python3", "python") and words[1].startswith("hack/"):
        assert (ROOT / words[1]).exists()
    elif words[:2] == ["helm", "install"]:
        run(["helm", "template", "--kube-version", "1.35.0", *words[2:]])
    elif words[:2] == ["helm", "upgrade"]:
        changed = [w for w in words[2:] if w != "--reuse-values"]
        run(["helm", "template", "--kube-version", "1.35.0", "--values", "-", *changed], stdin=STORE)


@pytest.mark.parametrize("text", params("bash"))
def test_commands_exist(text: str) -> None:
    for words in commands(text):
        check_command(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))
    for target, _ in LINK.findall(prose):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page}: {target}"
