"""The geometry of small pictures; templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

from attrs import frozen


@frozen
class Point:
    """A point of a plot.

    :param value: What it stands for.
    :param label: Of what.
    """

    x: float
    y: float
    value: float
    label: str


@frozen
class Plot:
    """A line.

    :param path: Coordinates for ``polyline``.
    :param ticks: (y, value) of the lines of the grid.
    """

    points: tuple[Point, ...]
    path: str
    ticks: tuple[tuple[float, float], ...]
    width: int
    height: int


def plot(values: Sequence[tuple[str, float]], width: int, height: int, left: int = 0, pad: int = 4) -> Plot:
    """A line through finite values, of which each has a label.

    :param left: Room for an axis; without it there is none.
    """
    usable = [(label, float(value)) for label, value in values if _can_be_drawn(value)]
    if not usable:
        return Plot((), "", (), width, height)
    low, high = min(value for _, value in usable), max(value for _, value in usable)
    if low == high:
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    marks = round_values(low, high)
    if left:  # an axis with numbers takes round ones; a small picture is better filled
        low, high = min(low, marks[0]), max(high, marks[-1])
    step = (width - left - 2 * pad) / max(1, len(usable) - 1)

    def y(value: float) -> float:
        return round(height - pad - (value - low) / (high - low) * (height - 2 * pad), 1)

    points = tuple(
        Point(
            round(left + pad + (place * step if len(usable) > 1 else (width - left - 2 * pad) / 2), 1), y(v), v, label
        )
        for place, (label, v) in enumerate(usable)
    )
    line = " ".join(f"{p.x},{p.y}" for p in points)
    return Plot(points, line, tuple((y(mark), mark) for mark in marks), width, height)


def round_values(low: float, high: float) -> list[float]:
    """About four round values that enclose a range, or share it out if no round ones can."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-290 else 0.0
    step = next((power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough), 0.0)
    if not step or step < 1e-9 * max(abs(low), abs(high)):  # as fine as the numbers themselves
        return sorted({low + rough * part for part in range(5)})
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12 - math.floor(math.log10(step))) for place in range(first, last + 1)]


@frozen
class Measure:
    """A metric of a version, and its bar.

    :param value: None if the version does not tell it.
    :param start: Where the bar begins, and ``length``: both as shares of the room (0 to 1).
    :param zero: Where zero is, if some version's value is below it: bars go to either side of it. Else None.
    """

    value: float | None
    start: float
    length: float
    zero: float | None


def measures(values: Sequence[float | None]) -> list[Measure]:
    """Values of one metric with bars that are as long as they are far from zero, all on one scale."""
    drawn = [value for value in values if _can_be_drawn(value)]
    low, high = min([0.0, *drawn]), max([0.0, *drawn])
    width = high - low or 1.0
    zero = -low / width

    def measure(value: float | None) -> Measure:
        length = value / width if _can_be_drawn(value) else 0.0
        return Measure(value, zero + min(length, 0.0), abs(length), zero if low < 0 else None)

    return [measure(value) for value in values]


def _can_be_drawn(value: float | None) -> TypeGuard[float]:
    return value is not None and abs(value) < 1e300  # compared as it is: an integer may be too large for a float


@frozen
class Tile:
    """A rectangle of a treemap."""

    label: str
    value: float
    x: float
    y: float
    width: float
    height: float


def treemap(values: Sequence[tuple[str, float]], width: float, height: float) -> tuple[Tile, ...]:
    """Rectangles whose areas are as the values, halved again and again so that none becomes a thread.

    :param values: The largest first. What would be smaller than a few dots is left out.
    """
    tiles: list[Tile] = []
    total = sum(value for _, value in values)
    visible = [pair for pair in values if pair[1] * width * height > 9 * total]
    todo = [(visible, 0.0, 0.0, width, height)]
    while todo:
        pairs, x, y, w, h = todo.pop()
        if len(pairs) == 1:
            tiles.append(Tile(pairs[0][0], pairs[0][1], round(x, 1), round(y, 1), round(w, 1), round(h, 1)))
        if len(pairs) < 2:
            continue
        split, share = _half(pairs)
        first, second = pairs[:split], pairs[split:]
        if w >= h:
            todo += [(second, x + w * share, y, w * (1 - share), h), (first, x, y, w * share, h)]
        else:
            todo += [(second, x, y + h * share, w, h * (1 - share)), (first, x, y, w, h * share)]
    return tuple(tiles)


def _half(pairs: Sequence[tuple[str, float]]) -> tuple[int, float]:
    """Where to cut so that both sides weigh nearly the same, and the share of the first."""
    total = sum(value for _, value in pairs)
    weight, split = pairs[0][1], 1
    while split < len(pairs) - 1 and weight + pairs[split][1] <= total / 2:
        weight += pairs[split][1]
        split += 1
    return split, weight / total
