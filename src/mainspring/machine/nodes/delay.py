"""The delay node: waits a time, then passes its input through as its output."""

from __future__ import annotations

from typing import Any

from mainspring.definition.durations import parse_duration
from mainspring.definition.times import parse_time
from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine.instance import NodeState
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import names_of
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of

DELAY_MS_MAX = 10 * 366 * 86_400_000
"""The longest delay: ten years. Beyond it a number is taken for a mistake in the unit."""


def wait(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Work out how long, and wait for it. It ends at once where there is no wait at all, or none to be worked out."""
    what = "duration" if node.told is None else "time"
    try:
        due = turn.at + milliseconds(_told(turn, node)) if node.told is None else _until(turn, node)
    except (ExpressionError, ValueError) as error:
        return Fails("DelayError", f"the {what} is no {what}: {error}")
    if due <= turn.at:
        return Leaves(input_of(turn.scope, node))
    turn.emit(ev.NodeWaiting(turn.path(node), state.run, "timer", "", due))
    turn.ask(fx.ArmTimer(turn.path(node), state.run, state.attempt, fx.DELAY, due))
    return None


def _told(turn: Turn, node: PlanNode) -> Any:
    return node.duration(names_of(turn, node, "value" in node.duration.roots)) if node.duration is not None else 0


def _until(turn: Turn, node: PlanNode) -> int:
    value = node.told.time(names_of(turn, node, node.told.reads_value))
    due = parse_time(value)
    if due is None:
        raise ValueError(f"{value!r} is neither ISO 8601 nor UTC milliseconds")
    if due - turn.at > DELAY_MS_MAX:
        raise ValueError(f"{value!r} is more than {DELAY_MS_MAX} ms (DELAY_MS_MAX) from now")
    return due


def milliseconds(value: Any) -> int:
    """A duration as a file or an expression gives it. Raises ValueError."""
    duration = parse_duration(value)
    if duration is None or not 0 <= duration <= DELAY_MS_MAX:
        raise ValueError(f"{value!r} is not a time between 0 and {DELAY_MS_MAX} ms (DELAY_MS_MAX)")
    return duration
