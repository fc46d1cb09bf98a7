"""Sagas against a model of a few lines: whatever ended well is undone once, the last first.

However the ends, the failures, the crashes and the pages fall.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.machine import events as ev
from mainspring.machine import inputs

from .harness import Run, graph

UNDO = {"compensationNodeId": "u"}
BODY = {"nodes": [{"id": "x", "type": "function", "compensationNodeId": "v"}, {"id": "v", "type": "function"}]}
LOOP = {"type": "forEach", "config": {"items": [1, 2, 3, 4], "concurrency": 2, "body": BODY}}
SIDES = {"type": "parallel", "config": {"branches": [BODY, BODY]}}
PLAN = graph(
    "s -> a -> e; s -> b -> e; s -> l; s -> p; l -> z; p -> z; e -> f; u",
    s=UNDO,
    a=UNDO,
    e={**UNDO, "join": {"kind": "each"}},
    f={"join": {"kind": "each"}},
    l=LOOP,
    p=SIDES,
)


class Driven:
    """A run that is driven by drawn numbers, and the ends of which are written down beside it."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.run = Run(PLAN)
        self.ended: list[tuple[str, int]] = []
        self.run.start()

    def running(self) -> list[str]:
        return [path for path, status in self.run.open_nodes.items() if status == "running"]

    def forward(self) -> None:
        """One task after another ends, well or badly, until nothing is left but to undo."""
        while self.run.status == "running":
            path = self.draw(st.sampled_from(sorted(self.running())))
            run = self.run.state(path).run
            if self.draw(st.integers(0, 9)) == 0 or path == "z":
                self.run.fail(path)
                continue
            self.run.finish(path, path)
            if path.partition(".")[2] == "x" or path in ("s", "a", "e"):
                self.ended.append((path, run))

    def backward(self) -> list[tuple[str, int]]:
        """What is undone, in its order; and what fails to be is returned."""
        left: list[tuple[str, int]] = []
        crashes = 0
        while self.run.status == "compensating":
            saga = self.run.instance.saga
            assert saga is not None
            if crashes < 1 and self.draw(st.integers(0, 4)) == 0:
                crashes += 1
                self.run.recover()
            elif not saga.doing:
                self.run.read_back(self.draw(st.integers(1, 4)))
            else:
                crashes = 0
                done = saga.current
                (path,) = self.running()
                if self.draw(st.integers(0, 5)) == 0:
                    left.append((done.path, done.run))
                    self.run.fail(path)
                else:
                    assert self.run.input_of(path) == done.path
                    self.run.finish(path)
        return left

    def of(self, kind: type[Any]) -> list[tuple[str, int]]:
        """The runs that events of a kind are about, in order."""
        return [(event.path, event.run) for event in self.run.events if isinstance(event, kind)]


@pytest.mark.apart
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_all_is_undone_once_and_the_last_first(data: st.DataObject) -> None:
    driven = Driven(data.draw)
    driven.forward()
    left = driven.backward()
    assert driven.run.status == "failed"
    assert driven.of(ev.NodeCompensating) == driven.ended[::-1]
    assert driven.of(ev.NodeCompensated) == [one for one in driven.ended[::-1] if one not in left]
    assert driven.of(ev.NodeCompensationFailed) == left
    saga = driven.run.instance.saga
    assert (saga is None) == (not driven.ended)
    rounds = 0
    while left and rounds < 3:  # by hand: those alone, in the same order
        rounds += 1
        before = len(driven.of(ev.NodeCompensating))
        driven.run.take(inputs.Compensate())
        again = driven.backward()
        assert driven.of(ev.NodeCompensating)[before:] == left
        left = again
    undone = driven.of(ev.NodeCompensated)
    assert len(set(undone)) == len(undone)
    assert set(undone) | set(left) == set(driven.ended)
