"""What ``[plugins.compression]`` in ``registry.toml`` may say."""

from __future__ import annotations

from attrs import field, frozen, validators


@frozen
class CompressionOptions:
    """Options of the plugin.

    :param effort: ``"fast"``; ``"balanced"``, which takes three times as long for floats of two bytes and makes them a
        tenth smaller; or ``"best"``, which does so for all floats.
    :param zstd_level: The level at which files that are no tensors are compressed, from 1 to 22.
    """

    effort: str = field(default="balanced", validator=validators.in_(("fast", "balanced", "best")))
    zstd_level: int = field(default=9, validator=[validators.ge(1), validators.le(22)])

    def groups(self, width: int) -> bool:
        """Whether floats of so many bytes are grouped."""
        return self.effort == "best" or (self.effort == "balanced" and width == 2)
