"""The events of blocks and their bodies become state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.block import Block, take_over
from mainspring.machine.instance import Instance
from mainspring.machine.moving import move
from mainspring.machine.packed import Packed
from mainspring.machine.scope import BodyScope, Scope
from mainspring.machine.values import input_of, leaf_outputs


def _block_started(instance: Instance, event: ev.BlockStarted, at: int) -> None:
    scope, node, state = move(instance, event.path, "BlockStarted")
    block = scope.block(node, Block(event.run, state.bodies + -state.bodies % len(node.bodies)))
    if state.waits_for.startswith("lock "):
        block.lock = state.waits_for.removeprefix("lock ")
    state.waits_for = "bodies"
    if bytes(event.items) != b"null":
        block.items = Packed()
        block.items.extend(bytes(event.items))
    block.state = bytes(event.state)


def _items_added(instance: Instance, event: ev.ItemsAdded, at: int) -> None:
    scope, node, _ = move(instance, event.path, "ItemsAdded")
    items = scope.blocks[node.index].items
    assert items is not None, "only a loop over items gets more of them"
    items.extend(bytes(event.items))


def _scope_started(instance: Instance, event: ev.ScopeStarted, at: int) -> None:
    scope, node, state = move(instance, event.path, "ScopeStarted")
    block = scope.blocks[node.index]
    if event.number < block.first:  # a row from before runs began at a multiple of their branches
        block.first = event.number
    index = event.number - block.first
    block.begun = index + 1
    state.bodies = event.number + 1
    body = instance.begin_body(scope, node, event.number, index)
    if block.stands_in:
        body.input = input_of(scope, node)
    elif block.items is not None:
        body.input = block.items[index]
    else:
        body.input = block.state if node.told.carries else input_of(scope, node)


def _scope_ended(instance: Instance, event: ev.ScopeEnded, at: int) -> None:
    scope, node, _ = move(instance, event.path, "ScopeEnded")
    block = scope.blocks[node.index]
    index = event.number - block.first
    body = block.open.pop(index)
    del instance.open[body.address]
    output: bytes | None = None
    if event.status == "completed":
        output = bytes(event.output) if event.mapped else leaf_outputs(body)
        block.completed += 1
        block.state = output
        if body.writes is not None:
            block.writes[index] = (body.writes, block.begun)
    elif event.error is not None:
        block.errors[index] = event.error
    if not block.stands_in and node.told.keeps and event.status != "cancelled":
        block.settle(index, output)
    _merge(instance, scope, block)


def _merge(instance: Instance, scope: Scope, block: Block) -> None:
    if not block.writes:
        block.conflicts = []
        while block.merged < block.begun and block.merged not in block.open:
            block.merged += 1
    elif isinstance(scope, BodyScope):
        merged = take_over(block, scope.writes or b"{}")
        scope.writes = None if merged == b"{}" else merged
    else:
        instance.variables = take_over(block, instance.variables)


def _variables_conflict(instance: Instance, event: ev.VariablesConflict, at: int) -> None:
    """It is in the history, and changes nothing but that: who wins was settled when the writes were taken over."""
    move(instance, event.path, "VariablesConflict")


def end_block(scope: Scope, node: PlanNode, port: str | None, output: bytes) -> bytes:
    """The block is no longer under way; its output, which is not written again where it is the list of its results, or that
    of the fallback."""
    block = scope.blocks.pop(node.index, None)
    if block is None or port is not None or output != b"null":
        return output
    if block.stands_in:
        return block.state
    if not node.told.keeps:
        return output
    return collected(node, block)


def collected(node: PlanNode, block: Block) -> bytes:
    """The results in order; with the errors, where the block goes on in spite of these."""
    return block.listed() if not node.told.tolerant else block.with_errors()


FOLD_BLOCKS: dict[type[ev.Event], Callable[[Instance, Any, int], None]] = {
    ev.BlockStarted: _block_started,
    ev.ItemsAdded: _items_added,
    ev.ScopeStarted: _scope_started,
    ev.ScopeEnded: _scope_ended,
    ev.VariablesConflict: _variables_conflict,
}
