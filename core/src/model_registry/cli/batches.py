"""How a command tells what became of many versions, and what it exits with."""

from __future__ import annotations

from model_registry.cli.exit_codes import ExitCode, code_of
from model_registry.cli.failures import said
from model_registry.cli.session import Session
from model_registry.documents import Document, version_document
from model_registry.records import BatchReport


def batch_document(report: BatchReport) -> Document:
    """The report, for programs."""
    return {
        report.action: [version_document(entry) for entry in report.done],
        "skipped": [entry.reference for entry in report.skipped],
        "failed": [
            {
                "what": failure.what,
                "type": type(failure.error).__name__,
                "message": said(failure.error)[0],
                "hint": said(failure.error)[1],
            }
            for failure in report.failed
        ],
        "bytes": report.bytes,
        "seconds": report.seconds,
        "dry_run": report.dry_run,
    }


def show_batch(session: Session, report: BatchReport) -> None:
    """The report, for people: the versions one to a line if nothing was done to them yet, and each failure."""
    if report.dry_run:
        for entry in report.done:
            session.say(entry.reference)
    for failure in report.failed:
        message, hint = said(failure.error)
        session.complain(f"{failure.what}: {message}")
        if hint:
            session.advise(hint)
    session.say(report.summary)


def batch_code(report: BatchReport) -> ExitCode:
    """That of the first failure."""
    return code_of(report.failed[0].error) if report.failed else ExitCode.OK
