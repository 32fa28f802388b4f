"""How the demo looks: numbered steps, claims with a tick, tables, drawn digits."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from torch.nn.functional import avg_pool2d

WIDTH = 100
SHADES = " ░▒▓█"


class Story:
    """Tells the demo on a console, and ends it at the first claim that is false."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps = 0

    def title(self, text: str, subtitle: str) -> None:
        self.console.print(Panel(Text(subtitle), title=f"[bold]{text}[/bold]", title_align="left", border_style="cyan"))

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """One headed step; says how long it took."""
        self._steps += 1
        self.console.print()
        self.console.rule(f"[bold cyan]{self._steps}[/bold cyan]  [bold]{text}[/bold]", align="left", style="cyan")
        started = time.perf_counter()
        yield
        self.console.print(f"[dim]{time.perf_counter() - started:.1f} s[/dim]", justify="right")

    def say(self, text: str) -> None:
        self.console.print(f"  {text}", highlight=False)

    def claim(self, text: str, holds: bool) -> None:
        """Tick off what was promised, or end the demo with exit code 1."""
        if not holds:
            self.console.print(f"  [bold red]✗ this should be true, and is not:[/bold red] {text}", highlight=False)
            sys.exit(1)
        self.console.print(f"  [green]✓[/green] {text}", highlight=False)

    def message(self, error: BaseException | str, title: str) -> None:
        """What the registry said, word for word."""
        self.console.print(Panel(Text(str(error)), title=title, title_align="left", border_style="yellow"))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
        """A table; the columns in ``numbers`` are set to the right."""
        table = Table(header_style="bold", border_style="dim")
        for column in columns:
            table.add_column(column, justify="right" if column in numbers else "left")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Name and value, one to a line."""
        table = Table.grid(padding=(0, 2))
        for name, value in facts:
            table.add_row(Text(f"  {name}", style="dim"), Text(value))
        self.console.print(table)

    def digits(self, images: torch.Tensor, captions: Sequence[str]) -> None:
        """Draw images ``[n, 1, 28, 28]`` beside each other, each with its caption."""
        panels = [
            Panel(Text(_draw(image)), subtitle=caption, expand=False, border_style="dim")
            for image, caption in zip(images, captions, strict=True)
        ]
        self.console.print(Columns(panels))


def _draw(image: torch.Tensor) -> str:
    """An image ``[1, 28, 28]`` in characters, which are twice as high as wide."""
    rows = avg_pool2d(image, (2, 1)).squeeze(0).clamp(0, 1).mul(len(SHADES) - 1).round().int().tolist()
    return "\n".join("".join(SHADES[shade] for shade in row) for row in rows)


def console(*, record: bool) -> Console:
    """A console for people; as wide as the picture when it is recorded or piped."""
    wide = record or not sys.stdout.isatty()
    return Console(record=record, width=WIDTH if wide else None, highlight=False)
