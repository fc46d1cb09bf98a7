"""The short form of `python -m tests.stores.differ`: the same graph gives the same on every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores import differ

pytestmark = pytest.mark.apart


async def test_the_same_on_every_store(tmp_path: Path) -> None:
    seeds = [seed for seed in range(60) if differ.drawn(seed) is not None]
    ran, found = await differ.differing(seeds, tmp_path)
    assert not found, "\n".join(found)
    assert ran == len(seeds) > 30


async def test_a_difference_is_noticed(tmp_path: Path, monkeypatch: object) -> None:
    """Were a store to lose a turn's last byte, or another engine's answer, this would say so."""
    told = {"memory": ("completed", 1, [], None, [(1, 2, b"a")]), "sqlite": ("completed", 1, [], None, [(1, 2, b"b")])}
    assert differ._apart(told["memory"][4], told["sqlite"][4]) == "(1, 2, b'a') / (1, 2, b'b')"
