# ruff: noqa: ASYNC240, E501
from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts_kit import alive, run

from mainspring.definition.model import Node
from mainspring.errors import DefinitionError, HandlerNotFound
from mainspring.messaging.task import TaskCall
from mainspring.tasks.child import Child
from mainspring.tasks.exchange import OutputTooLarge, ScriptFailed
from mainspring.tasks.fault import describe
from mainspring.tasks.script import ScriptKind

NewCall = Callable[..., TaskCall]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert os.listdir(temp) == []
    assert len(set(os.listdir("/proc/self/fd")) - before) <= 3  # the event loop's own


async def gone(pid: int) -> bool:
    for _ in range(50):
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("echo '{\"a\": 1}'", {"a": 1}),
        ("echo hello", "hello"),
        ("true", None),
        ("echo 5", 5),
        ('echo noise; echo "[1]" > "$MAINSPRING_OUTPUT"', [1]),
        ('cat "$MAINSPRING_INPUT"', {"rows": 3}),
        ('echo "$X $1"', "y z"),
        ("read x; echo end", "end"),
        ('echo "${SECRET:-none}"', "none"),
        ("echo '\"'$MAINSPRING_ATTEMPT'\"'", "1"),
    ],
)
async def test_bash_speaks_the_protocol(code: str, output: Any, new_call: NewCall, monkeypatch: Any) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    assert await run(new_call({"rows": 3}), runtime="Bash", code=code, env={"X": "y"}, args=["z"]) == output


async def test_python_has_state(new_call: NewCall) -> None:
    call = new_call({"rows": 3}, {"a": 1, "kept": True})
    code = (
        "import sys\nstate.progress(50, 'half')\nstate.variables['a'] = state.input['rows']\n"
        "state.variables['new'] = None\nstate.output = {'n': state.input['rows'] - 1}\nprint('noise')\nsys.exit(0)"
    )
    assert await run(call, runtime="PythonScript", code=code) == {"n": 2}
    assert call.variables_set == {"a": 3, "new": None}
    assert list(call.report.__self__) == [(50.0, "half")]  # type: ignore[attr-defined]


async def test_bash_sets_variables_by_rewriting_the_file(new_call: NewCall) -> None:
    call = new_call(None, {"a": 1, "b": 2})
    await run(call, runtime="bash", code='echo \'{"a": true, "b": 2, "c": 3}\' > "$MAINSPRING_VARIABLES"')
    assert call.variables_set == {"a": True, "c": 3}


async def test_the_fixtures_run(new_call: NewCall) -> None:
    folder = str(Path(__file__).resolve().parents[3] / "shared" / "fixtures")
    if not Path(folder).exists():
        pytest.skip("the fixtures do not lie beside this checkout")
    assert await run(new_call(), folder, runtime="bash", path="scripts/download.sh") == {
        "rows": 3,
        "file": "orders.csv",
    }
    call = new_call({"rows": 2, "status": "ok"}, {"cleaned": True})
    assert await run(call, folder, runtime="python", path="scripts/report.py") == {"text": "2 orders, cleaned: True"}
    assert list(call.report.__self__) == [(50.0, "half way")]  # type: ignore[attr-defined]


async def test_a_failure_says_why(new_call: NewCall) -> None:
    with pytest.raises(ScriptFailed) as raised:
        await run(new_call(), runtime="bash", code="echo first >&2; echo 'no such order' >&2; echo >&2; exit 3")
    fault = describe(raised.value)
    assert (fault.type, fault.message, fault.code, fault.stack) == (
        "ScriptFailed",
        "no such order",
        3,
        "first\nno such order",
    )


async def test_a_python_failure_shows_the_scripts_frames_only(new_call: NewCall) -> None:
    with pytest.raises(ScriptFailed) as raised:
        await run(new_call({}), runtime="python", code="def f():\n    return state.input['rows']\nf()")
    fault = describe(raised.value)
    assert fault.message == "KeyError: 'rows'" and fault.code == 1
    assert fault.stack and "script_runner" not in fault.stack and "line 3" in fault.stack


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("state.output = object()", "state.output cannot be stored"),
        ("state.output = float('nan')", "cannot be stored"),
        ("syntax error here", "SyntaxError"),
        ("import os, signal; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import sys; sys.exit('gave up')", "gave up"),
    ],
)
async def test_python_failures(code: str, said: str, new_call: NewCall) -> None:
    with pytest.raises(ScriptFailed, match=said):
        await run(new_call(), runtime="python", code=code)


async def test_output_is_capped_and_the_script_killed(new_call: NewCall) -> None:
    for code in ("yes", "yes >&2", 'yes | head -c 100000 > "$MAINSPRING_OUTPUT"'):
        with pytest.raises(OutputTooLarge, match="output_limit"):
            await run(new_call(), runtime="bash", code=code, output_limit=10_000)


