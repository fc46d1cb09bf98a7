"""What became of a block's bodies, as far as the state tells it: while the block is under way all of it, later what it kept.

A body that has ended has left memory; its whole history is in the journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from mainspring.graph.plan import PlanNode
from mainspring.machine.block import Block
from mainspring.machine.events import ErrorRecord
from mainspring.machine.scope import NodeState


class Bodies(msgspec.Struct, frozen=True):
    """Counts of a block's bodies: of its run under way, or (`open` is 0) of all its runs once it has ended.

    `total` is how many there are to be (None: nobody can say, as of a while). `completed` and `failed` are None where
    only the journal knows: of a block that has ended and does not collect errors. `branches` has the places, in the
    definition's list, of the branches that are under way.
    """

    begun: int
    open: int = 0
    completed: int | None = None
    failed: int | None = None
    total: int | None = None
    branches: tuple[int, ...] = ()

    @property
    def ended(self) -> int:
        """How many have ended."""
        return self.begun - self.open


class _Index(msgspec.Struct):
    index: int
    error: dict[str, Any]


class _Errors(msgspec.Struct):
    errors: list[_Index]


class _Results(msgspec.Struct):
    results: list[Raw]


def counted(node: PlanNode, state: NodeState, block: Block | None) -> Bodies | None:
    """How the bodies of a block stand; None where it is none, or has begun none."""
    if not node.bodies or (block is not None and block.stands_in):
        return None
    if block is not None:
        branches = tuple(block.open) if block.items is None and not node.told.carries else ()
        total = None if node.told.carries else _total(node, block)
        ended = block.ended
        return Bodies(block.begun, len(block.open), block.completed, ended - block.completed, total, branches)
    if not state.bodies:
        return None
    collected = _collected(node, state)
    failed = None if collected is None else len(msgspec.json.decode(collected, type=_Errors).errors)
    return Bodies(state.bodies, failed=failed)


def _total(node: PlanNode, block: Block) -> int:
    return len(node.bodies) if block.items is None else len(block.items)


def body_errors(path: str, node: PlanNode, state: NodeState, block: Block | None) -> Iterator[tuple[str, ErrorRecord]]:
    """The addresses and the errors of bodies that failed, as far as they are known."""
    if block is not None and not block.stands_in:
        for index, error in block.errors.items():
            yield f"{path}[{block.first + index}]", error
        return
    collected = _collected(node, state)
    errors = [] if collected is None else msgspec.json.decode(collected, type=_Errors).errors
    if collected is None or not errors:
        return
    first = state.bodies - len(msgspec.json.decode(collected, type=_Results).results)
    for one in errors:
        yield f"{path}[{first + one.index}]", _record(one.error)


def _collected(node: PlanNode, state: NodeState) -> bytes | None:
    """The output of a block that collects errors. A node that runs more than once has a list of outputs instead."""
    if state.status != "completed" or state.port is not None or state.degraded or node.repeating:
        return None
    return state.output if node.bodies and node.told.keeps and node.told.tolerant else None


def _record(told: dict[str, Any]) -> ErrorRecord:
    """What `error_value` made of an error, as a record again."""
    return ErrorRecord(
        told["type"],
        told["message"],
        told["code"],
        attempt=told["attempt"],
        max_attempts=told["maxAttempts"],
        context=Raw(msgspec.json.encode(told["context"])),
        fatal=told["fatal"],
    )
