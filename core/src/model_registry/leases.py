"""Who is registering right now: the owner of a lease, and whether that process is still alive.

A lease protects what a registration has staged from garbage collection. Only liveness rests on this file; correctness
does not: a registration whose lease is gone cannot commit (see ``Catalog.commit``).
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path


def owner() -> str:
    """This process, as a lease records it: machine, process id, and the process's start time (ids are reused)."""
    return f"{_machine()}|{os.getpid()}|{_started(os.getpid())}"


def is_dead(lease_owner: str) -> bool:
    """True only if the owner ran on this machine and certainly runs no more; another machine's owner is never dead."""
    found, started = _starts(lease_owner)
    return found is not None and (not found or (found != started and "?" not in (found, started)))


def is_alive(lease_owner: str) -> bool:
    """True only if the owner certainly runs on this machine now: however long it takes, it is at work."""
    found, started = _starts(lease_owner)
    return bool(found) and found == started != "?"


def _starts(lease_owner: str) -> tuple[str | None, str]:
    """When the owner's process id started on this machine, and when the owner says it did; None for another machine."""
    machine, _, process = lease_owner.partition("|")
    pid, _, started = process.partition("|")
    if machine != _machine() or not (pid.isascii() and pid.isdigit()):
        return None, started
    return _started(int(pid)), started


@lru_cache(maxsize=1)
def _machine() -> str:
    # Host, boot and process-id namespace: two containers may share a folder and a host name.
    return f"{socket.gethostname()}/{_boot_id()}/{_pid_namespace()}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> str:
    """A process's start time in clock ticks since boot; "" if there is no such process, "?" where none can tell."""
    try:
        # The command name may hold spaces and parentheses; the fields after the last ")" are regular.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _started_unseen(pid)
    # A zombie has ended; its parent has not asked yet. With other threads (field 17 counts them), only its first has.
    return "" if fields[0] in "ZX" and int(fields[17]) <= 1 else fields[19]


def _started_unseen(pid: int) -> str:
    """Without ``/proc``, or where it hides the processes of other users."""
    try:
        os.kill(pid, 0)  # sends nothing; only asks whether the process exists
    except ProcessLookupError:
        return ""
    except OSError:
        pass  # it is another user's, so it exists
    return "?"
