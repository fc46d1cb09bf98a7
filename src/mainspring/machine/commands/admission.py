"""The answer of a shared resource to a node that asked to start (SEMANTICS 30)."""

from __future__ import annotations

from mainspring.machine import effects as fx
from mainspring.machine import waves
from mainspring.machine.inputs import AdmissionGranted, AdmissionRefused
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes import running
from mainspring.machine.turn import Turn


def granted(turn: Turn, answer: AdmissionGranted) -> None:
    """The node holds its slot and starts."""
    node = turn.plan.by_path.get(answer.path)
    state = None if node is None else turn.instance.nodes[node.index]
    if node is None or state is None or state.run != answer.run or state.status != "ready":
        turn.dropped = "stale"
    elif turn.instance.status not in STARTING:
        turn.ask(fx.ReleaseAdmission(node.path, state.run))  # resuming the instance asks again
        turn.dropped = f"the instance is {turn.instance.status}"
    elif running.begin(turn, node):
        waves.advance(turn, node)


def refused(turn: Turn, answer: AdmissionRefused) -> None:
    """The node cannot start, and waiting would not help: it fails with the reason that was given."""
    node = turn.plan.by_path.get(answer.path)
    state = None if node is None else turn.instance.nodes[node.index]
    if node is None or state is None or state.run != answer.run or state.status != "ready":
        turn.dropped = "stale"
        return
    figures = ", ".join(f"{name} {value:g}" for name, value in answer.figures.items())
    message = f"{answer.reason} ({figures})" if figures else answer.reason
    running.fail_with(turn, node, state, "AdmissionRefused", message)
    waves.advance(turn, node)
