"""`mainspring` as a process of its own, without the second that it takes to start one: it is forked from one that has all
modules in memory already.

To whoever starts it, `command()` is a program like any other: it has the streams, the folder, the environment and the
signals that it was given, and ends with the exit code that it should (see `client.py`). What differs from a process that was
started anew: all modules are imported. What depends on that, or on variables that Python reads when it starts (`PYTHON…`),
starts `sys.executable -m mainspring`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
END_SECONDS_MAX = 30

_server: subprocess.Popen[str] | None = None
_folder: tempfile.TemporaryDirectory[str] | None = None


def command() -> list[str]:
    """What to start instead of `python -m mainspring`. The server starts with the first one."""
    global _server, _folder
    if _server is None:
        _folder = tempfile.TemporaryDirectory(prefix="mainspring-warm-")
        untraced = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
        _server = subprocess.Popen(
            [sys.executable, "-m", "tests.warm.server", f"{_folder.name}/socket"],
            cwd=ROOT, env=untraced, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert _server.stdout is not None
        assert _server.stdout.readline() == "ready\n"
    assert _folder is not None
    return [sys.executable, "-I", "-S", str(HERE / "client.py"), f"{_folder.name}/socket"]


def program(place: Path) -> None:
    """Write it to a place on a PATH."""
    quoted = " ".join(f'"{part}"' for part in command())
    place.write_text(f'#!/bin/sh\nexec {quoted} "$@"\n')
    place.chmod(0o755)


def stop() -> None:
    """The server ends in good order."""
    global _server, _folder
    if _server is not None and _folder is not None:
        _server.communicate(timeout=END_SECONDS_MAX)  # it ends where its stdin does
        _folder.cleanup()
        _server = _folder = None
