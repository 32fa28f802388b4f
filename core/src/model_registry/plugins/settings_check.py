"""Names of plugins in the configuration that belong to no installed plugin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_registry.config import Place, Settings
from model_registry.config.mistakes import configuration_error, nearest


def check_plugin_settings(settings: Settings, installed: Sequence[str]) -> None:
    """:raises ConfigurationError: with every name that no installed plugin has: a typing error in ``disabled`` would
    leave enabled what the user wants off."""
    have = ", ".join(sorted(set(installed))) or "none"
    mistakes = [
        place.mistake(f"no installed plugin is called {name!r}; installed: {have}", suggestion=nearest(name, installed))
        for name, place in _named(settings)
        if name not in installed
    ]
    if mistakes:
        raise configuration_error(mistakes)


def _named(settings: Settings) -> Iterator[tuple[str, Place]]:
    """Every plugin that the configuration names, with the place where it does."""
    for setting in ("plugin_order", "disabled_plugins"):
        for position, name in enumerate(getattr(settings, setting)):
            yield name, settings.origins.place(setting, position)
    for name in settings.plugin_tables:
        yield name, settings.origins.plugin(name)
