"""What ``[plugins.pytorch]`` in ``registry.toml`` may say."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points

from attrs import field, frozen


@frozen
class PyTorchOptions:
    """Options of the plugin.

    :param trusted_modules: Packages or modules, such as ``"torchvision"``, whose classes and functions a stored model
        may name. Loading imports them when needed, and their ``__setstate__`` methods are called.
    """

    trusted_modules: list[str] = field(factory=list)

    def names(self, module: str) -> bool:
        """Whether a module is one of the trusted ones or lies inside one."""
        return any(module == name or module.startswith(f"{name}.") for name in self.trusted_modules)

    def trusts(self, module: str) -> bool:
        """The same, or some distribution vouches for the classes of the module: for these, and not for functions."""
        return self.names(module) or module in vouched_modules()


#: The group of entry points by which a distribution says that stored models may be made of the classes of a module.
GROUP = "model_registry.modules"


@functools.cache
def vouched_modules() -> frozenset[str]:
    """The modules that installed distributions vouch for."""
    return frozenset(point.value for point in entry_points(group=GROUP))
