"""The parts of a workflow that is made in Python: `ms.Node("charge", "function", …)`.

They hold what was said, in the spelling in which it was said; `ms.Workflow` reads all of it at once, by the rules by
which a file is read. So a part is never refused by itself, and all that is wrong is told together, each at its line.
The names are those of the files in snake_case; dicts may have any spelling that files may have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal, TypedDict, Unpack

from mainspring.definition import model
from mainspring.definition.node_kind import ATTRIBUTE
from mainspring.definition.python_door import Part

Duration = str | int | timedelta
"""`"10s"`, whole milliseconds or a `timedelta`."""
Spelled = Mapping[str, Any]
"""A part as a dict, in any spelling."""
Handler = Callable[..., Any]
JoinKind = Literal["all", "any", "n", "each", "ports"]


class RetryFields(TypedDict, total=False):
    strategy: Literal["none", "fixed", "linear", "exponential"]
    max_attempts: int
    max_retries: int
    initial_delay: Duration
    max_delay: Duration
    multiplier: float
    jitter: float | bool
    retry_on: str | Iterable[str]
    do_not_retry_on: str | Iterable[str]


class Retry(Part):
    """When a failed attempt is tried again: `ms.Retry(max_attempts=5, initial_delay="2s")`."""

    title = "a retry policy"
    __slots__ = ()

    def __init__(self, **fields: Unpack[RetryFields]) -> None:
        super().__init__(fields)


class JoinFields(TypedDict, total=False):
    n: int
    cancel_others: bool
    capacity: int


class Join(Part):
    """How many messages a node waits for: `ms.Join("any", cancel_others=True)`, `ms.Join(n=2)`."""

    title = "a join"
    __slots__ = ()

    def __init__(self, kind: JoinKind | None = None, **fields: Unpack[JoinFields]) -> None:
        super().__init__(fields if kind is None else {"kind": kind, **fields})


class ResilienceFields(TypedDict, total=False):
    policy: str
    failure_policy: model.FailurePolicy
    is_critical: bool
    failure_impact: model.FailureImpact
    fallback_actions: Iterable[str | Spelled]
    compensate_failed: bool
    compensate_in_doubt: bool
    max_retries: int
    retry_delay: Duration


class Resilience(Part):
    """What a node's failure means for the instance."""

    title = "resilience"
    __slots__ = ()

    def __init__(self, **fields: Unpack[ResilienceFields]) -> None:
        super().__init__(fields)


class CircuitBreakerFields(TypedDict, total=False):
    target: str
    failure_threshold: float
    minimum_throughput: int
    open_for: Duration
    half_open_successes: int
    window: int
    window_time: Duration
    slow_call: Duration
    slow_call_threshold: float
    canary: bool
    retry_ratio: float


class CircuitBreaker(Part):
    """When calls of a failing target are no longer made."""

    title = "a circuit breaker"
    __slots__ = ()

    def __init__(self, **fields: Unpack[CircuitBreakerFields]) -> None:
        super().__init__(fields)


class RateLimitFields(TypedDict, total=False):
    per: Duration
    burst: int


class RateLimit(Part):
    """How often a node may start: `ms.RateLimit(5, per="1m")`."""

    title = "a rate limit"
    __slots__ = ()

    def __init__(self, rate: float, **fields: Unpack[RateLimitFields]) -> None:
        super().__init__({"rate": rate, **fields})


class Resources(Part):
    """Units a running node holds, or a workflow may hold at once."""

    title = "resources"
    __slots__ = ()

    def __init__(self, *, cpu: float = 0, memory: float = 0, io: float = 0) -> None:
        super().__init__({"cpu": cpu, "memory": memory, "io": io})


class CacheFields(TypedDict, total=False):
    ttl: Duration


class Cache(Part):
    """When a node's output is used again: `ms.Cache("${ input.id }", ttl="10m")`; without a key, for the same input."""

    title = "a cache"
    __slots__ = ()

    def __init__(self, key: str | None = None, **fields: Unpack[CacheFields]) -> None:
        super().__init__(fields if key is None else {"key": key, **fields})


class BodyFields(TypedDict, total=False):
    nodes: Iterable[Node | model.Node | Spelled]
    connections: Iterable[Connection | model.Connection | Spelled]
    output: Any
    name: str


