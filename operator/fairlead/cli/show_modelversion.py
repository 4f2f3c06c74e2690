"""A ModelVersion as people look at it: its scores beside the champion's and the baseline's, and its gates."""

from __future__ import annotations

from fairlead.api.modelversion import Evidence, ModelVersion
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.text import amount, count, short


def blocks(name: str, found: ModelVersion, now: float) -> list[Block]:
    """The view."""
    status = found.status
    note = f"version of {found.spec.model}, {_model(found)}"
    shown: list[Block] = [Title(f"modelversion {name}", status.phase or "Pending", note), *message(status.message)]
    if status.evidence:
        shown += proof(status.evidence)
    shown += _people(found) + _used(found)
    return shown + conditions(status.conditions, now)


def _model(found: ModelVersion) -> str:
    artifact = found.spec.artifact
    return f"artifact {short(artifact.sha256)}" if artifact else f"image {found.spec.server.image}"


def _people(found: ModelVersion) -> list[Block]:
    """Whose work it is, and who has approved its present evidence, before it went live or since."""
    spec, status = found.spec, found.status
    authors = [one for one in (spec.author, spec.lineage.author) if one]
    digest = status.evidence.digest if status.evidence else ""
    approved = sorted({one.user for one in spec.approvals if one.evidence == digest} or {*status.approved_by})
    lines = [f"work of {' and '.join(authors)}"] if authors else []
    lines += [f"approved by {', '.join(approved)}"] if approved else []
    return [Lines(lines)] if lines else []


def _used(found: ModelVersion) -> list[Block]:
    """Where it is live, on its way, or was taken back."""
    rows = [[one.name, one.role, one.reason or "-", (one.since or "-")[:19]] for one in found.status.deployments]
    more = found.status.more_deployments
    rows += [[f"and {more} more", "", "", ""]] if more else []
    return [Table(["DEPLOYMENT", "ROLE", "REASON", "SINCE"], rows)] if rows else []


def proof(evidence: Evidence) -> list[Block]:
    """Scores and gates."""
    against = f"against champion {evidence.champion}" if evidence.champion else "there was no champion"
    told = [
        f"evidence {short(evidence.digest)}: {amount(evidence.rows, 'row')}, {against}",
        *_profile(evidence),
        *_golden(evidence),
    ]
    shown: list[Block] = [Lines(told)]
    if evidence.scores:
        metrics = sorted({metric for score in evidence.scores for metric in score.values})
        rows = [
            [score.subject, score.version or "-", *(_brief(score.values.get(m, "-")) for m in metrics)]
            for score in evidence.scores
        ]
        shown.append(Table(["SUBJECT", "VERSION", *(m.upper() for m in metrics)], rows))
    if evidence.gates:
        rows = [[g.gate, g.verdict, _brief(g.value), _interval(g.low, g.high), g.message] for g in evidence.gates]
        shown.append(Table(["GATE", "VERDICT", "VALUE", "95 % INTERVAL", "MESSAGE"], rows))
    return shown


def _golden(evidence: Evidence) -> list[str]:
    """Whether new pods can be asked for rows of the evaluation."""
    found = evidence.golden
    if found is None:
        return [f"no golden rows: {evidence.no_golden}"] if evidence.no_golden else []
    return [f"golden rows {short(found.digest)}: {count(found.rows)} held-out rows that each new pod must answer alike"]


def _profile(evidence: Evidence) -> list[str]:
    """What it has; or why there is none."""
    found = evidence.profile
    if found is None:
        return [f"no profile: {evidence.no_profile}"] if evidence.no_profile else []
    more = f" ({found.message})" if found.message else ""
    return [f"profile {short(found.digest)}: {amount(found.features, 'feature')} of {amount(found.rows, 'row')}{more}"]


def _interval(low: str, high: str) -> str:
    return f"{_brief(low)} … {_brief(high)}" if low or high else "-"


def _brief(value: str) -> str:
    """A number with five digits; any other text as it is."""
    try:
        return f"{float(value):.5g}"
    except ValueError:
        return value or "-"
