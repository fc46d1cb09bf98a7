"""What all kinds of node do that compute something from their own config."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.errors import ExpressionError
from mainspring.graph.plan import PlanNode
from mainspring.machine.names import Names
from mainspring.machine.turn import Turn
from mainspring.machine.values import input_of

TEXT_CHARACTERS_MAX = 16_384
"""The longest text that a node puts into the history as a message or a reason. What is beyond it is cut off."""

COMPUTING = (ExpressionError, msgspec.MsgspecError, UnicodeEncodeError, OverflowError, RecursionError)
"""What evaluating a template and encoding its value may raise."""


def names_of(turn: Turn, node: PlanNode, reads_value: bool) -> Names:
    """What all mappings see, and `value`: the node's own input, decoded only where somebody looks at it."""
    if not reads_value:
        return Names(turn.instance, turn.scope, node=node)
    return Names(turn.instance, turn.scope, node=node, value=msgspec.json.decode(input_of(turn.scope, node)))


def config_of(turn: Turn, node: PlanNode) -> bytes:
    """What a node of a custom kind is told, as JSON (empty for all others). Raises what is COMPUTING."""
    if node.config is None:
        return node.constant_config
    return msgspec.json.encode(node.config(names_of(turn, node, "value" in node.config.roots)))


def text_of(value: Any) -> str:
    """A value as text, as within a longer one: null is nothing, strings are bare, all else is JSON. Of bounded length."""
    text = "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= TEXT_CHARACTERS_MAX else f"{text[: TEXT_CHARACTERS_MAX - 1]}…"
