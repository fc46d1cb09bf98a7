"""What a command's exit code says."""

from __future__ import annotations

COMPLETED = 0
FAILED = 1
USAGE = 2
PARTIAL = 3
CANCELLED = 4
WAITING = 5

_BY_STATUS = {
    "completed": COMPLETED,
    "failed": FAILED,
    "compensated": FAILED,
    "partial_success": PARTIAL,
    "cancelled": CANCELLED,
}


def of_status(status: str) -> int:
    """The exit code for an instance with this status; any that is not final is waiting."""
    return _BY_STATUS.get(status, WAITING)
