"""What a block keeps between its bodies: a loop's items and results, which bodies are open, what they wrote.

A rule about when the next body begins, or when the block ends, is in `nodes/blocks.py`; here is only what folding needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from mainspring.machine.error_values import error_value
from mainspring.machine.events import ErrorRecord
from mainspring.machine.packed import Packed

if TYPE_CHECKING:
    from mainspring.machine.scope import BodyScope

Writes = dict[str, Raw]

_writes = msgspec.json.Decoder(Writes).decode


class BlockState(Struct, array_like=True):
    """What a snapshot holds of a block. `errors` are JSON of ErrorRecords by index."""

    run: int
    first: int
    begun: int
    items: list[bytes] | None
    state: bytes
    results: list[bytes]
    waiting: dict[int, bytes | None]
    completed: int
    errors: dict[int, bytes]
    merged: int
    writes: dict[int, tuple[bytes, int]]
    written: dict[str, list[tuple[int, bytes]]]
    lock: str = ""


class Block:
    """One run of a block.

    `first` is the number of its first body in addresses, `begun` how many it began. Bodies are known by their index, from
    0 in each run. `stands_in`: they are fallbacks, which stand in for a node that failed. `results` has what the bodies
    gave, in order, as far as all before have ended; `waiting` what came sooner. `state` is what a while or until carries,
    `lock` the name of what a mutex holds. `asked`: a timer has been asked for, to begin further bodies.

    `writes` are the variables that bodies set and that wait for bodies before them, each with how many bodies had begun
    when its own ended; `merged` says how many bodies have been gone through. `written` has the same number and the value
    for each name that was taken over, of each body that others still to come can have met: those after that number began
    later and could not. `conflicts` is what the last fold came upon.
    """

    __slots__ = (
        "asked",
        "begun",
        "completed",
        "conflicts",
        "errors",
        "first",
        "items",
        "lock",
        "merged",
        "open",
        "results",
        "run",
        "stands_in",
        "state",
        "waiting",
        "writes",
        "written",
    )

    def __init__(self, run: int, first: int, stands_in: bool = False) -> None:
        self.run = run
        self.first = first
        self.begun = 0
        self.items: Packed | None = None
        self.state = b"null"
        self.results = Packed()
        self.waiting: dict[int, bytes | None] = {}
        self.completed = 0
        self.errors: dict[int, ErrorRecord] = {}
        self.open: dict[int, BodyScope] = {}
        self.merged = 0
        self.writes: dict[int, tuple[bytes, int]] = {}
        self.written: dict[str, list[tuple[int, bytes]]] = {}
        self.conflicts: list[tuple[int, tuple[str, ...]]] = []
        self.asked = False
        self.lock = ""
        self.stands_in = stands_in

    @property
    def ended(self) -> int:
        """How many bodies have ended."""
        return self.begun - len(self.open)

    def settle(self, index: int, output: bytes | None) -> None:
        """A body has ended: its result takes its place in the order (None: it gave none)."""
        self.waiting[index] = output
        while len(self.results) in self.waiting:
            value = self.waiting.pop(len(self.results))
            self.results.append(b"null" if value is None else value)

    def listed(self) -> bytes:
        """The results in the order of the items, null for bodies that did not complete."""
        later = range(len(self.results), self.begun)
        return self.results.joined(self.waiting.get(index) or b"null" for index in later)

    def with_errors(self) -> bytes:
        """The same, and what went wrong where, in the order of the items."""
        errors = [{"index": index, "error": error_value(self.errors[index])} for index in sorted(self.errors)]
        return b'{"results":' + self.listed() + b',"errors":' + msgspec.json.encode(errors) + b"}"


def capture_block(block: Block) -> BlockState:
    """Its state as a value of its own; its open bodies are scopes, and are captured as such."""
    return BlockState(
        block.run,
        block.first,
        block.begun,
        None if block.items is None else block.items.parts(),
        block.state,
        block.results.parts(),
        block.waiting,
        block.completed,
        {index: msgspec.json.encode(error) for index, error in block.errors.items()},
        block.merged,
        block.writes,
        block.written,
        block.lock,
    )


_decode_error = msgspec.json.Decoder(ErrorRecord).decode


def restore_block(state: BlockState, stands_in: bool) -> Block:
    """The block that `capture_block` was given, without its open bodies. Its node's state says whether it `stands_in`."""
    block = Block(state.run, state.first, stands_in)
    block.begun = state.begun
    block.items = None if state.items is None else Packed.of(state.items)
    block.state = state.state
    block.results = Packed.of(state.results)
    block.waiting = state.waiting
    block.completed = state.completed
    block.errors = {index: _decode_error(error) for index, error in state.errors.items()}
    block.merged = state.merged
    block.writes = state.writes
    block.written = state.written
    block.lock = state.lock
    return block


def merge_writes(into: bytes, writes: bytes) -> bytes:
    """Variables, with these put over them."""
    merged = _writes(into)
    merged.update(_writes(writes))
    return msgspec.json.encode(merged)


def take_over(block: Block, into: bytes) -> bytes:
    """Variables, with the writes of all bodies over them whose turn it is: in order, once all before have ended."""
    block.conflicts = []
    while block.merged < block.begun and block.merged not in block.open:
        index, block.merged = block.merged, block.merged + 1
        if index not in block.writes:
            continue
        writes, until = block.writes.pop(index)
        values = {name: bytes(value) for name, value in _writes(writes).items()}
        names = tuple(name for name, value in values.items() if _meets(block.written.get(name, ()), index, value))
        if names:
            block.conflicts.append((index, names))
        for name, value in values.items():
            met = [one for one in block.written.get(name, ()) if one[0] > block.merged]
            block.written[name] = [*met, (until, value)]
        into = merge_writes(into, writes)
    return into


def _meets(before: Iterable[tuple[int, bytes]], index: int, value: bytes) -> bool:
    """Whether a body wrote another value than one before it that was still open when it began."""
    return any(index < until and other != value for until, other in before)
