"""The model card: what the files of a version say of it themselves."""

from __future__ import annotations

from model_registry import ModelEntry
from model_registry.errors import ModelRegistryError
from model_registry_server.web.markdown import MOST_CHARACTERS

_NAMES = ("readme.md", "model_card.md", "modelcard.md")


def card_of(entry: ModelEntry) -> str | None:
    """The Markdown of the card; None if there is none."""
    try:
        files = {file.path.lower(): file for file in entry.files}
        found = next((files[name] for name in _NAMES if name in files), None)
        if found is None:
            return None
        with entry.blob(found.sha256).open("rb") as file:
            return file.read(4 * MOST_CHARACTERS).decode("utf-8", "replace")
    except (ModelRegistryError, OSError):  # the page of a damaged version is still worth seeing; «verify» tells
        return None
