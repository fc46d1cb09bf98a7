"""N1: CPU-bound functions in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import mainspring as ms
from mainspring.definition.model import Node
from mainspring.errors import HandlerNotFound
from mainspring.messaging.task import TaskCall
from mainspring.tasks import TaskContext, task
from mainspring.tasks.fault import describe
from mainspring.tasks.function import FunctionKind
from mainspring.tasks.process import TaskProcessDied

NewCall = Callable[..., TaskCall]
HERE = os.path.dirname(__file__)


@dataclass
class Sample:
    values: list[float]
    at: datetime


def meeting(folder: str, me: str, other: str) -> int:
    """Goes on only when another call is at work at the very same time. It never gives the interpreter away."""
    Path(folder, me).touch()
    while not os.path.exists(os.path.join(folder, other)):
        pass
    return os.getpid()


def spin_until(ctx: TaskContext, path: str) -> bool:
    ctx.progress(1, "spinning")
    while not os.path.exists(path):
        pass
    return True


def mean(sample: Sample) -> Sample:
    return Sample([sum(sample.values) / len(sample.values)], sample.at)


def unstorable() -> Any:
    return object()


def gives_itself_up(ctx: TaskContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def says_who_and_spins(pid_file: str) -> None:
    Path(pid_file).write_text(str(os.getpid()))
    while True:
        pass


def has_children(pid_file: str) -> None:
    child = subprocess.Popen(["sleep", "60"])
    Path(pid_file).write_text(str(child.pid))
    child.wait()


@pytest.fixture
def kind() -> Iterator[FunctionKind]:
    made = FunctionKind(processes_max=2)
    yield made
    made.close()


def prepare(kind: FunctionKind, name: str) -> Any:
    config = {"handler": f"test_process:{name}", "process": True}
    return kind.prepare(Node(id="n", type="function", config=config), HERE)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        await asyncio.sleep(0.01)


async def test_two_calls_are_at_work_at_once(kind: FunctionKind, new_call: NewCall, tmp_path: Path) -> None:
    """N1: several cores are really used: each call waits, spinning, for the other."""
    calls = [new_call({"folder": str(tmp_path), "me": a, "other": b}) for a, b in (("x", "y"), ("y", "x"))]
    both = await asyncio.wait_for(asyncio.gather(*(prepare(kind, "meeting").invoke(call) for call in calls)), 20)
    pids = {msgspec.json.decode(output.value) for output in both}
    assert len(pids) == 2 and os.getpid() not in pids


async def test_the_loop_goes_on_meanwhile(kind: FunctionKind, new_call: NewCall, tmp_path: Path) -> None:
    """N1: the engine's loop is not blocked: the call ends only after what the loop does while it spins."""
    call = new_call({"path": str(tmp_path / "go")})
    running = asyncio.ensure_future(prepare(kind, "spin_until").invoke(call))
    await until(lambda: bool(call.report.__self__))  # type: ignore[attr-defined]
    for _ in range(1_000):
        await asyncio.sleep(0)
    (tmp_path / "go").touch()
    assert msgspec.json.decode((await running).value) is True


async def test_typed_arguments_and_results_cross_as_json(kind: FunctionKind, new_call: NewCall) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    output = await prepare(kind, "mean").invoke(new_call({"values": [1, 2], "at": at}))
    assert msgspec.json.decode(output.value) == {"values": [1.5], "at": "2026-01-02T00:00:00Z"}
    with pytest.raises(Exception) as raised:
        await prepare(kind, "mean").invoke(new_call({"values": ["1"], "at": at}))
    fault = describe(raised.value)
    assert (fault.type, fault.fatal) == ("InputMismatch", True)
    assert fault.message == "input.values[0]: expected float, got str"


async def test_what_cannot_be_stored_is_said_with_its_place(kind: FunctionKind, new_call: NewCall) -> None:
    with pytest.raises(Exception) as raised:
        await prepare(kind, "unstorable").invoke(new_call())
    fault = describe(raised.value)
    assert (fault.type, fault.fatal) == ("PayloadError", True) and "output: no encoding" in fault.message


async def test_a_killed_process_says_by_what(kind: FunctionKind, new_call: NewCall) -> None:
    with pytest.raises(TaskProcessDied, match="killed by SIGKILL") as raised:
        await prepare(kind, "gives_itself_up").invoke(new_call())
    assert describe(raised.value).code == -9


