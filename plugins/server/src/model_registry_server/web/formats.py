"""Numbers, sizes and times as people read them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from unicodedata import east_asian_width

from markupsafe import Markup

from model_registry.documents import plain

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MOST_CHARACTERS = 4000
_MOST_BRIEF = 300
#: What nobody sees, or what turns the text around it: told by its number, so that no text looks like another one.
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - set(map(ord, "\t\n\r"))
_TURNS = {0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_HIDDEN = {code: f"\\u{code:04x}" for code in _CONTROLS | _TURNS}


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


def common_decimals(values: Sequence[float]) -> int | None:
    """Digits behind the point that numbers of like size can share; None if they are too different for that."""
    if not all(isinstance(value, (int, float)) and (value == 0 or 1e-3 <= abs(value) < 1e5) for value in values):
        return None
    return max((len(number(value).partition(".")[2]) for value in values), default=0)


def aligned(value: Any, decimals: int | None) -> str:
    """A number with so many digits behind the point."""
    return number(value) if decimals is None else f"{value:,.{decimals}f}"


def change(value: float, before: float = 0) -> str:
    """How a number differs from another: ``+0.02``, ``=``; empty for integers that are larger than any float."""
    try:
        difference = float(value - before)
    except OverflowError:
        return ""
    if difference == 0:
        return "="
    size = abs(difference)
    return ("−" if difference < 0 else "+") + (f"{size:,.0f}" if 1000 <= size < 1e7 else f"{size:.3g}")


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


def seconds(value: float | timedelta | None) -> str:
    """How long something took: ``34 ms``, ``0.34 s``, ``2:05 min``, ``3:20 h``."""
    if value is None:
        return "–"
    took = max(0.0, value.total_seconds() if isinstance(value, timedelta) else value)
    if took < 0.0995:
        return f"{took * 1000:.0f} ms"
    if took < 99.5:
        return f"{took:.2f} s" if took < 9.995 else f"{took:.0f} s"
    minutes, rest = divmod(round(took), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


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
    return cut(text, _MOST_CHARACTERS + 1)


def brief(value: Mapping[str, Any]) -> str:
    """A document in one line; an input or output of a model as ``x: float32 [batch, 64]``."""
    if isinstance(value.get("name"), str) and isinstance(value.get("shape"), (list, tuple)):
        shape = ", ".join(map(str, value["shape"]))
        return cut(f"{value['name']}: {value.get('dtype', '')} [{shape}]", _MOST_BRIEF)
    return cut(json.dumps(plain(value), ensure_ascii=False), _MOST_BRIEF)


def cut(value: object, most: int) -> str:
    """The beginning of a text."""
    text = str(value)
    return (text if len(text) <= most else f"{text[: most - 1]}…").translate(_HIDDEN)


def fit(value: object, most: int) -> str:
    """Both ends of a text, as wide as so many letters; signs of East Asia are as wide as two."""
    text = str(value)
    if _width(text) <= most:
        return text
    begin = end = ""
    for number in range(len(text)):
        more = (begin + text[number // 2], end) if number % 2 == 0 else (begin, text[-(number // 2) - 1] + end)
        if _width("".join(more)) >= most:
            break
        begin, end = more
    return f"{begin}…{end}"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "size": size,
    "number": number,
    "short": short,
    "aligned": aligned,
    "change": change,
    "percent": percent,
    "seconds": seconds,
    "moment": moment,
    "day": day,
    "said": said,
    "brief": brief,
    "cut": cut,
    "fit": fit,
}
