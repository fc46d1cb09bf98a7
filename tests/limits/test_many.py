"""Many instances for few places: never over, a free place used at once, none leaked."""

from __future__ import annotations

import pytest

from mainspring.limits.gate import Gate
from mainspring.limits.pool import Pool
from tests.limits.many import play


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_instances_for_ten_places(seed: int) -> None:
    done = play(1_000, 10, seed)
    assert min(done.values()) > 0 and done["ok"] > 400


def leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Pool.give_back
    monkeypatch.setattr(
        Pool,
        "give_back",
        lambda self, lease, ended, now: ended.outcome == "stopped" or original(self, lease, ended, now),
    )


def sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "_serve_roomier", lambda self, now: self._roomier.clear())


def over(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Pool.check
    monkeypatch.setattr(Pool, "check", lambda self, amount, now: original(self, amount - 1, now))


@pytest.mark.parametrize("defect", [leaks, sleeps, over])
def test_a_defect_is_found(defect: object, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)  # type: ignore[operator]
    with pytest.raises(AssertionError):
        play(300, 10, 0)
