"""A picture of what compression costs: size against fidelity against latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from model_registry import CompressionReport, CompressionTrial

#: A loss that is less is drawn as this: the axis is logarithmic.
_LEAST_LOSS = 1e-7


def draw(report: CompressionReport, path: Path) -> None:
    """Draw it into a file, of the kind that its suffix says.

    What could not be measured is left out. Fidelity is the metric, where one was given, else the loss of the cosine.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    shown = [trial for trial in report.trials if trial.size_mb is not None and _fidelity(trial, report) is not None]
    sizes = [report.size_mb, *(trial.size_mb or 0.0 for trial in shown)]
    heights = [_own(report), *(_fidelity(trial, report) or 0.0 for trial in shown)]
    latencies = [report.latency_ms, *(trial.latency_ms for trial in shown)]
    known = [latency if latency is not None else float("nan") for latency in latencies]
    best = report.recommended
    widths = [0.6, *(2.5 if trial is best else 1.5 if trial.problem else 0.6 for trial in shown)]
    edges = ["black", *("tab:red" if trial.problem else "black" for trial in shown)]
    points = axes.scatter(
        sizes, heights, c=known, s=90, cmap="viridis_r", edgecolors=edges, linewidths=widths, plotnonfinite=True
    )
    names = ["as it is", *(f"{trial.type}{' (recommended)' if trial is best else ''}" for trial in shown)]
    _label(axes, names, sizes, heights)
    axes.set_title(f"{report.reference}, made smaller (what is refused in red)")
    axes.set_xlabel("megabytes")
    axes.margins(x=0.25, y=0.15)
    axes.grid(alpha=0.3)
    if report.metric is None:
        axes.set_yscale("log")
        axes.invert_yaxis()
        axes.set_ylabel("1 - cosine of the outputs (better is higher)")
    else:
        axes.set_ylabel("metric (better is higher)")
    if any(latency is not None for latency in latencies):
        figure.colorbar(points, label="milliseconds of a run (better is brighter)")
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _own(report: CompressionReport) -> float:
    return _LEAST_LOSS if report.metric is None else report.metric


def _fidelity(trial: CompressionTrial, report: CompressionReport) -> float | None:
    if report.metric is not None:
        return trial.metric
    return None if trial.cosine is None else max(1 - trial.cosine, _LEAST_LOSS)


def _label(axes: object, names: Sequence[str], sizes: Sequence[float], heights: Sequence[float]) -> None:
    for name, size, height in zip(names, sizes, heights, strict=True):
        axes.annotate(name, (size, height), xytext=(7, 5), textcoords="offset points", fontsize=8)  # type: ignore[attr-defined]
