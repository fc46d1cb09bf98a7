"""Is the process that holds the lease still there? The operating system knows: it drops a file lock when a process ends.

A lease alone makes the next owner wait until it expires. The owner therefore also holds an advisory lock on a file beside
the store; whoever gets that lock knows that the owner is gone, however it went, and may take over at once. The lock proves
death, never life: a process that is stopped keeps it, and then the lease's expiry decides.
"""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: the lease's expiry decides alone
    fcntl = None  # type: ignore[assignment]


class OwnerLock:
    """The lock file beside a store."""

    def __init__(self, path: str) -> None:
        self._path = Path(f"{path}-owner")
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether we hold it."""
        return self._file is not None

    def take(self) -> bool:
        """True where we hold it now, and so nobody who held it before lives."""
        if fcntl is None:
            return False
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:  # a full disk, a folder that we may not write to: the lease's expiry decides alone
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def give_back(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files of the same name."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
