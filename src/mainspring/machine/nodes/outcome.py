"""What a kind of node that works in the machine decides as it begins. Its rule only decides; `running` carries it out."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Raw

from mainspring.machine.events import NULL, Event


class Leaves(NamedTuple):
    """It ends well, by these ports (none: by the primary output). `derived`: folding works the output out by itself."""

    output: bytes
    ports: tuple[str, ...] = ()
    derived: bool = False


class Fails(NamedTuple):
    """It ends badly, for good. `code` says which part of it."""

    type: str
    message: str
    code: str | int | None = None
    context: Raw = NULL


class Stops(NamedTuple):
    """It ends well, and the whole instance with it, by these events; the last is the end."""

    output: bytes
    why: str
    ends: tuple[Event, ...]


Outcome = Leaves | Fails | Stops | None
"""None: it has not ended yet, and waits."""
