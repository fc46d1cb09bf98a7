"""The definition of a workflow, frozen. Three doors (YAML, JSON, Python) lead to this one model.

All durations are whole milliseconds. Absent means None: the default is applied where the value is used, so that saving
a definition never writes down what its author left open.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

FailurePolicy = Literal["continue", "fail_fast", "partial_success", "graceful_degradation"]
FailureImpact = Literal["critical", "major", "minor", "negligible"]
Trigger = Literal["complete", "fail", "all"]


class Part(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """What all parts of a definition have in common: camelCase in files, no key that nobody knows."""


class Retry(Part, frozen=True, kw_only=True):
    """When a failed attempt is tried again. `max_attempts` counts the first try."""

    strategy: Literal["none", "fixed", "linear", "exponential"] = "exponential"
    max_attempts: int = 3
    initial_delay: int = 1_000
    max_delay: int = 60_000
    multiplier: float = 2.0
    jitter: float = 0.25
    retry_on: tuple[str, ...] = ()
    do_not_retry_on: tuple[str, ...] = ()


class Join(Part, frozen=True, kw_only=True):
    """How many tokens a node waits for. `n` counts messages where kind is "n".

    `cancel_others` (any and n) stops what has become pointless once the join is satisfied. `capacity` is how many
    messages may wait where the node runs more than once (at least one for each connection).
    """

    kind: Literal["all", "any", "n", "each", "ports"] = "all"
    n: int | None = None
    cancel_others: bool = False
    capacity: int | None = None


class FallbackAction(Part, frozen=True, kw_only=True):
    """An action to run instead of a node that failed for good."""

    type: str
    config: dict[str, Any] = {}


class Resilience(Part, frozen=True, kw_only=True):
    """What a node's failure means for the instance."""

    policy: str | None = None
    failure_policy: FailurePolicy | None = None
    is_critical: bool | None = None
    failure_impact: FailureImpact | None = None
    fallback_actions: tuple[FallbackAction, ...] = ()
    compensate_failed: bool = False
    compensate_in_doubt: bool = False


class CircuitBreaker(Part, frozen=True, kw_only=True):
    """When calls of a failing target are no longer made."""

    target: str | None = None
    failure_threshold: float = 0.5
    minimum_throughput: int = 10
    open_for: int = 30_000
    half_open_successes: int = 3


class RateLimit(Part, frozen=True, kw_only=True):
    """A token bucket: `rate` starts in each `per` milliseconds, `burst` at once."""

    rate: float
    per: int = 1_000
    burst: int | None = None


class Resources(Part, frozen=True, kw_only=True):
    """Units a running node holds, or a workflow may hold at once."""

    cpu: float = 0
    memory: float = 0
    io: float = 0


class Cache(Part, frozen=True, kw_only=True):
    """A node's output is used again for `ttl` milliseconds wherever `key` is the same.

    `key` is a template such as `${ input.id }`; without one the whole input is the key.
    """

    key: str | None = None
    ttl: int = 3_600_000


class Position(Part, frozen=True, kw_only=True):
    """Where an editor draws a node."""

    x: float = 0
    y: float = 0


class Node(Part, frozen=True, kw_only=True):
    """A step. `type` names its kind; `config` is what that kind is told; `input` maps values into it."""

    id: str
    type: str
    name: str | None = None
    description: str | None = None
    config: dict[str, Any] = {}
    input: Any = None
    timeout: int | None = None
    retry: Retry | None = None
    resilience: Resilience | None = None
    compensation_node_id: str | None = None
    fallback_node_id: str | None = None
    circuit_breaker: CircuitBreaker | None = None
    priority: Literal["high", "normal", "low"] | None = None
    max_concurrent_executions: int | None = None
    rate_limit: RateLimit | None = None
    resources: Resources | None = None
    cache: Cache | None = None
    join: Join | None = None
    depends_on: tuple[str, ...] = ()
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    position: Position | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


class Connection(Part, frozen=True, kw_only=True):
    """An edge. It fires when its trigger, its source port and its condition all say so."""

    source: str
    target: str
    id: str | None = None
    condition: str | None = None
    trigger: Trigger = "complete"
    source_port: str | None = None
    target_port: str | None = None
    is_compensation: bool = False


class Body(Part, frozen=True, kw_only=True):
    """A graph within a node, such as what a loop repeats. It is a scope of its own."""

    nodes: tuple[Node, ...]
    connections: tuple[Connection, ...] = ()
    output: Any = None


class Checkpoint(Part, frozen=True, kw_only=True):
    """How far the dispatch of tasks may run ahead of the commits ("each": not at all)."""

    policy: Literal["each", "count", "interval", "manual"] = "each"
    count: int | None = None
    interval: int | None = None


class TriggerSpec(Part, frozen=True, kw_only=True):
    """What starts a workflow by itself."""

    type: str
    id: str | None = None
    config: dict[str, Any] = {}


class Workflow(Part, frozen=True, kw_only=True):
    """A whole definition. Its identity is the hash of its canonical form (see `canonical`)."""

    id: str
    nodes: tuple[Node, ...]
    connections: tuple[Connection, ...] = ()
    name: str | None = None
    description: str | None = None
    version: str | int | None = None
    variables: dict[str, Any] = {}
    input_schema: dict[str, Any] | None = None
    output: Any = None
    output_schema: dict[str, Any] | None = None
    timeout: int | None = None
    max_concurrency: int | None = None
    quotas: Resources | None = None
    retry: Retry | None = None
    retry_budget: int | None = None
    failure_policy: FailurePolicy | None = None
    max_partial_failures: int | None = None
    critical_step_ratio: float | None = None
    termination_threshold: float | None = None
    compensation_scope: Literal["branch", "workflow"] | None = None
    compensate_on_cancel: bool = False
    checkpoint: Checkpoint | None = None
    defaults: Literal["none", "short"] | None = None
    triggers: tuple[TriggerSpec, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
