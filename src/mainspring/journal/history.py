"""From rows to an instance: the newest sound snapshot, then the rows after it, folded in order. Nothing is decided again."""

from __future__ import annotations

from mainspring.errors import StoreCorrupt
from mainspring.graph.plan import Plan
from mainspring.journal.codec import decode_snapshot, decode_turn
from mainspring.journal.records import Loaded
from mainspring.machine.fold import consume, fold
from mainspring.machine.instance import Instance, restore


def rebuild(plan: Plan, loaded: Loaded, *, until: int | None = None, index: int | None = None) -> tuple[Instance, int]:
    """The instance after its last row (or after row `until`, or after event `index` of that row), and that row's number.

    Raises StoreCorrupt where a row is damaged or missing.
    """
    instance = Instance(plan, loaded.record.id)
    seq = 0
    if loaded.snapshot is not None:
        instance = restore(plan, loaded.record.id, decode_snapshot(loaded.snapshot))
        seq = loaded.snapshot.seq
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
