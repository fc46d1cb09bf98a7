"""Whether an instance can go no further by itself: it waits for somebody, or for code that this process does not have."""

from __future__ import annotations

from typing import NamedTuple

from mainspring.assembly import Engine
from mainspring.cli.awaited import Wait, waits_of
from mainspring.cli.focused import FocusedStore
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import ACTIVE

PATIENCE_MS = 60_000
"""Who waits for somebody, and not longer than this, is waited for."""


class Code(NamedTuple):
    """A node that waits for its code; `place` is where it stands in the definition."""

    id: str
    path: str
    place: str


class Standing(NamedTuple):
    """What it and its children wait for, each with the instance that waits."""

    waits: list[tuple[str, Wait]]
    code: list[Code]


async def standing(engine: Engine, store: FocusedStore, id: str, now: int) -> Standing | None:
    """What keeps it, where nothing else is under way in it or in the children that it waits for. None: it goes on."""
    found = Standing([], [])
    return found if await _stands(engine, store, id, now, found) and (found.waits or found.code) else None


async def _stands(engine: Engine, store: FocusedStore, id: str, now: int, found: Standing) -> bool:
    instance = await _at_rest(engine, store, id)
    if instance is None:
        return False
    children = _what_keeps(instance, found)
    if children is None:
        return False
    waits = waits_of(instance)
    if any(wait.until is not None and wait.until < now + PATIENCE_MS for wait in waits):
        return False
    found.waits.extend((id, wait) for wait in waits)
    for child in children:
        if not await _stands(engine, store, child, now, found):
            return False
    return True


async def _at_rest(engine: Engine, store: FocusedStore, id: str) -> Instance | None:
    """Its state, where no task and no turn is under way; from the store, where it sleeps."""
    live = engine.host.by_id.get(id)
    if live is not None:
        busy = live.tasks or live.uncommitted or live.held is not None or not engine.host.idle
        return None if busy else live.instance
    record = await store.find(id)
    return None if record is None or not record.open or record.owner else (await engine.inspect(id)).instance


def _what_keeps(instance: Instance, found: Standing) -> list[str] | None:
    """The children that it waits for; None where something moves by itself."""
    children = []
    for scope in instance.scopes:
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True):
            if state is None or state.status not in ACTIVE or state.status == "gathering":
                continue
            path = scope.path(node)
            awaited = instance.waits.get(path)
            if state.status != "waiting":
                return None
            if awaited is not None and awaited.kind == "child":
                children.append(awaited.names[0])
            elif state.waits_for.startswith("handler"):
                found.code.append(Code(instance.id, path, node.place))
            elif awaited is None and node.index not in scope.blocks:
                return None
    return children
