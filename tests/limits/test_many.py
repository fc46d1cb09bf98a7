"""Many instances for few places: never over, a free place used at once, none leaked."""

from __future__ import annotations

import pytest

from mainspring.engine.limits import Limits
from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Lane
from mainspring.limits.pool import Pool
from mainspring.limits.ways import OnePlace, PlacesAndOne
from tests.limits import many_engine
from tests.limits.many import play


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_instances_for_ten_places(seed: int) -> None:
    done = play(1_000, 10, seed)
    assert min(done.values()) > 0 and done["ok"] > 400


def leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stopped attempt held of a pool is lost."""

    def change(way: type[Lane]) -> None:
        original = way.give_back
        monkeypatch.setattr(
            way,
            "give_back",
            lambda self, lease, ended, now: ended.outcome == "stopped" or original(self, lease, ended, now),
        )

    change(OnePlace)
    change(PlacesAndOne)


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


@pytest.mark.apart
@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_instances_for_ten_places_through_the_engine(seed: int) -> None:
    """With processes that are killed, cancels and timeouts."""
    done = many_engine.play(1_000, 10, seed)
    assert done["most at once"] == 10
    assert done["completed"] > 500 and min(done.values()) > 0


def stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cancelled attempt holds is never given back."""
    release = Limits.release
    monkeypatch.setattr(Limits, "forget", lambda self, live: None)
    monkeypatch.setattr(
        Limits, "release", lambda self, live, over: over.outcome == "stopped" or release(self, live, over)
    )


@pytest.mark.parametrize("defect", [leaks, sleeps, over, stays])
def test_a_defect_is_found_through_the_engine(defect: object, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)  # type: ignore[operator]
    with pytest.raises(AssertionError):
        many_engine.play(300, 5, 0)
