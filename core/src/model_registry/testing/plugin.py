"""All checks of a plugin in one class."""

from __future__ import annotations

from model_registry.testing.plugin_damage import PluginDamage
from model_registry.testing.plugin_identity import PluginIdentity
from model_registry.testing.plugin_manners import PluginManners
from model_registry.testing.plugin_metadata import PluginMetadata
from model_registry.testing.plugin_round_trips import PluginRoundTrips


class PluginConformance(PluginIdentity, PluginRoundTrips, PluginMetadata, PluginDamage, PluginManners):
    """What a format plugin must do. Subclass it as ``Test…`` at the top of a test module, and say what it needs::

        class TestNumpyPlugin(PluginConformance):
            plugin_name = "numpy"                # the name of the entry point
            frameworks = ("numpy",)              # what importing the plugin must not import

            def samples(self):
                return [Sample("matrix", lambda folder: numpy.eye(3), equal=numpy.array_equal)]

            def refused_files(self):
                return [RefusedFile("pickle", make_hostile_file)]

    The plugin must be installed. Each check takes a registry of its own, in which no other plugin is enabled.
    """
