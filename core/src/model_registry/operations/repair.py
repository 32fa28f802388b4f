"""Repairing: what is safe is put right, and told. Nothing is deleted that is needed, and no version is removed."""

from __future__ import annotations

import logging
import sqlite3

from attrs import evolve

from model_registry.errors import ModelRegistryError
from model_registry.operations.context import Context
from model_registry.operations.problems import Problem, problems
from model_registry.operations.validate import validate
from model_registry.records import Finding, RepairReport

logger = logging.getLogger("model_registry")


def repair(context: Context, *, dry_run: bool) -> RepairReport:
    """See ``ModelRegistry.repair``."""
    done: list[Finding] = []
    left: list[Finding] = []
    for problem in problems(context):
        failure = _fix(problem, dry_run=dry_run)
        if failure is None:
            done.append(problem.finding)
            logger.info("%s %s", "would repair" if dry_run else "repaired", problem.finding)
        else:
            left.append(failure)
    if not dry_run:
        # The models themselves, last: what was read a moment ago is not read again.
        told_of: set[str] = set()
        more = validate(context, deep=False, told_of=told_of)["findings"]
        left = [finding for finding in left if finding.where.rpartition("/")[2] not in told_of]
        left += [finding for finding in more if finding.severity != "info"]
    return RepairReport(tuple(done), tuple(left))


def _fix(problem: Problem, *, dry_run: bool) -> Finding | None:
    """Put it right; the finding that is left if that cannot be."""
    if problem.fix is None:
        return problem.finding
    if dry_run:
        return None
    try:
        problem.fix()
    except (OSError, sqlite3.Error, ModelRegistryError) as error:
        return evolve(problem.finding, message=f"{problem.finding.message}; it could not be repaired: {error}")
    return None
