"""The conformance kit: what every plugin, blob store and catalog must do, as pytest classes to subclass.

::

    from model_registry.testing import PluginConformance, Sample

    class TestNumpyPlugin(PluginConformance):
        plugin_name = "numpy"
        frameworks = ("numpy",)

        def samples(self):
            return [Sample("matrix", lambda folder: numpy.eye(3), equal=numpy.array_equal)]

Put it into a test module; pytest runs the checks. It needs pytest: ``pip install "model-registry-core[testing]"``.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(  # what a failed check compared is shown, as in a test of your own
    *(
        f"{__name__}.{module}"
        for module in (
            "blobs",
            "catalog_facts",
            "catalog_versions",
            "plugin_damage",
            "plugin_identity",
            "plugin_manners",
            "plugin_metadata",
            "plugin_round_trips",
        )
    )
)

from model_registry.testing.blobs import BlobStoreConformance  # noqa: E402  # after the rewriting was asked for
from model_registry.testing.catalog import CatalogConformance  # noqa: E402
from model_registry.testing.plugin import PluginConformance  # noqa: E402
from model_registry.testing.samples import RefusedFile, Sample  # noqa: E402

__all__ = ["BlobStoreConformance", "CatalogConformance", "PluginConformance", "RefusedFile", "Sample"]
