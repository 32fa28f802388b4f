"""Repairing: what is safe is put right, and told. Nothing is deleted that is needed, and no version is removed."""

from __future__ import annotations

import logging
import sqlite3

from attrs import evolve

from model_registry.errors import ModelRegistryError
from model_registry.operations.audit import Audit
from model_registry.operations.context import Context
from model_registry.operations.problems import Problem, problems
from model_registry.operations.validate import check_versions
from model_registry.progress import aside
from model_registry.records import Finding, RepairReport

logger = logging.getLogger("model_registry")


def repair(context: Context, *, dry_run: bool) -> RepairReport:
    """See ``ModelRegistry.repair``."""
    done: list[Finding] = []
    left: list[Finding] = []
    mended: set[str] = set()
    about: dict[Finding, str | None] = {}
    with context.progress.operation("repairing", bytes_total=lambda: context.catalog.stats().stored_bytes):
        audit = Audit(context.blobs, deep=True)
        for problem in problems(context, audit):
            failure = _fix(problem, dry_run=dry_run)
            if failure is None:
                done.append(problem.finding)
                mended.update([problem.sha256] if problem.sha256 else [])
                logger.info("%s %s", "would repair" if dry_run else "repaired", problem.finding)
            else:
                left.append(failure)
                about[failure] = problem.sha256
        with aside():  # all of it was read a moment ago
            checked = list(check_versions(context, audit if dry_run else Audit(context.blobs, deep=False), mended))
    told_of = {sha256 for version in checked for sha256 in version.damaged}
    left = [finding for finding in left if about[finding] not in told_of]
    left += [finding for version in checked for finding in version.findings if finding.severity != "info"]
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
