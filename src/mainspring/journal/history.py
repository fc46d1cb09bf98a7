"""From rows to an instance: the newest sound snapshot, then the rows after it, folded in order. Nothing is decided again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mainspring.errors import StoreCorrupt
from mainspring.graph.plan import Plan
from mainspring.journal.codec import decode_snapshot, decode_turn
from mainspring.journal.records import Loaded
from mainspring.machine.capturing import restore
from mainspring.machine.fold import consume, fold
from mainspring.machine.instance import Instance, PlanNeeded, unknown


def rebuild(
    plan: Plan,
    loaded: Loaded,
    *,
    until: int | None = None,
    index: int | None = None,
    plans: Callable[[str], Plan] = unknown,
) -> tuple[Instance, int]:
    """The instance after its last row (or after row `until`, or after event `index` of that row), and that row's number.

    `plan` is that of the version which it began with, `plans` gives those that it went over to. Raises StoreCorrupt where a
    row is damaged or missing, PlanNeeded where `plans` does not have one.
    """
    instance = Instance(plan, loaded.record.id)
    seq = 0
    if loaded.snapshot is not None:
        state = decode_snapshot(loaded.snapshot)
        then = plan if state.version == plan.version else plans(state.version)
        instance = restore(then, loaded.record.id, state)
        seq = loaded.snapshot.seq
    instance.plans = plans
    for row in loaded.rows:
        if until is not None and row.seq > until:
            break
        if row.seq != seq + 1:
            raise StoreCorrupt(f"instance {loaded.record.id}: row {seq + 1} is missing (row {row.seq} is there)")
        body = decode_turn(row, loaded.blobs)
        last = len(body.events) if index is None or row.seq != until else index + 1
        for event in body.events[:last]:
            fold(instance, event, body.at)
        if body.message and last >= len(body.events):
            consume(instance, body.message)
        seq = row.seq
    return instance, seq


Known = Callable[[str], Awaitable[Plan]]
"""Loads the plan of a version."""


async def rebuilt(
    plan_of: Known, loaded: Loaded, *, until: int | None = None, index: int | None = None
) -> tuple[Instance, int]:
    """The same, with the plans that it needs loaded on the way: most instances need one."""
    plans = {loaded.record.version: await plan_of(loaded.record.version)}

    def known(version: str) -> Plan:
        if version not in plans:
            raise PlanNeeded(version)
        return plans[version]

    while True:
        try:
            return rebuild(plans[loaded.record.version], loaded, until=until, index=index, plans=known)
        except PlanNeeded as needed:
            plans[needed.version] = await plan_of(needed.version)
