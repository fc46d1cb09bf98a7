"""The judge of the kill tests sees what it is there for: each promise, planted as broken in the side file, is told."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import mainspring as ms
from mainspring.stores.memory import MemoryStore
from tests.kill import work
from tests.kill.judge import Judge
from tests.kill.victim import go_through


@pytest.fixture
async def worked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Judge, MemoryStore]]:
    """Two instances that nobody killed."""
    side, store = tmp_path / "side", MemoryStore()
    file = os.open(side, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    monkeypatch.setattr(work, "side_file", file)
    judge = Judge(side, work.storm(2))
    async with ms.Engine(store) as engine:
        await go_through(engine, range(2), 2)
        await judge.look(store)
        yield judge, store
    os.close(file)


async def test_a_run_without_kills_is_kept(worked: tuple[Judge, MemoryStore]) -> None:
    judge, store = worked
    assert await judge.end(store) == 0
    assert judge.violations == []
    assert len(judge.executions) == 2 * work.TASKS
    assert judge.ledger.taken == {("storm:0", "go"): 1, ("storm:1", "go"): 1}
    assert not judge.ledger.in_flight
    assert judge.ledger.open == 0


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["X storm:0/s0/1 2"], "completed, and ran again"),
        (["X storm:0/s0/1 1"], "one attempt ran twice"),
        (["X storm:0/nowhere/1 1"], "ran before its start was durable"),
        (["S storm:7"], "acknowledged starts are lost"),
        (["E storm:0 failed"], "acknowledged ends are lost"),
    ],
)
async def test_what_is_planted_is_told(worked: tuple[Judge, MemoryStore], lines: list[str], told: str) -> None:
    judge, store = worked
    for line in lines:
        work.tell(line)
    await judge.end(store)
    assert any(told in violation for violation in judge.violations), judge.violations


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (lambda judge: judge.load.ids.append("storm:2"), "lost"),
        (lambda judge: judge.ledger.ended.pop("storm:1"), "stuck"),
        (lambda judge: judge.ledger.taken.clear(), "signals not taken once"),
        (lambda judge: judge.ledger.ended.update({"storm:1": ("completed", b"0")}), "not as without kills"),
        (lambda judge: judge.executions.clear(), "completed without having run"),
        (lambda judge: judge.ledger.ended.update({"storm:1": ("failed", b"0")}), "records that differ"),
    ],
)
async def test_what_is_missing_is_told(
    worked: tuple[Judge, MemoryStore], plant: Callable[[Judge], object], told: str
) -> None:
    judge, store = worked
    plant(judge)
    await judge.end(store)
    assert any(told in violation for violation in judge.violations), judge.violations
