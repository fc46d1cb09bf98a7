"""What the golden stores' instances run. Their definitions are pinned in the files: add names, never change one."""

from __future__ import annotations

import asyncio
from typing import Any

import mainspring as ms
from mainspring.definition.model import Connection, Join, Node, Retry, Workflow

blocks = False
"""Whether `golden_block` stays: it does while a file is made, so that its node is in flight when the engine is killed."""


@ms.task(name="golden_ok")
async def ok(ctx: ms.TaskContext, n: int = 0) -> dict[str, int]:
    ctx.variables["last"] = ctx.path
    return {"n": n + 1}


@ms.task(name="golden_large")
async def large() -> dict[str, str]:
    return {"text": "large " * 5_600}


@ms.task(name="golden_fail")
async def fail() -> None:
    raise ValueError("as it should")


@ms.task(name="golden_block")
async def block() -> str:
    if blocks:
        await asyncio.Event().wait()
    return "went on"


@ms.task(name="golden_flaky")
async def flaky(ctx: ms.TaskContext) -> str:
    if ctx.attempt == 1:
        raise OSError("the first time")
    return "the second time"


@ms.task(name="golden_odd")
async def odd(n: Any) -> Any:
    if n == 3:
        raise ValueError("not this one")
    return n


def _node(id: str, handler: str, *after: str, **more: Any) -> Node:
    return Node(id=id, type="function", config={"handler": f"golden_{handler}"}, depends_on=after, **more)


def _delay(id: str, duration: str, *after: str) -> Node:
    return Node(id=id, type="delay", config={"duration": duration}, depends_on=after)


def _flow(id: str, *nodes: Node, connections: tuple[Connection, ...] = (), **more: Any) -> Workflow:
    return Workflow(id=id, nodes=nodes, connections=connections, **more)


SOON = Retry(strategy="fixed", max_attempts=2, initial_delay=1, jitter=0)

COMPLETED = _flow(
    "completed",
    _node("first", "ok", input={"n": "${ input.n }"}),
    _node("again", "flaky", "first", retry=SOON),
    _node("limited", "ok", "again", input={"n": 7}, max_concurrent_executions=1),
    _delay("pause", "1ms", "limited"),
    _node("large", "large", "pause"),
    Node(id="done", type="log", depends_on=("pause",)),
    _node("never", "ok"),
    _node("beyond", "ok", "never"),
    connections=(Connection(source="first", target="never", condition="output.n < 0"),),
    variables={"colour": "red"},
    output={"n": "${ nodes.limited.output.n }"},
)
FAILED = _flow(
    "failed",
    _node("bad", "fail", retry=SOON),
    _node("handled", "fail"),
    _node("alarm", "ok", input={"n": 1}),
    _node("after", "ok", "bad"),
    connections=(Connection(source="handled", target="alarm", trigger="fail"),),
)
FAST = _flow(
    "fast", _node("bad", "fail"), _node("busy", "block"), _node("after", "ok", "busy"), failure_policy="fail_fast"
)
ROUTED = _flow(
    "routed",
    _node("text", "flaky", retry=SOON),
    _node("next", "ok"),
    connections=(Connection(source="text", target="next", condition="output > 3"),),
)
OPEN = _flow(
    "open",
    _node("first", "ok", input={"n": 1}),
    _node("busy", "block", "first"),
    _node("last", "ok", "first", "busy", input={"n": 2}),
)
EACH, PORTS, FIRST = Join(kind="each"), Join(kind="ports"), Join(kind="any", cancel_others=True)
JOINED = _flow(
    "joined",
    _node("a", "ok", input={"n": 1}),
    _node("b", "ok", "a", input={"n": 2}),
    _node("c", "block", "b"),
    _node("work", "odd", join=EACH),
    Node(id="after", type="log"),
    Node(id="alarm", type="log"),
    Node(id="pair", type="log", join=PORTS),
    _delay("slow", "1h"),
    Node(id="first", type="log", join=FIRST),
    connections=(
        *(Connection(source=source, target="work") for source in "abc"),
        Connection(source="work", target="after"),
        Connection(source="work", target="alarm", trigger="fail"),
        Connection(source="a", target="pair", target_port="x"),
        Connection(source="b", target="pair", target_port="y"),
        Connection(source="slow", target="first"),
        Connection(source="b", target="first"),
    ),
)
ASLEEP = _flow("asleep", _delay("night", "3s"), _node("morning", "ok", "night", input={"n": 3}))
DECIDED = _flow(
    "decided",
    Node(id="large", type="if", config={"condition": "value.n > 0"}),
    Node(id="note", type="log", config={"message": "n is ${ value.n }", "level": "debug"}),
    Node(id="sum", type="transform", config={"reduce": {"items": [1, 2], "initial": 0, "next": "value + item"}}),
    Node(id="end", type="terminate", depends_on=("sum",), config={"output": "${ value }", "reason": "enough"}),
    _node("never", "ok", "end"),
    connections=(
        Connection(source="large", target="note", source_port="true"),
        Connection(source="note", target="sum"),
    ),
)


