"""What ``export``, ``convert`` and ``compress`` have in common: the plan, the gate, and the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from model_registry.cli.session import Session
from model_registry.records import Conversion, ModelEntry

_OPTIONS = (
    click.option("--plan", is_flag=True, help="Only tell the steps; change nothing."),
    click.option("--no-check", "check", is_flag=True, flag_value=False, default=True, help="Do not run and compare."),
    click.option("--allow-mismatch", is_flag=True, help="Keep also what computes something else."),
    click.option("--tolerance", type=float, metavar="X", help="The greatest relative difference (default: by type)."),
)


def GATE(command: Callable[..., Any]) -> Callable[..., Any]:  # noqa: N802  # used like the other groups of options
    """The options of a conversion that is checked."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def show_plan(session: Session, entry: ModelEntry, steps: Sequence[Conversion]) -> None:
    """The steps, one a line."""
    if session.json:
        documents = [{"from": step.source, "to": step.target, "lossless": step.lossless} for step in steps]
        return session.emit({"version": entry.reference, "steps": documents})
    if not steps:
        return session.say(f"{entry.reference} is {entry.metadata.format} already: its files would be copied")
    for number, step in enumerate(steps, start=1):
        kind = "bit by bit" if step.lossless else "compared by running both"
        session.say(f"{number}. {step} ({kind})")
    return None


def show_parity(session: Session, told: Mapping[str, Any]) -> None:
    """How well the result agrees with its source, an output a line."""
    if not told["checked"]:
        return session.say(f"not compared: {told['reason']}")
    for output in told["outputs"]:
        verdict = "agrees" if output["passed"] else "does NOT agree"
        worst = f"greatest difference {float(output['max_abs']):.2e} of {float(output['allowed']):.2e} allowed"
        session.say(f"{output['name']} {verdict}: {worst}, {_likeness(output)}")
    return _say_runs(session, told)


def show_loss(session: Session, told: Mapping[str, Any]) -> None:
    """How much the result differs from its source, which it may, an output a line."""
    if not told["checked"]:
        return session.say(f"not compared: {told['reason']}")
    for output in told["outputs"]:
        session.say(f"{output['name']}: {_likeness(output)}, greatest difference {float(output['max_abs']):.2e}")
    return _say_runs(session, told)


def _likeness(output: Mapping[str, Any]) -> str:
    argmax = "" if output["argmax"] is None else f", same greatest score in {output['argmax']:.1%}"
    return f"cosine {float(output['cosine']):.6f}{argmax}"


def _say_runs(session: Session, told: Mapping[str, Any]) -> None:
    sizes = ", ".join(" × ".join(f"{name} {size}" for name, size in run.items()) or "as it is" for run in told["runs"])
    session.say(f"run {len(told['runs'])} times: {sizes}")
