"""What a kind of node that works in the machine decides as it begins. Its rule only decides; `running` carries it out."""

from __future__ import annotations

from typing import NamedTuple

from mainspring.machine.events import Event


class Leaves(NamedTuple):
    """It ends well, by these ports (none: by the primary output)."""

    output: bytes
    ports: tuple[str, ...] = ()


class Fails(NamedTuple):
    """It ends badly, for good. `code` says which part of it."""

    type: str
    message: str
    code: str | None = None


class Stops(NamedTuple):
    """It ends well, and the whole instance with it, by these events; the last is the end."""

    output: bytes
    why: str
    ends: tuple[Event, ...]


Outcome = Leaves | Fails | Stops | None
"""None: it has not ended yet, and waits."""
