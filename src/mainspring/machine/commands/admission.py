"""The answer of a shared resource to a node that asked to start (SEMANTICS 30)."""

from __future__ import annotations

from mainspring.graph.plan import PlanNode
from mainspring.limits.limit import Refusal
from mainspring.machine import waves
from mainspring.machine.inputs import AdmissionGranted, AdmissionRefused
from mainspring.machine.leases import given_back
from mainspring.machine.lifecycle import STARTING
from mainspring.machine.nodes import running, single
from mainspring.machine.policies import failure
from mainspring.machine.scope import NodeState
from mainspring.machine.turn import Turn


def granted(turn: Turn, answer: AdmissionGranted) -> None:
    """The node holds its slot and starts."""
    found = _asking(turn, answer)
    if found is None:
        return
    node, state = found
    if state.status == "waiting":
        _lock_granted(turn, node, state)
    elif turn.instance.status not in STARTING:
        # What made it stand still has given this back. To do it again could hit what is asked for, and had, by its going on.
        turn.dropped = f"the instance is {turn.instance.status}"
    elif running.must_ask(turn, node, state):
        turn.dropped = "given back meanwhile"  # by a standstill that is over: it has asked again, and waits
    else:
        waves.follow(turn, node, running.begin(turn, node))


def refused(turn: Turn, answer: AdmissionRefused) -> None:
    """The node cannot start, and waiting would not help: it fails with the reason that was given."""
    found = _asking(turn, answer)
    if found is None:
        return
    node, state = found
    if turn.instance.status not in STARTING:
        turn.dropped = f"the instance is {turn.instance.status}"  # resuming the instance asks again
        return
    refusal = Refusal(answer.reason, answer.figures, answer.until, answer.error, answer.state)
    waves.follow(turn, node, running.refused(turn, node, state, refusal))


def _asking(turn: Turn, answer: AdmissionGranted | AdmissionRefused) -> tuple[PlanNode, NodeState] | None:
    found = turn.turn_to(answer.path)
    if found is None or found[1].run != answer.run or not _asks(*found):
        turn.dropped = "stale"
        return None
    return found


def _asks(node: PlanNode, state: NodeState) -> bool:
    """Whether the node waits for a slot, or for its lock."""
    return state.status == "ready" or (state.status == "waiting" and state.waits_for.startswith(single.LOCK))


def _lock_granted(turn: Turn, node: PlanNode, state: NodeState) -> None:
    """A mutex has its lock: its body begins."""
    if turn.instance.status not in STARTING:
        turn.ask(given_back(turn, node, state, "unused"))
        turn.dropped = f"the instance is {turn.instance.status}"
        return
    single.locked(turn, node)
    waves.carry_on(turn)
    failure.settle(turn)