class Body(Part):
    """A graph within a node: `ms.Node("each", "forEach", config={"items": …, "body": ms.Body(nodes=[…])})`."""

    title = "a body"
    __slots__ = ()

    def __init__(self, **fields: Unpack[BodyFields]) -> None:
        super().__init__(fields)


class NodeFields(TypedDict, total=False):
    name: str
    description: str
    config: Spelled
    handler: Handler | str
    input: Any
    timeout: Duration
    retry: Retry | model.Retry | Spelled | int | str | bool
    resilience: Resilience | model.Resilience | Spelled
    compensation_node_id: str | Node
    fallback_node_id: str | Node
    circuit_breaker: CircuitBreaker | model.CircuitBreaker | Spelled
    priority: Literal["high", "normal", "low"]
    max_concurrent_executions: int
    rate_limit: RateLimit | model.RateLimit | Spelled | float
    resources: Resources | model.Resources | Spelled
    pool: str
    adaptive: bool
    cache: Cache | model.Cache | Spelled | Duration | bool
    join: Join | model.Join | Spelled | JoinKind | int
    depends_on: str | Node | Iterable[str | Node]
    input_schema: Spelled
    output_schema: Spelled
    position: model.Position | Spelled
    tags: str | Iterable[str]
    metadata: Spelled


class Node(Part):
    """A step: `ms.Node("charge", charge)` runs a function, `ms.Node("pause", "delay", config={…})` any kind of node.

    A function that is itself a kind (`@ms.node_kind`) makes a node of that kind.
    A node can stand wherever its id can: `depends_on=[charge]`.
    """

    title = "a node"
    __slots__ = ()

    def __init__(self, id: str, type: str | Handler, **fields: Unpack[NodeFields]) -> None:
        said: dict[str, Any] = {"id": id, **_meant_by(type), **fields}
        for name in ("depends_on", "compensation_node_id", "fallback_node_id"):
            if name in said:
                said[name] = _ids(said[name])
        super().__init__(said)


def _meant_by(type: str | Handler) -> dict[str, Any]:
    kind = getattr(type, ATTRIBUTE, None)
    if kind is not None:
        return {"type": kind.name}
    return {"handler": type} if callable(type) else {"type": type}


class ConnectionFields(TypedDict, total=False):
    id: str
    condition: str | bool
    trigger: model.Trigger
    source_port: str
    target_port: str
    is_compensation: bool


class Connection(Part):
    """An edge: `ms.Connection("charge", "alarm", trigger="fail")`. A node can stand for its id."""

    title = "a connection"
    __slots__ = ()

    def __init__(self, source: str | Node, target: str | Node, **fields: Unpack[ConnectionFields]) -> None:
        super().__init__({"source": _ids(source), "target": _ids(target), **fields})


class WorkflowFields(TypedDict, total=False):
    nodes: Iterable[Node | model.Node | Spelled]
    connections: Iterable[Connection | model.Connection | Spelled]
    name: str
    description: str
    version: str | int
    variables: Spelled
    input_schema: Spelled
    output: Any
    output_schema: Spelled
    timeout: Duration
    max_concurrency: int
    quotas: Resources | model.Resources | Spelled
    retry: Retry | model.Retry | Spelled | int | str | bool
    retry_budget: int
    failure_policy: model.FailurePolicy
    max_partial_failures: int
    critical_step_ratio: float
    termination_threshold: float
    resilience: model.ResilienceSpec | Spelled
    compensation_scope: Literal["branch", "workflow"]
    compensate_on_cancel: bool
    checkpoint: model.Checkpoint | Spelled | Literal["each", "count", "interval", "manual"]
    defaults: Literal["none", "short"]
    triggers: Iterable[model.TriggerSpec | Spelled]
    invariants: str | Iterable[model.Invariant | Spelled | str]
    check: model.Check | Spelled
    tags: str | Iterable[str]
    metadata: Spelled


class WorkflowPart(Part):
    """All that was said of a workflow."""

    title = "a workflow"
    __slots__ = ()


def _ids(value: Any) -> Any:
    """A node where its id is meant is that id."""
    if isinstance(value, Node):
        return value.said["id"]
    return [_ids(item) for item in value] if isinstance(value, list | tuple) else value
