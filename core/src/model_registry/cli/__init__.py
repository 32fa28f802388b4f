"""The command line, ``model-registry``. One file a command, imported when it is called."""

from __future__ import annotations

from model_registry.cli.root import root

__all__ = ["main", "root"]


def main() -> None:
    """Run the command that ``sys.argv`` asks for, and exit with one of :mod:`model_registry.cli.exit_codes`."""
    root()
