"""N2: a script ends with its engine, even with one that is killed outright."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from scripts_kit import alive, run, until

from mainspring.messaging.task import TaskCall

PROGRAM = """
import mainspring as ms
from mainspring.definition.model import Node, Workflow
code = 'trap "" TERM HUP INT; sleep 61 & echo $! > pids; echo $$ >> pids; wait'
ms.run(Workflow(id="w", nodes=(Node(id="s", type="script", config={"runtime": "bash", "code": code}),)))
"""


async def test_kill_9_of_the_engine_takes_its_scripts_along(tmp_path: Path) -> None:
    engine = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path)  # noqa: ASYNC220
    pids = tmp_path / "pids"
    try:
        await until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    finally:
        engine.kill()
        engine.wait()
    for pid in pids.read_text().split():
        await until(lambda pid=pid: not alive(int(pid)))  # type: ignore[misc]


async def test_a_script_has_no_child_that_it_did_not_start(new_call: Callable[..., TaskCall]) -> None:
    """The shell that watches is nobody's child: a script that waits for all of its own does not wait for that."""
    code = """
import os
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    state.output = "none"
"""
    assert await run(new_call(), runtime="python", code=code) == "none"
    assert await run(new_call(), runtime="bash", code="cat; read -r line || echo '\"empty\"'") == "empty"


async def test_nothing_of_it_is_left_after_the_end(new_call: Callable[..., TaskCall]) -> None:
    group = await run(new_call(), runtime="bash", code="ps -o pgid= $$ || echo $$")
    end = time.monotonic() + 5
    while True:
        try:
            os.killpg(int(group), 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < end
