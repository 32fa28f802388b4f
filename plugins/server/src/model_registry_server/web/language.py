"""The language that a reader wants: as chosen on the page, else as the browser says."""

from __future__ import annotations

from fastapi import Request

LANGUAGES = ("en", "zh")
COOKIE = "language"


def language_of(request: Request) -> str:
    """``"en"`` or ``"zh"``."""
    chosen = request.cookies.get(COOKIE)
    return chosen if chosen in LANGUAGES else accepted(request.headers.get("accept-language", ""))


def accepted(header: str) -> str:
    """The language of ``Accept-Language`` that the reader prefers, of those that there are."""
    ranked = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, quality = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES and (weight := _weight(quality)) > 0:
            ranked.append((-weight, place, language))
    return min(ranked)[2] if ranked else LANGUAGES[0]


def _weight(quality: str) -> float:
    try:
        return float(quality.strip().removeprefix("q=")) if quality.strip() else 1.0
    except ValueError:
        return 0.0
