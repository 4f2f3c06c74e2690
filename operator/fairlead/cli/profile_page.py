"""A profile as one page of HTML that needs nothing else: pictures are SVG within it. All names are a tenant's, and are
escaped, as is what would make a browser show something else than is there."""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.cli.histogram import heights, shown
from fairlead.cli.show_profile import cut, words
from fairlead.cli.text import amount, count
from fairlead.monitor.profile import BINS, Category, Number, Profile, Scores
from fairlead.worker import html
from fairlead.worker.html import table, text

_CELLS, _WIDE, _HIGH = 64, 320.0, 96.0


def page(profile: Profile, title: str) -> str:
    """The whole page."""
    return "".join(_parts(profile, title))


def _parts(profile: Profile, title: str) -> Iterator[str]:
    yield html.opening(title)
    yield f"<p>{text(profile.task)}; {amount(len(profile.features), 'feature')} of {amount(profile.rows, 'row')}"
    yield f"; answers to {count(profile.held_out)} held-out rows" if profile.held_out else ""
    yield f". <small>Digest {profile.digest}</small></p><h2>Features</h2><div class=grid>"
    yield from map(_figure, profile.features)
    yield "</div>"
    if profile.prediction is not None:
        yield f"<h2>Answers</h2><div class=grid>{_figure(profile.prediction)}"
        yield _calibration(profile.scores, profile.positive) if profile.scores else ""
        yield "</div>"
    yield table("Quality on the held-out rows", [[name, f"{v:.5g}"] for name, v in sorted(profile.quality.items())])
    yield table("Slices", [[f"{one.by}={value}", count(n)] for one in profile.slices
                            for value, n in zip(one.values, one.counts, strict=True)])  # fmt: skip
    yield table("Correlations", [[one.a, one.b, f"{one.r:+.3f}"] for one in profile.pairs])
    yield html.END


def _figure(feature: Number | Category) -> str:
    gaps = [f"{count(n)} {what}" for what, n in _gaps(feature) if n]
    told = "; ".join([words(feature), *gaps])
    caption = f"<figcaption><b>{text(cut(feature.name, 80))}</b><br><small>{text(told)}</small></figcaption>"
    return f"<figure>{caption}{_bars(feature)}</figure>"


def _gaps(feature: Number | Category) -> list[tuple[str, int]]:
    found = [("missing", feature.missing), ("of another type", feature.wrong)]
    return [*found, ("not finite", feature.unusable)] if isinstance(feature, Number) else found


def _bars(feature: Number | Category) -> str:
    found = heights(feature, _CELLS)
    top, width = max(found, default=0.0) or 1.0, _WIDE / max(1, len(found))
    bars = "".join(
        f"<rect x='{at * width:.2f}' y='{_HIGH - _HIGH * n / top:.2f}' width='{width * 0.9:.2f}' "
        f"height='{_HIGH * n / top:.2f}'><title>{text(_cell(feature, at))}: {n:.0f}</title></rect>"
        for at, n in enumerate(found) if n
    )  # fmt: skip
    return f"<svg viewBox='0 0 {_WIDE:g} {_HIGH:g}' preserveAspectRatio=none role=img>{bars}</svg>"


def _cell(feature: Number | Category, at: int) -> str:
    if isinstance(feature, Category):
        return feature.values[at]
    if len(feature.counts) < BINS:
        return f"{[feature.low, *feature.edges][at]:.5g}"
    low, high = shown(feature)
    return f"{low + (high - low) * (at + 0.5) / _CELLS:.5g}"


def _calibration(scores: Scores, positive: str) -> str:
    """How often scores were right, against the line on which they would always be so."""
    bounds = [0.0, *scores.edges, 1.0]
    found = [
        ((a + b) / 2, k / n) for a, b, n, k in zip(bounds, bounds[1:], scores.counts, scores.right, strict=False) if n
    ]
    path = " L".join(f"{x * _WIDE:.2f} {_HIGH - y * _HIGH:.2f}" for x, y in found)
    line = f"<path class=even d='M0 {_HIGH:g} L{_WIDE:g} 0'/>" + (f"<path d='M{path}'/>" if path else "")
    told = f"share that is {positive}" if positive else "share that is right"
    return (
        f"<figure><figcaption><b>Scores</b><br><small>{text(told)}, by score; dashed: as the score says</small>"
        f"</figcaption><svg viewBox='0 0 {_WIDE:g} {_HIGH:g}' preserveAspectRatio=none role=img>{line}</svg></figure>"
    )
