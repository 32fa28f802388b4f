"""``model-registry alias``"""

from __future__ import annotations

import click

from model_registry.cli.lazy import LazyGroup

_NAMES = ("set", "list", "delete", "undo", "rollback")


@click.group("alias", cls=LazyGroup, modules={name: f"model_registry.cli.alias_{name}" for name in _NAMES})
def command() -> None:
    """Movable names for versions.

    What @ALIAS names is used wherever a version is asked for: «model-registry show NAME@ALIAS».
    """
