"""``model-registry config``"""

from __future__ import annotations

import click

from model_registry.cli.lazy import LazyGroup


@click.group(
    "config",
    cls=LazyGroup,
    modules={"show": "model_registry.cli.config_show", "check": "model_registry.cli.config_check"},
)
def command() -> None:
    """Look at the configuration."""
