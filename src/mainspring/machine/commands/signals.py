"""A signal, an event or an approval comes from outside: who waits takes it, or it is kept, or dropped."""

from __future__ import annotations

from msgspec import Raw

from mainspring.machine import events as ev
from mainspring.machine import waves
from mainspring.machine.inputs import SignalArrived
from mainspring.machine.lifecycle import INSTANCE
from mainspring.machine.nodes import running, wait
from mainspring.machine.policies import failure
from mainspring.machine.signals import SIGNALS_KEPT_MAX, waiting_for
from mainspring.machine.turn import Refused, Turn


def arrived(turn: Turn, signal: SignalArrived) -> None:
    """The first that waits for it takes it, of an event all do. They end; what follows is decided for all at once."""
    if turn.instance.status not in INSTANCE["SignalKept"]:
        raise Refused(f"the instance is {turn.instance.status}: nothing waits there")
    taken = False
    for path in waiting_for(turn.instance, signal.kind, signal.name):
        taken = _taken(turn, path, signal) or taken
        if taken and signal.kind != "event":
            break
    if not taken:
        _keep(turn, signal)
        return
    waves.carry_on(turn)
    failure.settle(turn)


def _taken(turn: Turn, path: str, signal: SignalArrived) -> bool:
    """Whether the node took it. It has ended then (or falls back), and what follows is the next wave of its scope."""
    found = turn.turn_to(path)
    if found is None or found[1].status != "waiting" or not wait.accepts(found[0], signal.payload):
        return False  # what took the event before may have stopped it
    node, state = found
    turn.emit(ev.SignalTaken(path, state.run, signal.kind, signal.name, None, signal.by))
    if running.finish(turn, node, state, wait.leaves(node, signal.name, signal.payload)):
        turn.ended(turn.scope, [node])
    return True


def _keep(turn: Turn, signal: SignalArrived) -> None:
    reason = _why_not(turn, signal)
    if reason:
        turn.emit(ev.SignalDropped(signal.kind, signal.name, reason, signal.by))
    else:
        turn.emit(ev.SignalKept(signal.kind, signal.name, Raw(signal.payload), signal.by))


def _why_not(turn: Turn, signal: SignalArrived) -> str:
    """Why it is not kept ("": it is)."""
    names = turn.plan.keeps.get(signal.kind, frozenset[str]())
    if names is not None and signal.name not in names:
        return "nobody waits for it now, and nothing in the workflow has it kept"
    if len(turn.instance.kept) >= SIGNALS_KEPT_MAX:
        return f"{SIGNALS_KEPT_MAX} are kept already (signals_kept_max)"
    return ""
