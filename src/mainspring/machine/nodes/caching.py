"""What a node's result is known by, where it may be used again: decided before the attempt begins, like its input."""

from __future__ import annotations

import msgspec

from mainspring.graph.plan import PlanNode
from mainspring.machine.instance import Instance
from mainspring.machine.values import Scope, input_of

_encode = msgspec.json.Encoder(order="sorted").encode


def key_of(instance: Instance, node: PlanNode) -> bytes:
    """The node's cache key as JSON: what its template gives, or else its whole input.

    Empty where the template gives null: a path that leads nowhere must not make all inputs look the same.
    """
    if node.cache_key is None:
        return _encode(msgspec.json.decode(input_of(instance, node)))
    value = node.cache_key(Scope(instance))
    return b"" if value is None else _encode(value)
