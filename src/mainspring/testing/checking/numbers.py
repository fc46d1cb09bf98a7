"""Numbers that the journal must keep to: attempts of a run, bodies of a block that are open at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mainspring.engine.result import InstanceResult
from mainspring.machine import events as ev
from mainspring.testing.checking.ledger import Deed
from mainspring.testing.checking.undoing import node_at


def numbers_broken(result: InstanceResult, deeds: Sequence[Deed]) -> Iterator[str]:
    """What is beyond its number in the journal of one instance."""
    plan = result.instance.plan
    failures: Counter[tuple[str, int]] = Counter()
    bodies: Counter[str] = Counter()
    for deed in deeds:
        if deed.instance != result.id:
            continue
        match deed.event:
            case ev.NodeRetrying(path=path, run=run):
                failures[path, run] += 1
                node = node_at(plan, path)
                if node is not None and failures[path, run] >= node.max_attempts:
                    yield f"{path} is tried again after {failures[path, run]} failures: maxAttempts is {node.max_attempts}"
            case ev.ScopeStarted(path=path):
                bodies[path] += 1
                node = node_at(plan, path)
                bound = getattr(node.told, "concurrency", None) if node is not None else None
                if bound and bodies[path] > bound:
                    yield f"{bodies[path]} bodies of {path} are open at once: its concurrency is {bound}"
            case ev.ScopeEnded(path=path):
                bodies[path] -= 1
            case _:
                pass
