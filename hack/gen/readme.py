"""The README shows the demo's manifests as they are."""

from __future__ import annotations

from hack.gen.files import ROOT

BEGIN, END = "<!-- flights:begin -->", "<!-- flights:end -->"
SHOWN = (
    ("A **Dataset** watches a bucket", "dataset.yaml"),
    ("Another one brings what came true", "landed.yaml"),
    ("A **Pipeline** trains and says how each model is proven", "pipeline.yaml"),
    ("A **Deployment** serves the model, judges its successors and watches it", "deployment.yaml"),
    ("Triggers make **PipelineRuns**; so can you", "run-linear-age.yaml"),
)


def files() -> dict[str, str]:
    """README.md with the manifests between its markers."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    shown = "".join(f"\n{title}:\n\n```yaml\n{manifest(name)}```\n" for title, name in SHOWN)
    return {"README.md": f"{before}{BEGIN}\n{shown}\n{END}{after}"}


def manifest(name: str) -> str:
    """The text of one of the demo's manifests."""
    return (ROOT / "docs" / "examples" / "flights" / name).read_text(encoding="utf-8")