def _body(*nodes: Node) -> dict[str, Any]:
    """A body as a definition's config has it."""
    return {"nodes": [{"id": one.id, "type": one.type, "config": one.config, "input": one.input} for one in nodes]}


LOOPED = _flow(
    "looped",
    Node(
        id="all",
        type="forEach",
        config={
            "items": [1, 2, 3],
            "concurrency": 2,
            "more": "${ item == 3 ? [4] : null }",
            "body": _body(_node("work", "ok", input={"n": "${ item }"})),
        },
    ),
    Node(
        id="once",
        type="mutex",
        config={"name": "golden", "body": _body(Node(id="said", type="log", config={"message": "alone"}))},
        depends_on=("all",),
    ),
)
LOOPING = _flow(
    "looping",
    Node(
        id="all",
        type="forEach",
        config={"items": [1, 2], "concurrency": 2, "body": _body(_node("busy", "block"))},
    ),
    Node(id="alone", type="mutex", config={"name": "golden", "body": _body(_node("busy", "block"))}),
)


def _wait(id: str, *after: str, timeout: int = 3_000, **config: Any) -> Node:
    return Node(id=id, type="wait", config=config, depends_on=after, timeout=timeout)


SIGNALLED = _flow("signalled", _wait("first", signal="first"), _wait("second", "first", signal=["second", "other"]))
AWAITED = _flow(
    "awaited",
    _wait("person", approval="manager"),
    _wait("later", "person", signal="later"),
    Node(id="late", type="log"),
    connections=(Connection(source="person", target="late", source_port="timeout"),),
)
CHILD = _flow("child", Node(id="out", type="transform", config={"output": "${ value.n + 1 }"}))
PARENT = _flow(
    "parent",
    Node(id="kid", type="subflow", config={"workflow": "child"}),
    Node(id="aside", type="subflow", config={"workflow": "child", "wait": False}),
)
SLOW_PARENT = _flow("slow-parent", Node(id="kid", type="subflow", config={"workflow": "awaited"}))
STEPS = [_node(f"s{i}", "ok", *([f"s{i - 1}"] if i else []), input={"n": i}) for i in range(12)]
LONG = _flow("long", *STEPS, _node("busy", "block", "s11"))
UNDONE = _flow(
    "undone",
    _node("one", "ok", input={"n": 1}, compensation_node_id="back"),
    _node("two", "ok", "one", input={"n": 2}, compensation_node_id="not-back"),
    _node("bad", "fail", "two"),
    _node("back", "ok"),
    _node("not-back", "fail"),
)
UNDOING = _flow(
    "undoing",
    _node("one", "ok", input={"n": 1}, compensation_node_id="slowly"),
    _node("bad", "fail", "one"),
    _node("slowly", "block"),
)
BEFORE = _flow("moved", _node("one", "ok", input={"n": 1}), _node("busy", "block", "one"), _node("old", "ok", "busy"))
AFTER = _flow(
    "moved",
    _node("one", "ok", input={"n": 1}),
    _node("busy", "block", "one"),
    Node(id="aside", type="log", depends_on=("busy",)),
    _node("new", "ok", "aside", input={"n": 2}),
)
RESERVED = _flow("reserved", _node("a", "ok"), _node("b", "ok", "a"), _node("c", "ok", "b"))
