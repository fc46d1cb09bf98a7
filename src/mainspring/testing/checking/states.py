"""A state of the machine as a few bytes: equal where nothing but the time of day, and how it came to that, differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from operator import attrgetter
from typing import Any

import msgspec

from mainspring.machine.capturing import InstanceState, capture
from mainspring.machine.instance import Instance
from mainspring.machine.scope import NodeState

_TIMES = {"started_at", "ended_at", "opened_at", "due", "error"}
_node = attrgetter(*(name for name in NodeState.__struct_fields__ if name not in _TIMES))
_instance = attrgetter(
    *(
        name
        for name in InstanceState.__struct_fields__
        if name not in {*_TIMES, "nodes", "workflow", "version", "input"}
    )
)
_encode = msgspec.msgpack.Encoder(enc_hook=repr).encode


def state_of(instance: Instance) -> bytes:
    """Of one instance."""
    captured = capture(instance)
    nodes: list[Any] = [
        (
            path,
            _node(state),
            state.due is None,
            None if state.error is None else (state.error.type, state.error.message),
        )
        for path, state in sorted(captured.nodes.items())
    ]
    return blake2b(_encode((_instance(captured), nodes)), digest_size=12).digest()


def state_of_all(states: Mapping[str, bytes], more: Iterable[str]) -> bytes:
    """Of all instances, and what is on its way. `more` are texts, each of which begins with the id that it is about.

    Instances that run side by side are alike: which of them is where makes no other state.
    """
    parts: dict[str, list[bytes]] = {}
    for id, state in states.items():
        root, _, rest = id.partition("/")
        parts.setdefault(root, []).append(rest.encode() + b"\0" + state)
    for text in more:
        root, _, rest = text.partition("/")
        parts.setdefault(root if root in states else "", []).append(rest.encode() if root in states else text.encode())
    each = [blake2b(b"\1".join(_sorted(lines)), digest_size=12).digest() for lines in parts.values()]
    return blake2b(b"".join(sorted(each)), digest_size=12).digest()


def _sorted(lines: list[bytes]) -> list[bytes]:
    """The states in the order of their ids. What comes after them has an order of its own."""
    states = sorted(line for line in lines if b"\0" in line)
    return [*states, *(line for line in lines if b"\0" not in line)]
