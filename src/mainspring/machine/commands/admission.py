"""The answer of a shared resource to a node that asked to start (SEMANTICS 30)."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.machine import effects as fx
from mainspring.machine import waves
from mainspring.machine.inputs import AdmissionGranted, AdmissionRefused
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes import running
from mainspring.machine.scope import NodeState
from mainspring.machine.turn import Turn


def granted(turn: Turn, answer: AdmissionGranted) -> None:
    """The node holds its slot and starts."""
    found = _asking(turn, answer)
    if found is None:
        return
    node, state = found
    if turn.instance.status not in STARTING:
        turn.ask(fx.ReleaseAdmission(turn.path(node), state.run))  # resuming the instance asks again
        turn.dropped = f"the instance is {turn.instance.status}"
    elif running.begin(turn, node):
        waves.advance(turn, node)


def refused(turn: Turn, answer: AdmissionRefused) -> None:
    """The node cannot start, and waiting would not help: it fails with the reason that was given."""
    found = _asking(turn, answer)
    if found is None:
        return
    node, state = found
    figures = ", ".join(f"{name} {value:g}" for name, value in answer.figures.items())
    message = f"{answer.reason} ({figures})" if figures else answer.reason
    running.fail_with(turn, node, state, "AdmissionRefused", message)
    waves.advance(turn, node)


def _asking(turn: Turn, answer: AdmissionGranted | AdmissionRefused) -> tuple[PlanNode, NodeState] | None:
    found = turn.turn_to(answer.path)
    if found is None or found[1].run != answer.run or found[1].status != "ready":
        turn.dropped = "stale"
        return None
    return found
