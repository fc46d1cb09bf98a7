"""What all tests of the commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import TASKS, WORKFLOWS, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    made.write("jobs.py", TASKS)
    for name, text in WORKFLOWS.items():
        made.write(f"{name}.yaml", text)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.kill()
        process.communicate()