async def test_memory_and_cpu_are_limited(new_call: NewCall) -> None:
    with pytest.raises(ScriptFailed, match="MemoryError"):
        await run(new_call(), runtime="python", code="x = bytearray(600_000_000)", memory="256MB")
    assert await run(new_call(), runtime="python", code="state.output = 1", memory="256MB") == 1
    with pytest.raises(ScriptFailed, match="SIGXCPU"):
        await run(new_call(), runtime="bash", code="while :; do :; done", cpu_seconds=1)


async def test_cancelling_kills_grandchildren_too(new_call: NewCall, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"trap '' TERM; sleep 60 & echo $! > {pids}; (trap '' TERM; sleep 60) & echo $! >> {pids}; sleep 0.01; kill -0 $$; wait"
    code = code.replace("trap '' TERM; sleep 60 &", "sleep 60 &", 1)
    running = asyncio.ensure_future(run(new_call(), runtime="bash", code=code))
    while not pids.exists() or len(pids.read_text().split()) < 2:
        await asyncio.sleep(0.01)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 2
    for pid in pids.read_text().split():
        assert await gone(int(pid))


async def test_what_ignores_sigterm_is_killed(new_call: NewCall, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("mainspring.tasks.child.STOP_GRACE_SECONDS", 0.1)
    pid_file = tmp_path / "pid"
    code = f"trap '' TERM; echo $$ > {pid_file}; while :; do sleep 0.01; done"
    running = asyncio.ensure_future(run(new_call(), runtime="bash", code=code))
    while not pid_file.exists() or not pid_file.read_text().strip():
        await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running, 0.01)
    assert await gone(int(pid_file.read_text()))


async def test_what_is_left_in_the_background_does_not_hold_the_node(new_call: NewCall, tmp_path: Path) -> None:
    began = time.monotonic()
    assert await run(new_call(), runtime="bash", code=f"sleep 60 & echo $! > {tmp_path}/pid; echo done") == "done"
    assert time.monotonic() - began < 2
    assert await gone(int((tmp_path / "pid").read_text()))


async def test_progress_arrives_while_it_runs(new_call: NewCall) -> None:
    call = new_call()
    reports = call.report.__self__  # type: ignore[attr-defined]
    code = 'echo "10 begun" >> "$MAINSPRING_PROGRESS"; sleep 0.5; printf \'%s\\n\' half \'{"percent": 150}\' "20%" >> "$MAINSPRING_PROGRESS"'
    running = asyncio.ensure_future(run(call, runtime="bash", code=code))
    while not reports:
        await asyncio.sleep(0.01)
    assert not running.done()
    await running
    assert list(reports) == [(10.0, "begun"), (10.0, "half"), (100.0, ""), (20.0, "")]


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        ({"runtime": "bash", "path": "absent.sh"}, HandlerNotFound, "absent.sh"),
        ({"runtime": "powershell", "code": "1", "env": {"PATH": "/nowhere"}}, HandlerNotFound, "pwsh or powershell"),
        ({"runtime": "csharp", "code": "1", "env": {"PATH": "/nowhere"}}, HandlerNotFound, "dotnet"),
        ({"runtime": "cobol", "code": "1"}, DefinitionError, "unknown runtime"),
        ({"runtime": "bash"}, DefinitionError, "`path` or `code`"),
        ({"runtime": "bash", "code": "1", "memory": "much"}, DefinitionError, "256MB"),
    ],
)
def test_what_cannot_run_is_refused_at_prepare(config: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        ScriptKind().prepare(Node(id="s", type="script", config=config), "/tmp")


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 21])
async def test_one_that_is_cancelled_while_it_starts_leaves_nothing(
    new_call: NewCall, tmp_path: Path, steps: int
) -> None:
    """It is a process before asyncio says so. Its children held the pipes that asyncio waits for, and nobody killed them."""
    mark = tmp_path / f"sleeper{steps}"
    mark.symlink_to("/bin/sleep")
    running = asyncio.ensure_future(run(new_call(), runtime="bash", code=f"{mark} 60 & {mark} 60 & wait"))
    for _ in range(steps):
        await asyncio.sleep(0)
    began = time.monotonic()
    if steps:
        time.sleep(0.05)  # the script gets on, and the event loop does not  # noqa: ASYNC251
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 10
    while any(str(mark) in one for one in _commands()):
        assert time.monotonic() - began < 20
        await asyncio.sleep(0.01)


async def test_one_that_is_cancelled_while_it_starts_is_waited_for(tmp_path: Path) -> None:
    """Its process is killed then. Were its end not taken note of, it would outlive the event loop as a zombie."""
    child = Child(1_000)
    running = asyncio.ensure_future(child.run(["sleep", "60"], str(tmp_path), os.environ, lambda: None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert child.exit_code == -signal.SIGKILL


def _commands() -> list[str]:
    """The command lines of all processes."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
