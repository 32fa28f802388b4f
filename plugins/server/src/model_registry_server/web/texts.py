"""Every text of the pages, in English and Chinese.

``text`` gives those that templates name. ``word`` gives what a value of some group is called, such as a state of jobs;
it stands under ``group.value``, and a value without a name is told as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from model_registry_server.web.error_texts import ERRORS
from model_registry_server.web.page_texts import PAGES
from model_registry_server.web.value_texts import VALUES

_PLACES = {"en": 0, "zh": 1}


def text(key: str, language: str, /, **values: object) -> str:
    """A text.

    :raises KeyError: if there is none.
    """
    return TEXTS[key][_PLACES[language]].format_map(values) if values else TEXTS[key][_PLACES[language]]


def word(group: str, value: str, language: str) -> str:
    """What a value is called."""
    found = TEXTS.get(f"{group}.{value}")
    return value if found is None else found[_PLACES[language]]


TEXTS: Mapping[str, tuple[str, str]] = {**PAGES, **VALUES, **ERRORS}
