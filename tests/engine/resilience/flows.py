"""The workflows of the machine, as plain data and as definitions, and the tasks of their nodes.

Every flow has these nodes and connections; what they say of failures is drawn:

    book -> pay -> ship        mail -fail-> sorry (in some)
    book -> mail -> audit

`pay` and `mail` call one target, with one breaker. They, `book` and `ship` can be undone.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import mainspring as ms
from mainspring.definition.model import CircuitBreaker, Connection, FallbackAction, Node, Resilience, Retry, Workflow
from mainspring.limits.breaker import Rules

ARROWS = [("book", "pay"), ("book", "mail"), ("pay", "ship"), ("mail", "audit")]
CALLS = ("pay", "mail")
UNDOABLE = ("book", "pay", "ship", "mail")
RETRY_MS = 50
TARGET = "t"


class Call(NamedTuple):
    """An attempt whose task runs."""

    instance: str
    path: str
    attempt: int


class World:
    """The tasks that run, each waiting for its answer, and all that was ever asked of the undo tasks."""

    def __init__(self) -> None:
        self.held: dict[Call, asyncio.Future[str]] = {}
        self.standing_in = True
        self.undone: list[tuple[str, str]] = []


WORLD: list[World] = []


async def _answer(ctx: ms.TaskContext) -> None:
    call, held = Call(ctx.instance, ctx.path, ctx.attempt), WORLD[-1].held
    assert call not in held, f"{call} began twice"
    held[call] = asyncio.get_running_loop().create_future()
    try:
        said = await held[call]
    finally:
        del held[call]
    if said != "ok":
        raise ConnectionError(said)


@ms.task(name="rm_work")
async def work() -> str:
    return "done"


@ms.task(name="rm_call")
async def call(ctx: ms.TaskContext) -> str:
    await _answer(ctx)
    return "called"


@ms.task(name="rm_undo")
async def undo(ctx: ms.TaskContext) -> None:
    assert ctx.compensation is not None
    await _answer(ctx)
    WORLD[-1].undone.append((ctx.instance, ctx.idempotency_key))


@ms.task(name="rm_stand_in")
async def stand_in() -> str:
    if not WORLD[-1].standing_in:
        raise LookupError("nobody stands in")
    return "stood in"


def breaker_of(rules: Rules) -> CircuitBreaker:
    """The breaker with these rules, as a definition says it."""
    return CircuitBreaker(target=TARGET, **{field: getattr(rules, field) for field in rules.__struct_fields__})


def workflow_of(flow: dict[str, Any], rules: Rules) -> Workflow:
    """The definition of a flow."""
    nodes = [_node(one, rules) for one in flow["nodes"]]
    nodes += [Node(id=f"un{id}", type="function", config={"handler": "rm_undo"}) for id in UNDOABLE]
    if any(one.get("fallbacks") for one in flow["nodes"]):  # (else nobody names it, and it would stand on the graph)
        nodes.append(Node(id="other", type="function", config={"handler": "rm_stand_in"}))
    connections = [Connection(source=source, target=target) for source, target in ARROWS]
    if flow["catches"]:
        connections.append(Connection(source="mail", target="sorry", trigger="fail"))
    return Workflow(
        id=flow["id"],
        nodes=tuple(nodes),
        connections=tuple(connections),
        failure_policy=flow["policy"],
        retry_budget=flow["retryBudget"],
        termination_threshold=flow["threshold"],
        max_partial_failures=flow["maxPartial"],
        critical_step_ratio=flow["ratio"],
        compensation_scope=flow["scope"],
        compensate_on_cancel=flow["compensateOnCancel"],
    )


def _node(told: dict[str, Any], rules: Rules) -> Node:
    id, fallbacks = told["id"], told.get("fallbacks", 0)
    more: dict[str, Any] = {"compensation_node_id": f"un{id}"} if id in UNDOABLE else {}
    if id in CALLS:
        more["circuit_breaker"] = breaker_of(rules)
        often, never = told["attempts"], told["never"]
        more["retry"] = Retry(
            strategy="fixed", max_attempts=often, initial_delay=RETRY_MS, jitter=0, do_not_retry_on=never
        )
        more["fallback_node_id"] = "other" if fallbacks else None
        more["resilience"] = Resilience(
            failure_policy=told["failurePolicy"],
            is_critical=told["isCritical"],
            fallback_actions=(FallbackAction(type="rm_stand_in"),) * (fallbacks - 1),
            compensate_failed=told["compensateFailed"],
            compensate_in_doubt=told["compensateInDoubt"],
        )
    handler = "rm_call" if id in CALLS else "rm_work"
    return Node(id=id, type="function", config={"handler": handler}, **more)
