"""What ``[plugins.pytorch]`` in ``registry.toml`` may say."""

from __future__ import annotations

from attrs import field, frozen


@frozen
class PyTorchOptions:
    """Options of the plugin.

    :param trusted_modules: Packages or modules, such as ``"torchvision"``, whose classes and functions a stored model
        may name. Loading imports them when needed, and their ``__setstate__`` methods are called.
    """

    trusted_modules: list[str] = field(factory=list)

    def trusts(self, module: str) -> bool:
        """Whether a module is one of the trusted ones or lies inside one."""
        return any(module == name or module.startswith(f"{name}.") for name in self.trusted_modules)
