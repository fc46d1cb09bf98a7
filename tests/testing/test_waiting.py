"""Signals, events, approvals and children in virtual time; and the examples that have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring.errors import HandlerNotFound, InputInvalid
from mainspring.graph.check import loads
from mainspring.testing import run
from mainspring.testing.virtual import Stalled

EXAMPLES = Path(__file__).parents[2] / "examples"
DAY = 86_400_000
DESK = {"article": "desk", "amount": 900}


def purchase(*approvals: tuple[float, str, bool], amount: float = 900) -> Any:
    return run(EXAMPLES / "approval" / "purchase.yaml", input={**DESK, "amount": amount}, approvals=approvals)


def test_what_is_small_needs_nobody() -> None:
    result = purchase(amount=300)
    assert result.output == {"ordered": "desk", "by": "nobody, it is small"}
    assert result.nodes["manager"].status == "skipped"


@pytest.mark.parametrize(
    ("approvals", "ends", "days"),
    [
        ([(DAY, "manager", True)], "order", 1),
        ([(2 * DAY, "manager", False)], "refuse", 2),
        ([(4 * DAY, "director", True)], "order", 4),
        ([(1, "director", False)], "refuse", 3),
    ],
)
def test_a_purchase(approvals: list[tuple[float, str, bool]], ends: str, days: int) -> None:
    """The last one comes before the director waits for it, and is kept."""
    result = purchase(*approvals)
    assert result.status == "completed"
    assert result.nodes[ends].status == "completed"
    assert result.ended_at is not None
    assert (result.ended_at - result.started_at) // DAY == days


def test_nobody_decides() -> None:
    result = purchase()
    assert (result.status, result.errors["director"].type) == ("failed", "NodeTimeout")
    with pytest.raises(InputInvalid):
        run(EXAMPLES / "approval" / "purchase.yaml", input={})


def test_an_order_whose_bill_nobody_pays_is_held() -> None:
    result = run(EXAMPLES / "subflow" / "order.yaml", input={"customer": "Ada", "amount": 30})
    assert result.status == "completed"
    assert result.nodes["hold"].output == {"held": "the child failed: not paid within 14 days"}
    assert result.errors["bill"].type == "ChildFailed"
    assert result.ended_at is not None and result.ended_at - result.started_at >= 14 * DAY


def test_what_becomes_of_the_parcel() -> None:
    flow = loads("id: w\nnodes: [{id: w, type: wait, config: {signal: [delivered, returned]}}]")
    result = run(flow, signals=[(DAY, "returned", {"reason": "broken"}), (2 * DAY, "delivered", None)])
    assert result.output == {"name": "returned", "payload": {"reason": "broken"}}
    assert result.nodes["w"].port == "returned"


def test_events_reach_children_too() -> None:
    text = """
        id: twice
        nodes:
          - {id: tick, type: wait, config: {event: tick}}
          - {id: again, type: subflow, config: {workflow: self}, input: {n: 1}}
        connections:
          - {source: tick, target: again, condition: "input.n == null"}
        output: "${ nodes.tick.output }"
        """
    result = run(loads(text), events=[(DAY, "tick", 1), (2 * DAY, "tick", 2)])
    assert (result.output, result.nodes["again"].output) == (1, 2)


def test_who_waits_for_nothing_that_comes() -> None:
    with pytest.raises(Stalled):
        run(loads("id: w\nnodes: [{id: w, type: wait, config: {signal: go}}]"), days_max=3)


def test_the_code_of_children_is_looked_for_first(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("id: p\nnodes: [{id: s, type: subflow, config: {workflow: kid}}]\n")
    (tmp_path / "kid.yaml").write_text('id: kid\nnodes: [{id: f, type: function, config: {handler: "nowhere:f"}}]\n')
    with pytest.raises(HandlerNotFound):
        run(tmp_path / "p.yaml")
