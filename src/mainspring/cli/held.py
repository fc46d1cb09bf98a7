"""For which limits the nodes of an instance wait, and who holds these, by what is durable in the store.

The engine that counts may be another process. But whoever holds something runs, and what runs is in the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mainspring.cli.words import clean, duration, now_ms

if TYPE_CHECKING:
    from mainspring.cli.look import Screen
    from mainspring.engine.result import InstanceResult
    from mainspring.journal.store import Store

LOOKED_AT_MAX = 200
"""Holders are looked for in so many open instances, the newest."""

WAITING_SHOWN_MAX = 5
HOLDERS_SHOWN_MAX = 3


class Holder(NamedTuple):
    """A node that runs and needs the same limit."""

    instance: str
    path: str
    since: int


class Waits(NamedTuple):
    """A node that is ready, the limits that it needs, and who holds each of them."""

    path: str
    limits: dict[str, list[Holder]]


async def waiting(store: Store, result: InstanceResult) -> list[Waits]:
    """The nodes that wait for their limits."""
    from mainspring.cli.reading import state
    from mainspring.errors import MainspringError

    asked = {path: names for path, status, names, _ in _limited(result) if status == "ready"}
    if not asked:
        return []
    holders: dict[str, list[Holder]] = {name: [] for names in asked.values() for name in names}
    for record in await store.instances(status="running", limit=LOOKED_AT_MAX):
        try:
            other = result if record.id == result.id else await state(store, record.id)
        except MainspringError:
            continue  # it ended just now, or cannot be read: this says who holds, as far as can be seen
        for path, status, names, since in _limited(other):
            for name in names:
                if status == "running" and name in holders:
                    holders[name].append(Holder(other.id, path, since))
    return [Waits(path, {name: holders[name] for name in names}) for path, names in asked.items()]


def waited(result: InstanceResult) -> list[Waits]:
    """The nodes that waited for their limits, of one that is looked back at. Who held these is in other journals."""
    return [
        Waits(path, {name: [] for name in names}) for path, status, names, _ in _limited(result) if status == "ready"
    ]


def _limited(result: InstanceResult) -> list[tuple[str, str, list[str], int]]:
    from mainspring.engine.limit_names import needed

    instance = result.instance
    return [
        (scope.path(node), state.status, needed(node, instance.plan.workflow, instance.id), state.started_at)
        for scope in instance.scopes
        for node, state in zip(scope.graph.nodes, scope.nodes, strict=True)
        if state is not None and node.resource is not None
    ]


def show(screen: Screen, waits: list[Waits]) -> None:
    """One line for each limit of each node that waits, with who holds it."""
    now = now_ms()
    for one in waits[:WAITING_SHOWN_MAX]:
        for name, holders in one.limits.items():
            held = ", ".join(
                f"{clean(holder.path)} of {clean(holder.instance)} ({duration(now - holder.since)})"
                for holder in sorted(holders, key=lambda holder: holder.since)[:HOLDERS_SHOWN_MAX]
            )
            more = len(holders) - HOLDERS_SHOWN_MAX
            by = f", held by {held}" + (f" and {more:,} more" if more > 0 else "") if holders else ""
            screen.hanging("  waiting   ", f"{clean(one.path)} needs {clean(name)}{by}", 12)
    if len(waits) > WAITING_SHOWN_MAX:
        screen.line(f"            and {len(waits) - WAITING_SHOWN_MAX:,} more nodes wait for their limits")


def as_json(waits: list[Waits]) -> dict[str, Any]:
    """By node, and by limit: who holds it."""
    return {
        one.path: {
            name: [{"instance": holder.instance, "node": holder.path} for holder in holders]
            for name, holders in one.limits.items()
        }
        for one in waits
    }
