"""What is looked at in a node's input before an attempt begins: its schema, and what its result is known by."""

from __future__ import annotations

import msgspec

from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.machine.events import ErrorRecord
from mainspring.machine.names import Names
from mainspring.machine.scope import NodeState
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of

_encode = msgspec.json.Encoder(order="sorted").encode


def read(turn: Turn, node: PlanNode, state: NodeState, config: bytes = b"") -> tuple[ErrorRecord | None, bytes]:
    """Why the attempt cannot begin (None: it can), and the node's cache key (empty: no result is looked for)."""
    if node.input_check is not None and not state.attempt:  # the input of further attempts is the same
        faults = node.input_check(input_of(turn.scope, node))
        if faults:
            return _error(node, state, "InputInvalid", "; ".join(faults)), b""
    if node.cache is None:
        return None, b""
    try:
        return None, key_of(turn, node, config)
    except (ExpressionError, msgspec.MsgspecError, UnicodeEncodeError, OverflowError) as error:
        return _error(node, state, "MappingError", f"the cache key failed: {error}"), b""


def _error(node: PlanNode, state: NodeState, type: str, message: str) -> ErrorRecord:
    return ErrorRecord(type, message, None, None, state.attempt, node.max_attempts, fatal=True)


def key_of(turn: Turn, node: PlanNode, config: bytes) -> bytes:
    """The node's cache key as JSON: what its template gives, or else its whole input (and its computed config).

    Empty where the template gives null: a path that leads nowhere must not make all inputs look the same.
    """
    if node.cache_key is None:
        key = _encode(msgspec.json.decode(input_of(turn.scope, node)))
        return key if node.config is None else b"[" + key + b"," + config + b"]"
    value = node.cache_key(Names(turn.instance, turn.scope, node=node))
    return b"" if value is None else _encode(value)
