"""Save what the console showed as a picture that loads nothing: no remote font, no script, no link."""

from __future__ import annotations

import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI

FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def save(console: Console, path: Path, title: str) -> None:
    """Write the recorded console to ``path`` as SVG."""
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=_format_without_hosts(), unique_id="demo")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg, encoding="utf-8")


def _format_without_hosts() -> str:
    """Rich's own frame, less the fonts that it would fetch and the comment with an address."""
    without_fonts = re.sub(r"\s*@font-face \{\{.*?\n    \}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    without_comment = re.sub(r"\s*<!--.*?-->", "", without_fonts, flags=re.DOTALL)
    return without_comment.replace("Fira Code, monospace", FONTS)
