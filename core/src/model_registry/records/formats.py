"""What plugins say of themselves: their formats, conversions and claims."""

from __future__ import annotations

from attrs import frozen


@frozen
class FormatSpec:
    """A format that a plugin owns.

    :param id: The format's string id.
    :param title: For people.
    :param save_options: Names of keyword arguments of ``register_model`` that are options of ``save``, not metadata.
    :param load_options: Names of keyword arguments of ``load_model`` that ``load`` understands.
    :param export_options: Names of keyword arguments of ``export_model`` that ``export`` understands.
    :param executes_code: Loading can execute code from the artifact, so the core demands permission first.
    :param suffixes: File suffixes that a user would give an export of this format, with the dot.
    :param storable: Versions can be stored in it; False for formats that are only export targets.
    :param open_options: ``load`` takes any other keyword too, and ``save`` gets what goes to ``extra``.
    """

    id: str
    title: str
    save_options: frozenset[str] = frozenset()
    load_options: frozenset[str] = frozenset()
    export_options: frozenset[str] = frozenset()
    executes_code: bool = False
    suffixes: tuple[str, ...] = ()
    storable: bool = True
    open_options: bool = False


@frozen
class Conversion:
    """An export that a plugin offers.

    :param lossless: The weights come back bit by bit, so nothing has to be run to know that the result is right.
    :param options: Names of keyword arguments of ``export_model`` that this conversion understands, beside those that
        its target format declares.
    :param impossible: Why it cannot be done, for one that users ask for and nobody can do well; it is only told.
    """

    source: str
    target: str
    lossless: bool
    options: frozenset[str] = frozenset()
    impossible: str = ""

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


@frozen
class Detection:
    """A plugin's claim that a model or file is of a format it owns.

    :param format: The format.
    :param rank: How specific the claim is; the highest wins, a tie of two formats is an error.
    :param model_type: What the model is for, if that can be seen.
    """

    format: str
    rank: int = 0
    model_type: str | None = None


@frozen
class PluginInfo:
    """An installed plugin, as ``registry.plugins()`` lists it.

    :param status: ``"ready"``, ``"disabled"`` or ``"failed"``.
    :param problem: Why it failed, in one line.
    """

    name: str
    distribution: str
    version: str
    status: str
    formats: tuple[str, ...] = ()
    problem: str = ""
