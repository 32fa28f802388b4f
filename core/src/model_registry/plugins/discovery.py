"""Which plugins are installed, and which of them may be loaded. Nothing is imported here."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from model_registry.config import Settings
from model_registry.hookspecs import GROUP

CORE_DISTRIBUTION = "model-registry-core"

_SEPARATORS = re.compile(r"[-_.]+")


@frozen
class Candidate:
    """An entry point of our group, with the distribution it belongs to.

    :param problem: Why it must not be loaded, in one line; empty if it may.
    """

    name: str
    distribution: str
    version: str
    entry_point: Any
    disabled: bool = False
    problem: str = ""


def candidates(settings: Settings) -> list[Candidate]:
    """Every installed plugin, in the order that the configuration gives, the others by name."""
    from importlib_metadata import entry_points  # slow to import, and many commands need no plugin

    by_name: defaultdict[str, list[Any]] = defaultdict(list)
    for entry_point in entry_points(group=GROUP):
        by_name[entry_point.name].append(entry_point)
    order = {name: position for position, name in enumerate(settings.plugin_order)}
    names = sorted(by_name, key=lambda name: (order.get(name, len(order)), name))
    return [_candidate(entry_point, by_name, settings) for name in names for entry_point in by_name[name]]


def _candidate(entry_point: Any, by_name: Mapping[str, list[Any]], settings: Settings) -> Candidate:
    distribution = entry_point.dist
    owners = sorted({f"{other.dist.name} {other.dist.version}" for other in by_name[entry_point.name]})
    problem = ""
    if len(by_name[entry_point.name]) > 1:
        problem = f"two distributions claim the plugin name {entry_point.name!r}: {' and '.join(owners)}; uninstall one"
    return Candidate(
        name=entry_point.name,
        distribution=distribution.name,
        version=distribution.version,
        entry_point=entry_point,
        disabled=entry_point.name in settings.disabled_plugins,
        problem=problem or _needs_newer_core(distribution),
    )


def _needs_newer_core(distribution: Any) -> str:
    """Whether the distribution asks for another core than this one (installers check that, ``--no-deps`` does not)."""
    asked = [
        text for text in distribution.requires or () if _SEPARATORS.sub("-", text).lower().startswith(CORE_DISTRIBUTION)
    ]
    if not asked:
        return ""
    from importlib_metadata import version
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    installed = version(CORE_DISTRIBUTION)
    for text in asked:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            return f"its requirement {text!r} cannot be read"
        specifier, marker = requirement.specifier, requirement.marker
        if canonicalize_name(requirement.name) != CORE_DISTRIBUTION or (marker and not marker.evaluate({"extra": ""})):
            continue  # another distribution, or not asked for here
        if not specifier.contains(installed, prereleases=True):
            return f"it needs {CORE_DISTRIBUTION} {specifier}, installed is {installed}; upgrade one of them"
    return ""
