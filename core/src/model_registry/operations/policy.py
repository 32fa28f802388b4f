"""Whether code from an artifact may run. The core decides, never a plugin, and never the artifact."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from model_registry.errors import PermissionRequiredError
from model_registry.names import name_key


def code_allowed(
    name: str, trusted_models: Sequence[str], *, allow_code: bool = False, weights_only: bool | None = None
) -> bool:
    """Whether the user permitted that loading or registering this model runs code from it.

    ``allow_code=True`` in the call, or the model's name in ``trusted_models``, is a permission;
    ``weights_only=True`` takes it back; ``weights_only=False`` asks for it and needs the configuration as well.

    :raises PermissionRequiredError: for ``weights_only=False`` without the configuration's word.
    """
    trusted = any(fnmatchcase(name_key(name), pattern.lower()) for pattern in trusted_models)
    if weights_only is False and not trusted:
        raise PermissionRequiredError(
            f"weights_only=False lets {name!r} execute code, and the configuration does not trust it",
            hint=f"leave weights_only out, or add {name!r} to trusted_models in [registry] of registry.toml",
            model=name,
        )
    return weights_only is not True and (allow_code or trusted)


def refusal(name: str, action: str) -> PermissionRequiredError:
    """What to raise when code would run and nobody allowed it."""
    return PermissionRequiredError(
        f"{action} can execute code that is stored with model {name!r}",
        hint=f"if you trust it, pass allow_code=True, or add {name!r} to trusted_models in [registry] of registry.toml",
        model=name,
    )
