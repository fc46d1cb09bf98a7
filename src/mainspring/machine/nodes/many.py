"""forEach and parallel: bodies side by side, and what their ends come to together."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from mainspring.errors import ExpressionError
from mainspring.expression import truthy
from mainspring.graph.plan import PlanNode
from mainspring.machine import events as ev
from mainspring.machine.block import Block
from mainspring.machine.instance import NodeState
from mainspring.machine.names import Names, loop_value, mapping_fault
from mainspring.machine.nodes import bodies
from mainspring.machine.nodes.outcome import Fails, Outcome
from mainspring.machine.nodes.own_config import COMPUTING, names_of
from mainspring.machine.scope import BodyScope
from mainspring.machine.turn import Turn

LOOP_ITEMS_MAX = 1_000_000
"""The most items that one loop goes through, those included that are added while it runs."""


class LoopFault(Exception):
    """What was computed is nothing to go through."""


def each(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """Work out the items, and begin with the first of them."""
    told = node.told
    try:
        names = names_of(turn, node, told.reads_value)
        ranged = told.items is None
        items = _range(*(bound(names) for bound in told.range)) if ranged else _items(told.items(names))
        encoded = msgspec.json.encode(items)
    except LoopFault as fault:
        return Fails("LoopError", str(fault))
    except COMPUTING as error:
        return Fails("MappingError", mapping_fault("the items", error))
    return _begin(turn, node, len(items), encoded)


def branches(turn: Turn, node: PlanNode, state: NodeState) -> Outcome:
    """All branches, as many at a time as may be."""
    return _begin(turn, node, len(node.bodies))


def _begin(turn: Turn, node: PlanNode, count: int, items: bytes = b"null") -> Outcome:
    wanted = node.told.succeed_at
    if wanted is not None and wanted > count:
        return _too_few(wanted, count)
    return bodies.start(turn, node, more_to_begin, items)


def _items(value: Any) -> Any:
    """What stands for a list: a list, an object, a whole number."""
    if isinstance(value, dict):
        value = [{"key": key, "value": item} for key, item in value.items()]
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        _bounded(value)
        value = range(value)
    if not isinstance(value, list | tuple | range):
        shown = msgspec.json.encode(value)[:80].decode(errors="replace")
        raise LoopFault(f"`items` is a list, an object or a whole number of at least 0, and not {shown}")
    _bounded(len(value))
    return list(value)


def _range(first: Any, last: Any, step: Any) -> list[int]:
    """From the first number to the last one, both included."""
    for name, bound in (("from", first), ("to", last), ("step", step)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise LoopFault(f"`{name}` of a range is a whole number, and not {bound!r:.80}")
    if not step:
        raise LoopFault("`step` of a range is 0: it would never end")
    found = range(first, last + (1 if step > 0 else -1), step)
    _bounded((last - first) // step + 1)
    return list(found)


def _bounded(count: int) -> None:
    if count > LOOP_ITEMS_MAX:
        raise LoopFault(f"there are {count} items, and loop_items_max is {LOOP_ITEMS_MAX}")


def more_to_begin(turn: Turn, node: PlanNode, block: Block) -> Outcome | bool:
    """Whether an item is left. Where none is and none is under way, that is the end."""
    if block.begun < _count(node, block):
        return True
    return False if block.open else bodies.results(node, block)


def _count(node: PlanNode, block: Block) -> int:
    return len(node.bodies) if block.items is None else len(block.items)


def after(turn: Turn, node: PlanNode, block: Block, body: BodyScope, ended: ev.ScopeEnded) -> Outcome:
    """What a body's end means for the whole; None: it goes on."""
    told = node.told
    completed = ended.status == "completed"
    if completed and told.more is not None:
        fault = _add(turn, node, block, body)
        if fault is not None:
            return fault
    if not completed and told.fails_fast:
        return bodies.body_error(body, ended)
    if completed and told.stop_when is not None:
        try:
            if truthy(told.stop_when(_names_after(turn, block, body, told.stop_when.roots))):
                return bodies.results(node, block)
        except ExpressionError as error:
            return Fails("ConditionError", mapping_fault("stopWhen", error))
    if told.succeed_at is not None:
        return _by_number(node, block)
    return None


def _by_number(node: PlanNode, block: Block) -> Outcome:
    wanted = node.told.succeed_at
    if block.completed >= wanted:
        return bodies.results(node, block)
    possible = block.completed + _count(node, block) - block.ended
    return _too_few(wanted, possible) if possible < wanted else None


def _too_few(wanted: int, possible: int) -> Fails:
    return Fails("TooFewSucceeded", f"succeedAt is {wanted}, and no more than {possible} can complete")


def _add(turn: Turn, node: PlanNode, block: Block, body: BodyScope) -> Fails | None:
    """Further items, where the body's output asks for some."""
    assert block.items is not None, "branches have no items"
    try:
        items = node.told.more(_names_after(turn, block, body, node.told.more.roots))
        encoded = msgspec.json.encode(items)
    except COMPUTING as error:
        return Fails("MappingError", mapping_fault("more", error))
    if items is None or items == []:
        return None
    if not isinstance(items, list | tuple):
        return Fails("LoopError", f"`more` is a list or null, and not {encoded[:80].decode(errors='replace')}")
    try:
        _bounded(len(block.items) + len(items))
    except LoopFault as fault:
        return Fails("LoopError", str(fault))
    turn.emit(ev.ItemsAdded(turn.path(node), block.run, Raw(encoded)))
    return None


def _names_after(turn: Turn, block: Block, body: BodyScope, roots: frozenset[str]) -> Names:
    """What is seen of a body that has ended: its output as `value`, and the loop as it saw it."""
    names = Names(turn.instance, turn.scope, index=body.index)
    if "value" in roots:
        names.bind("value", msgspec.json.decode(block.state))
    if "item" in roots:
        names.bind("item", msgspec.json.decode(body.input))
    if "loop" in roots:
        names.bind("loop", loop_value(body, block))
    return names
