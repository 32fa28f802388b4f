"""Findings, as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from model_registry.cli.session import Session
from model_registry.records import Finding


def show_findings(session: Session, findings: Sequence[Finding]) -> None:
    """A table of them, if there are any."""
    if findings:
        rows = [(finding.severity, finding.code, finding.where, session.here(_said(finding))) for finding in findings]
        session.screen().table(("severity", "code", "where", "what"), rows)


def has_errors(findings: Sequence[Finding]) -> bool:
    """Whether one of them is an error."""
    return any(finding.severity == "error" for finding in findings)


def _said(finding: Finding) -> str:
    return f"{finding.message} — {finding.advice}" if finding.advice else finding.message
