"""The table: its rows, and where it is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[1]


@frozen
class Row:
    """One line: what was measured, the figure, and the target that it has to reach; none for what is only told."""

    what: str
    figure: str
    target: str = ""
    reached: bool | None = None

    @property
    def verdict(self) -> str:
        """How it ended, in a word."""
        return {None: "", True: "✓", False: "short"}[self.reached]


def ratio(what: str, figure: float, most: float, more: str = "") -> Row:
    """A row of a ratio that may be so great at most."""
    return Row(what, f"{figure:.2f}{f' ({more})' if more else ''}", f"≤ {most:g}", figure <= most)


def share(what: str, figure: float, least: float) -> Row:
    """A row of a ratio that must be so great at least."""
    return Row(what, f"{figure:.2f}", f"≥ {least:g}", figure >= least)


def milliseconds(what: str, seconds: float, most: float | None = None) -> Row:
    """A row of a time that may be so many milliseconds at most."""
    figure = f"{seconds * 1e3:.3g} ms"
    return Row(what, figure) if most is None else Row(what, figure, f"≤ {most:g} ms", seconds * 1e3 <= most)


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table."""
    lines = ["| what | figure | target | |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {row.what} | {row.figure} | {row.target} | {row.verdict} |" for row in rows)])


def write(subjects: dict[str, list[Row]]) -> None:
    """Write ``docs/benchmarks.md``, and the rows that have a target into the README."""
    path = ROOT / "docs" / "benchmarks.md"
    head = path.read_text(encoding="utf-8").partition("\n## ")[0].rstrip()
    head = re.sub(r"on \d+ cores", f"on {os.cpu_count()} cores", head)
    parts = [f"## {title}\n\n{markdown(rows)}" for title, rows in subjects.items()]
    path.write_text("\n\n".join([head, *parts]) + "\n", encoding="utf-8")
    readme = ROOT / "README.md"
    table = markdown(row for rows in subjects.values() for row in rows if row.target)
    marked = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)
    text = marked.sub(lambda found: f"{found[1]}{table}\n{found[2]}", readme.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")
