"""What ``[plugins.onnx]`` in ``registry.toml`` may say."""

from __future__ import annotations

from attrs import frozen


@frozen
class OnnxOptions:
    """Options of the plugin.

    :param strip_paths: Take paths of the exporting machine out of models before they are stored, unless the call says
        otherwise. Such a model is not kept byte for byte.
    """

    strip_paths: bool = False
