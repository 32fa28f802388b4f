"""The curves: one picture for each thing that grows, on logarithmic axes, so that one that bends upward is seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

Curve = Mapping[int, float]


def plot(path: Path, title: str, grows: str, curves: Mapping[str, Curve], *, linear: bool = False) -> None:
    """Draw milliseconds against what grows.

    :param linear: Also draw a cost that grows just as much, for comparison.
    """
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in curves.items():
        axes.plot(list(curve), [value * 1e3 for value in curve.values()], marker="o", label=name)
    if linear:
        first = next(iter(curves.values()))
        last = max(first)
        axes.plot(
            list(first), [first[last] * 1e3 * size / last for size in first], ":", color="gray", label="in proportion"
        )
    axes.set(xscale="log", yscale="log", xlabel=grows, ylabel="ms", title=title)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
