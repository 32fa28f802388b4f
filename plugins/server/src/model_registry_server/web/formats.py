"""Numbers, sizes and times as people read them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from markupsafe import Markup

from model_registry.documents import plain

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MOST_CHARACTERS = 4000


def size(value: float | None) -> str:
    """Bytes, in powers of 1000: ``1.63 MB``."""
    if value is None:
        return "–"
    amount, unit = float(value), 0
    while abs(amount) >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.3g} {_UNITS[unit]}"


def number(value: Any) -> str:
    """A number in at most five digits, or grouped by thousands."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1e5 and abs(value) < 1e15 else f"{value:.5g}"


def short(value: float | None) -> str:
    """A count as ``407 k``."""
    if value is None:
        return "–"
    amount, units = float(value), ["", " k", " M", " G", " T"]
    while abs(amount) >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.3g}{units[0]}"


def percent(value: float | None) -> str:
    """A share: ``25.3%``."""
    return "–" if value is None else f"{value:.1%}"


def moment(value: datetime | str | None) -> Markup | str:
    """A time, in UTC; a script shows it in the reader's own zone."""
    if value is None:
        return "–"
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    at = at.astimezone(timezone.utc)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M} UTC")


def day(value: datetime | None) -> Markup | str:
    """The day of a time."""
    if value is None:
        return "–"
    at = value.astimezone(timezone.utc)
    return Markup('<time data-day datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d}")


def said(value: Any) -> str:
    """Any value of the metadata, in few words."""
    value = plain(value)
    if value is None:
        return "–"
    if isinstance(value, (bool, int, float)):
        return "true" if value is True else "false" if value is False else number(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def cut(value: object, most: int) -> str:
    """The beginning of a text."""
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "size": size,
    "number": number,
    "short": short,
    "percent": percent,
    "moment": moment,
    "day": day,
    "said": said,
    "cut": cut,
}
