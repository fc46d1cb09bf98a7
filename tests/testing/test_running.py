"""`mainspring.testing.run`: a workflow in virtual time, on the production engine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import mainspring as ms
from mainspring.testing import run
from mainspring.testing.virtual import BEGINNING, Stalled

DAY_MS = 86_400_000


def took(result: ms.InstanceResult) -> int:
    assert result.ended_at is not None
    return result.ended_at - result.started_at


CALLS: list[float] = []


async def late(ctx: ms.TaskContext) -> str:
    await asyncio.sleep(3600)
    CALLS.append(asyncio.get_running_loop().time())
    if ctx.attempt < 3:
        raise ConnectionError("not yet")
    return "done"


async def for_ever() -> None:
    await asyncio.Event().wait()


def blocks() -> int:
    time.sleep(0.05)
    return 1


async def in_a_thread() -> int:
    return await asyncio.to_thread(blocks)


async def fails() -> None:
    raise ValueError("no")


@pytest.mark.apart
def test_a_month_of_waiting_takes_no_time() -> None:
    CALLS.clear()
    workflow = ms.Workflow(
        "month",
        nodes=[
            ms.Node("wait", "delay", config={"duration": "30d"}),
            ms.Node(
                "late",
                "function",
                config={"handler": late},
                depends_on=["wait"],
                retry=ms.Retry(strategy="fixed", max_attempts=3, initial_delay="2h", max_delay="2h", jitter=0),
            ),
        ],
    )
    began = time.monotonic()
    result = run(workflow)
    assert time.monotonic() - began < 20
    assert result.status == "completed" and result.output == "done"
    assert result.started_at == BEGINNING
    assert took(result) == 30 * DAY_MS + 3 * 3_600_000 + 2 * 7_200_000
    assert len(CALLS) == 3


def test_a_timeout_is_virtual_too() -> None:
    node = ms.Node("stuck", "function", config={"handler": for_ever}, timeout="1h")
    result = run(ms.Workflow("stuck", nodes=[node]))
    assert result.status == "failed" and took(result) == 3_600_000
    assert "timeout" in result.errors["stuck"].type.lower()


def test_work_outside_of_the_loop_holds_the_time(tmp_path: Path) -> None:
    """A thread, a script and `asyncio.to_thread` are waited for: their timeouts do not fire while they work."""
    workflow = ms.Workflow(
        "outside",
        nodes=[
            ms.Node("thread", "function", config={"handler": blocks}, timeout="20s"),
            ms.Node("own", "function", config={"handler": in_a_thread}, timeout="20s", depends_on=["thread"]),
            ms.Node("sh", "script", config={"runtime": "sh", "code": "sleep 0.05; echo 3"}, timeout="20s",
                    depends_on=["own"]),
        ],
    )  # fmt: skip
    result = run(workflow)
    assert result.status == "completed", result.errors
    assert 100 <= took(result) < 20_000


def test_the_same_seed_gives_the_same_times_and_another_one_others() -> None:
    retry = ms.Retry(strategy="exponential", max_attempts=4, initial_delay="1s")
    workflow = ms.Workflow("w", nodes=[ms.Node("n", "function", config={"handler": fails}, retry=retry)])
    first, again, other = run(workflow, seed=1), run(workflow, seed=1), run(workflow, seed=2)
    assert (first.id, took(first)) == (again.id, took(again)) != (other.id, took(other))


def test_variables_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text('id: w\nnodes: [{id: n, type: log, input: {a: "${ variables.a + input.b }"}}]\n')
    assert run(tmp_path / "w.yaml", input={"b": 2}, variables={"a": 1}).output == {"a": 3}


def test_faulty_definitions_and_tasks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("id: w\nnodes: [{id: n, type: function, config: {code: 'x = )'}}]\n")
    with pytest.raises(ms.DefinitionError):
        run(tmp_path / "w.yaml")


def test_code_that_is_not_there_is_refused() -> None:
    """An engine would wait for it, and no time brings it."""
    node = ms.Node("lost", "function", config={"handler": "nowhere_at_all:lost"})
    with pytest.raises(ms.HandlerNotFound, match=r"lost: .*nowhere_at_all"):
        run(ms.Workflow("w", nodes=[node]), days_max=2)


def test_what_no_time_brings_is_said() -> None:
    node = ms.Node("stuck", "function", config={"handler": for_ever})
    with pytest.raises(Stalled, match="no time brings"):
        run(ms.Workflow("w", nodes=[node]), days_max=2)


@pytest.mark.apart
def test_half_a_year_passes_too(tmp_path: Path) -> None:
    """asyncio adds a nanosecond to its time to find what is due, which a float of so many seconds does not hold."""
    path = tmp_path / "long.yaml"
    path.write_text("nodes: [{id: d, type: delay, config: {duration: 200d}}]\nid: long\n")
    assert run(path).status == "completed"
