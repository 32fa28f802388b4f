"""Tables and pages for people, drawn by rich as is the bar of :mod:`model_registry.bars`; nothing is read as markup."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, OverflowMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from model_registry.cli.text import inert

#: Files and pipes have no edge at which to cut a line.
_ENDLESS = 10_000
_STYLES = {"error": "bold red", "failed": "bold red", "warning": "yellow", "ready": "green", "disabled": "dim"}
_STYLES |= {"added": "green", "removed": "red", **dict.fromkeys(("changed", "other shape", "other dtype"), "yellow")}


#: A line of a tree, and the lines that branch from it.
Branch = tuple[str, Sequence[Any]]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The command line has its own way to end quietly."""
        raise BrokenPipeError


class Screen:
    """Writes to stdout; in colour, and as wide as it is, only if that is a terminal."""

    def __init__(self) -> None:
        edge = sys.stdout.isatty() or "COLUMNS" in os.environ
        self._console = _Console(width=None if edge else _ENDLESS, highlight=False, markup=False, emoji=False)

    def title(self, text: str, subtitle: str = "") -> None:
        """What the page is about."""
        self._console.print(Text(inert(text), style="bold cyan"), soft_wrap=True)
        if subtitle:
            self._console.print(Text(inert(subtitle, lines=True)))

    def heading(self, text: str) -> None:
        """A part of the page."""
        self._console.print(Text(f"\n{inert(text)}", style="bold"))

    def line(self, text: str) -> None:
        """A sentence below a heading."""
        self._print_indented(Text(inert(text)))

    def facts(self, facts: Mapping[str, str]) -> None:
        """Name and value, one to a line."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in facts.items():
            grid.add_row(Text(inert(name), style="dim"), Text(inert(value, lines=True)))
        self._print_indented(grid)

    def tree(self, branches: Sequence[Branch]) -> None:
        """Branches below each other, each with its own."""
        for text, further in branches:
            self._print_indented(_grown(Tree(Text(inert(text)), guide_style="dim"), further))

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        numbers: Sequence[str] = (),
        cut: bool = False,
    ) -> None:
        """A table, whose last column gives way first where the terminal is narrow.

        :param numbers: Columns that are set to the right.
        :param cut: The last column loses its end then, instead of taking more lines.
        """
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", border_style="dim", pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(
                Text(column), justify="right" if column in numbers else "left", no_wrap=column != columns[-1]
            )
        for *cells, last in rows:
            table.add_row(*map(_cell, cells), _cell(last, whole=not cut))
        self._print_indented(table)

    def _print_indented(self, what: RenderableType) -> None:
        padded = Padding(what, (0, 0, 0, 2), expand=False)
        if self._console.is_terminal:
            return self._console.print(padded)
        with self._console.capture() as printed:
            self._console.print(padded)
        lines = (line.rstrip() for line in printed.get().split("\n"))
        self._console.file.write("\n".join(lines))  # columns are filled up with spaces, which files need not keep
        return None


def _grown(tree: Tree, branches: Sequence[Branch]) -> Tree:
    for text, further in branches:
        _grown(tree.add(Text(inert(text))), further)
    return tree


def _cell(value: str, *, whole: bool = False) -> Text:
    """:param whole: Break it into lines rather than cut it."""
    overflow: OverflowMethod = "fold" if whole else "ellipsis"
    return Text(inert(value), style=_STYLES.get(value, ""), no_wrap=not whole, overflow=overflow)
