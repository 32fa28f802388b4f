"""Names of plugins in the configuration that belong to no installed plugin."""

from __future__ import annotations

from collections.abc import Sequence

from model_registry.config import Settings
from model_registry.config.mistakes import configuration_error, nearest


def check_plugin_settings(settings: Settings, installed: Sequence[str]) -> None:
    """:raises ConfigurationError: with every name that no installed plugin has: a typing error in ``disabled`` would
    leave enabled what the user wants off."""
    named = {*settings.plugin_order, *settings.disabled_plugins, *settings.plugin_tables}
    have = ", ".join(sorted(set(installed))) or "none"
    mistakes = [
        settings.origins.plugin(name).mistake(
            f"no installed plugin is called {name!r}; installed: {have}", suggestion=nearest(name, installed)
        )
        for name in sorted(named - set(installed))
    ]
    if mistakes:
        raise configuration_error(mistakes)