async def test_cancelling_kills_what_the_task_started_too(
    kind: FunctionKind, new_call: NewCall, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    running = asyncio.ensure_future(prepare(kind, "has_children").invoke(new_call({"pid_file": str(pid_file)})))
    await until(lambda: pid_file.exists() and bool(pid_file.read_text()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not alive(int(pid_file.read_text())))


async def test_the_pool_starts_lazily_keeps_its_workers_and_leaves_none(new_call: NewCall, tmp_path: Path) -> None:
    kind = FunctionKind(processes_max=2)
    pool = kind._processes
    prepared = prepare(kind, "meeting")
    assert not pool._idle and not pool._busy
    (tmp_path / "there").touch()
    pids = []
    for number in range(3):
        output = await prepared.invoke(new_call({"folder": str(tmp_path), "me": str(number), "other": "there"}))
        pids.append(msgspec.json.decode(output.value))
    assert len(set(pids)) == 1 and alive(pids[0])
    kind.close()
    await until(lambda: not alive(pids[0]))


async def test_a_worker_that_was_ended_from_outside_is_replaced(
    kind: FunctionKind, new_call: NewCall, tmp_path: Path
) -> None:
    (tmp_path / "there").touch()
    call = {"folder": str(tmp_path), "me": "me", "other": "there"}
    first = msgspec.json.decode((await prepare(kind, "meeting").invoke(new_call(call))).value)
    os.kill(first, signal.SIGKILL)  # and no waiting: it may be found dead, or die as it is handed the work
    second = msgspec.json.decode((await prepare(kind, "meeting").invoke(new_call(call))).value)
    assert second != first


def test_a_timeout_kills_the_process_and_the_next_node_has_another(tmp_path: Path) -> None:
    """N1: in a workflow: the timed out attempt's process is gone, the branch behind it goes on."""
    config = {"handler": "test_process:says_who_and_spins", "process": True}
    again = {"handler": "test_process:mean", "process": True}
    sample = {"values": [1, 3], "at": "2026-01-02T00:00:00Z"}
    wf = ms.Workflow(
        "timed",
        folder=HERE,
        nodes=[
            ms.Node("spin", "function", config=config, input={"pid_file": str(tmp_path / "pid")}, timeout="1500ms"),
            ms.Node("mean", "function", config=again, input=sample),
        ],
        connections=[ms.Connection("spin", "mean", trigger="fail")],
    )
    done = ms.run(wf)
    assert done.nodes["spin"].error is not None and done.nodes["spin"].error.type == "NodeTimeout"
    assert done.nodes["mean"].output["values"] == [2.0]
    pid = int((tmp_path / "pid").read_text())
    assert not alive(pid)


@task(name="closure-in-process", process=True)
def _named() -> None:
    """Found by its name and at the top of its module: it may run in a process."""


def test_lambdas_and_closures_are_refused(kind: FunctionKind) -> None:
    """N1: another process could not find them."""
    for handler in (lambda: 1, (lambda x: lambda: x)(1)):
        node = Node(id="n", type="function", config={"handler": handler, "process": True})
        with pytest.raises(HandlerNotFound, match="no lambda, no closure"):
            kind.prepare(node, HERE)
    kind.prepare(Node(id="n", type="function", config={"handler": "closure-in-process"}), HERE)


UNGUARDED = """
    import sys
    import mainspring as ms
    from crunching import crunch

    print("main file runs")
    wf = ms.Workflow(id="w", nodes=({node},))
    print(ms.run(wf, input={{"n": 3}}).output)
"""
CRUNCHING = """
    import os, pathlib, time
    import mainspring as ms

    @ms.task(process=True)
    def crunch(n: int) -> int:
        print("crunching")
        return n * n

    @ms.task(process=True)
    def stall(n: int) -> None:
        pathlib.Path("pid").write_text(str(os.getpid()))
        while True:
            pass
"""


def write_program(folder: Path, task_name: str) -> Path:
    (folder / "crunching.py").write_text(textwrap.dedent(CRUNCHING))
    program = textwrap.dedent(UNGUARDED).replace("ms.Workflow", "Workflow").replace("{{", "{").replace("}}", "}")
    node = f'Node(id="n", type="function", config={{"handler": "crunching:{task_name}"}})'
    program = program.replace("{node}", node).replace("import sys", "from mainspring.definition.model import *")
    file = folder / "program.py"
    file.write_text(program)
    return file


def test_a_program_without_a_guard_runs_once(tmp_path: Path) -> None:
    """N1: workers do not run the main file again, and what tasks print goes where the program prints."""
    done = subprocess.run(
        [sys.executable, str(write_program(tmp_path, "crunch"))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")) == ["", "9", "crunching", "main file runs"]


async def test_workers_end_with_an_engine_that_is_killed(tmp_path: Path) -> None:
    """N1: no orphans, even where nothing could be cleared up and the worker never looks up from its work."""
    program = str(write_program(tmp_path, "stall"))
    process = subprocess.Popen([sys.executable, program], cwd=tmp_path)  # noqa: ASYNC220
    pid_file = tmp_path / "pid"
    try:
        await until(lambda: pid_file.exists() and bool(pid_file.read_text()))
    finally:
        process.kill()
        process.wait()
    await until(lambda: not alive(int(pid_file.read_text())))
