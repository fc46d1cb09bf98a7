from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent


class Others:
    """Processes beside the test's own; none outlives it."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def start(self, script: str, *given: str) -> subprocess.Popen[str]:
        """Run a script of this folder. What it says can be read from its stdout."""
        command = [sys.executable, str(HERE / script), *given]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.PIPE, text=True
        )
        self.running.append(process)
        return process

    async def says(self, process: subprocess.Popen[str], word: str) -> str:
        """Wait for a line that begins with `word`."""
        assert process.stdout is not None
        heard: list[str] = []
        while line := await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 30):
            heard.append(line)
            if line.startswith(word):
                return line.strip()
        raise AssertionError(f"{process.args} ended without saying {word!r}: {''.join(heard)}")


@pytest.fixture
def others() -> Iterator[Others]:
    found = Others()
    yield found
    for process in found.running:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


@pytest.fixture
def now() -> Callable[[], int]:
    return lambda: time.time_ns() // 1_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, where we may make one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("only root can mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
