"""The wait node: for a signal, an event or an approval, by name. It holds nothing while it waits."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.expression import truthy
from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.instance import NodeState
from mainspring.machine.names import mapping_fault
from mainspring.machine.nodes.deadline import deadline
from mainspring.machine.nodes.outcome import Fails, Leaves, Outcome
from mainspring.machine.nodes.own_config import COMPUTING, names_of, text_of
from mainspring.machine.turn import Turn

NAME_CHARACTERS_MAX = 200
"""The longest name that a signal may have."""


def begin(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Take what was kept, the oldest first; or wait."""
    told = node.told
    try:
        scope = names_of(turn, node, told.reads_value)
        names = tuple(_name(template(scope)) for template in told.names)
    except (ValueError, *COMPUTING) as error:
        return Fails("MappingError", mapping_fault(f"the name of the {told.kind}", error))
    path = turn.path(node)
    for place, one in enumerate(turn.instance.kept):
        if one.kind == told.kind and one.name in names and accepts(node, one.payload):
            turn.emit(ev.SignalTaken(path, state.run, one.kind, one.name, place, one.by))
            return leaves(node, one.name, one.payload)
    turn.emit(ev.NodeWaiting(path, state.run, told.kind, ", ".join(names), deadline(turn, node, state), names))
    return None


def _name(value: Any) -> str:
    name = text_of(value)
    if not name or len(name) > NAME_CHARACTERS_MAX:
        raise ValueError(f"it has {len(name)} characters, and a name has 1 to {NAME_CHARACTERS_MAX}")
    return name


def accepts(node: PlanNode, payload: bytes) -> bool:
    """Whether what came is what the wait was told to take."""
    if node.told.kind == "approval" and not payload.lstrip().startswith(b"{"):
        return False
    return node.told.check is None or not node.told.check(payload)


def leaves(node: PlanNode, name: str, payload: bytes) -> Leaves:
    """The payload is the output; with several names each is a port, and with an approval there are two."""
    told = node.told
    ports: tuple[str, ...] = (name,) if told.listed else ()
    if told.kind == "approval":
        ports = ("approved" if truthy(msgspec.json.decode(payload).get("approved")) else "rejected",)
    if told.listed:
        payload = b'{"name":' + msgspec.json.encode(name) + b',"payload":' + payload + b"}"
    return Leaves(payload, ports)
