"""What `mainspring nodes` tells of one kind of node."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """`config` maps each key to what it means; `example` is a list of nodes, as in a file; `also` are other spellings."""

    name: str
    group: str
    what: str
    config: dict[str, str]
    output: str
    ports: str
    example: str
    also: tuple[str, ...] = ()


PASSES = "its input"
PRIMARY = "the primary output only"
TIMED = "the primary output; `timeout` where the node has a timeout"
