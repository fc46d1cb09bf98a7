"""Waiting for somebody, and milestones: docs/semantics-blocks.md, "Waiting for somebody" and "Stopping and milestones"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .scopes import Scope, Sight
from .shape import Graph
from .state import Run
from .values import Raised, make


class Signal(NamedTuple):
    """What came from outside."""

    kind: str
    name: str
    payload: Any


class Waits:
    """Who waits, in the order in which they began to, and what was kept for those to come."""

    def __init__(self, graph: Graph) -> None:
        self.expected = [node["wait"] for node in all_nodes(graph) if node["type"] == "wait"]
        self.open: list[Run] = []
        self.kept: list[Signal] = []
        self.told: list[tuple[str, str]] = []

    def start(self, run: Run, sees: Sight) -> None:
        """It takes the oldest kept one that suits it, or begins to wait."""
        try:
            run.names = make(run.spec["wait"]["names"], sees)
        except Raised:
            run.fails("MappingError")
            return
        for signal in self.kept:
            if suits(run, signal):
                self.kept.remove(signal)
                take(run, signal)
                return
        self.open.append(run)

    def came(self, signal: Signal) -> list[Run]:
        """The runs that end by it. One that nobody takes is kept, or dropped."""
        takers = [run for run in self.open if suits(run, signal)]
        takers = takers if signal.kind == "event" else takers[:1]
        for run in takers:
            take(run, signal)
            self.open.remove(run)
        if not takers:
            keep = any(self._may_want(wait, signal) for wait in self.expected)
            self.told.append(("kept" if keep else "dropped", signal.name))
            if keep:
                self.kept.append(signal)
        return takers

    def stop(self, run: Run) -> None:
        """It waits no more."""
        if run in self.open:
            self.open.remove(run)

    def _may_want(self, wait: dict[str, Any], signal: Signal) -> bool:
        transient = wait["kind"] == "event" if wait["transient"] is None else wait["transient"]
        names = wait["names"] if isinstance(wait["names"], list) else [wait["names"]]
        named = signal.name in names or any(not isinstance(name, str) for name in names)
        return wait["kind"] == signal.kind and not transient and named


def all_nodes(graph: Graph) -> Iterator[dict[str, Any]]:
    """The nodes of a graph and of all bodies within it."""
    for node in graph["nodes"]:
        yield node
        for body in (*(node.get("block") or {}).get("bodies", ()), *node.get("fallbacks", ()), node.get("undo")):
            if body is not None:
                yield from all_nodes(body)


def suits(run: Run, signal: Signal) -> bool:
    """Whether a wait is for this one and accepts its payload."""
    wait = run.spec["wait"]
    named = signal.name in run.names if isinstance(run.names, list) else signal.name == run.names
    return named and wait["kind"] == signal.kind and _accepts(wait["schema"], signal.payload)


def _accepts(schema: str | None, payload: Any) -> bool:
    """The few schemas that the generator makes: a type."""
    if schema is None:
        return True
    return isinstance(payload, {"number": int, "object": dict}[schema])


def take(run: Run, signal: Signal) -> None:
    """The wait ends with it."""
    if isinstance(run.names, list):
        run.completes({"name": signal.name, "payload": signal.payload}, signal.name)
    elif signal.kind == "approval":
        run.completes(signal.payload, "approved" if signal.payload.get("approved") else "rejected")
    else:
        run.completes(signal.payload)


def pass_milestone(scope: Scope, run: Run) -> bool:
    """Whether a milestone has come to a decision, which it then leaves by."""
    told = run.spec["milestone"]
    after = scope.nodes[told["after"]].status if told["after"] else "completed"
    if told["before"] and scope.nodes[told["before"]].begun:
        run.completes(run.input, "closed")
    elif after == "completed":
        run.completes(run.input, "open")
    elif after in ("failed", "skipped", "cancelled"):
        run.completes(run.input, "closed")
    return bool(run.status)
