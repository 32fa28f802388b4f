"""The configuration: what a registry is told by keyword, environment and ``registry.toml``, in that precedence.

Importing this costs no more than ``attrs``: ``tomli`` is imported when there is a file to read, ``cattrs`` when a
plugin has options to fill.
"""

from model_registry.config.mistakes import Mistake
from model_registry.config.options import structure_options
from model_registry.config.places import Origins, Place
from model_registry.config.settings import Settings, found_path, load_settings, read_settings, said_path

__all__ = [
    "Mistake",
    "Origins",
    "Place",
    "Settings",
    "found_path",
    "load_settings",
    "read_settings",
    "said_path",
    "structure_options",
]
