"""The definition of a workflow, frozen. Three doors (YAML, JSON, Python) lead to this one model.

All durations are whole milliseconds. Absent means None: the default is applied where the value is used, so that saving
a definition never writes down what its author left open. What is said under each field is its entry in the reference
and in the JSON Schema.
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
    """When a failed attempt is tried again."""

    strategy: Literal["none", "fixed", "linear", "exponential"] = "exponential"
    """How the delay grows: not at all, by the first delay each time, or by `multiplier`; `none` is no retry."""
    max_attempts: int = 3
    """Attempts in all, the first one included. (`maxRetries` counts those after the first.)"""
    initial_delay: int = 1_000
    """The delay before the first retry."""
    max_delay: int = 60_000
    """No delay is longer."""
    multiplier: float = 2.0
    """What an exponential delay grows by."""
    jitter: float = 0.25
    """The share of each delay that is left to chance, so that not all come back at once."""
    retry_on: tuple[str, ...] = ()
    """Only errors of these types (or of one derived from them) are tried again; `*` is any."""
    do_not_retry_on: tuple[str, ...] = ()
    """Errors of these types are never tried again."""


class Join(Part, frozen=True, kw_only=True):
    """How many tokens a node waits for."""

    kind: Literal["all", "any", "n", "each", "ports"] = "all"
    """All of them, the first message, the n-th message, each message by itself, or one from each target port."""
    n: int | None = None
    """How many messages, where the kind is `n`."""
    cancel_others: bool = False
    """With `any` and `n`: stops what has become pointless once the join is satisfied."""
    capacity: int | None = None
    """How many messages may wait where the node runs more than once (at least one for each connection)."""


class FallbackAction(Part, frozen=True, kw_only=True):
    """An action to run instead of a node that failed for good."""

    type: str
    """The action: the name of a registered task, or `module:function`."""
    config: dict[str, Any] = {}
    """What the action is told. Keys beside `type` go here too."""


class Resilience(Part, frozen=True, kw_only=True):
    """What a node's failure means for the instance."""

    policy: str | None = None
    """The name of a policy in the resilience file."""
    failure_policy: FailurePolicy | None = None
    """What an unhandled failure of this node means, in place of the workflow's policy."""
    is_critical: bool | None = None
    """Whether the instance fails with this node, whatever else succeeds."""
    failure_impact: FailureImpact | None = None
    """How much a failure of this node weighs."""
    fallback_actions: tuple[FallbackAction, ...] = ()
    """What is tried in place of this node once it failed for good, one after the other."""
    compensate_failed: bool = False
    """Whether this node is compensated even when it failed."""
    compensate_in_doubt: bool = False
    """Whether this node is compensated when it was cancelled while it ran."""


class CircuitBreaker(Part, frozen=True, kw_only=True):
    """When calls of a failing target are no longer made."""

    target: str | None = None
    """What is called; nodes with the same target share a breaker. Without one the node has a breaker of its own."""
    failure_threshold: float = 0.5
    """The share of failed calls that opens the breaker."""
    minimum_throughput: int = 10
    """So many calls are needed before the share counts."""
    open_for: int = 30_000
    """How long no call is made once it is open."""
    half_open_successes: int = 3
    """So many trial calls must succeed before it closes again."""
    window: int | None = None
    """So many of the last calls count: 100 where neither this nor `windowTime` is said."""
    window_time: int | None = None
    """Only calls that ended so recently count."""
    slow_call: int | None = None
    """A call that took longer counts as failed, whatever it gave."""
    slow_call_threshold: float | None = None
    """The share of slow calls that opens the breaker; with it they no longer count as failed."""
    canary: bool = False
    """Whether a quarter, then a half of the calls are made after the trial calls, before it closes."""
    retry_ratio: float | None = None
    """The share of the target's calls that may be retries; a retry beyond it is not made."""


class RateLimit(Part, frozen=True, kw_only=True):
    """A token bucket: how often a node may start."""

    rate: float
    """Starts in each `per`."""
    per: int = 1_000
    """The time that `rate` counts in."""
    burst: int | None = None
    """Starts at once, after a quiet time."""


class Resources(Part, frozen=True, kw_only=True):
    """Units that a running node holds, or that a workflow may hold at once."""

    cpu: float = 0
    """Units of computing."""
    memory: float = 0
    """Units of memory."""
    io: float = 0
    """Units of input and output."""


class Cache(Part, frozen=True, kw_only=True):
    """When a node's output is used again instead of doing its work."""

    key: str | None = None
    """A template such as `${ input.id }`: the same key, the same output. Without one the whole input is the key."""
    ttl: int = 3_600_000
    """How long an output is good for."""


class Position(Part, frozen=True, kw_only=True):
    """Where an editor draws a node."""

    x: float = 0
    """To the right."""
    y: float = 0
    """Downwards."""


class Node(Part, frozen=True, kw_only=True):
    """A step of a workflow."""

    id: str
    """Names the node in connections, expressions, events and paths: letters, digits, `_`, `-` and `:`."""
    type: str
    """The kind of node. Left out where `handler`, `scriptPath` or `action` says it."""
    name: str | None = None
    """What people call it."""
    description: str | None = None
    """What it is for."""
    config: dict[str, Any] = {}
    """What this kind of node is told: the `handler` of a function, the `path` of a script, the `body` of a loop."""
    input: Any = None
    """The node's input, with `${ expressions }`; without it the input is what the incoming messages carry."""
    timeout: int | None = None
    """How long one attempt may take."""
    retry: Retry | None = None
    """When a failed attempt is tried again, in place of the workflow's `retry`."""
    resilience: Resilience | None = None
    """What a failure means for the instance."""
    compensation_node_id: str | None = None
    """The node that undoes this one's work. It is off the graph: nothing else leads to it."""
    fallback_node_id: str | None = None
    """The node that stands in for this one once it failed for good. It is off the graph too."""
    circuit_breaker: CircuitBreaker | None = None
    """When the work is not even tried because it keeps failing."""
    priority: Literal["high", "normal", "low"] | None = None
    """Which of several waiting nodes starts first; normal where nothing is said."""
    max_concurrent_executions: int | None = None
    """How many runs of this node may be under way at once, over all instances."""
    rate_limit: RateLimit | None = None
    """How often the node may start, over all instances."""
    resources: Resources | None = None
    """What the node holds of the workflow's `quotas`, and of the engine's, while it runs."""
    pool: str | None = None
    """The pool of the engine that the node has a place of while it runs, over all workflows."""
    adaptive: bool = False
    """Whether fewer of this node run at once while it fails or is slow: at most `maxConcurrentExecutions` (100 where
    nothing is said)."""
    cache: Cache | None = None
    """When an earlier output is used again instead of doing the work."""
    join: Join | None = None
    """How many of its incoming messages the node waits for; all where nothing is said."""
    depends_on: tuple[str, ...] = ()
    """Nodes that this one follows, as if there were plain connections from them."""
    input_schema: dict[str, Any] | None = None
    """A JSON Schema that the input must meet."""
    output_schema: dict[str, Any] | None = None
    """A JSON Schema that the output must meet."""
    position: Position | None = None
    """Where an editor draws the node."""
    tags: tuple[str, ...] = ()
    """Words to find it by; policies may match them."""
    metadata: dict[str, Any] = {}
    """Whatever else people or tools want to keep with it; mainspring does not read it."""


class Connection(Part, frozen=True, kw_only=True):
    """An edge. It fires when its trigger, its source port and its condition all say so."""

    source: str
    """The id of the node it comes from."""
    target: str
    """The id of the node it leads to."""
    id: str | None = None
    """Its own id, where something must name it."""
    condition: str | None = None
    """An expression over `output`, `error`, `input`, `nodes` and `variables` that must be true."""
    trigger: Trigger = "complete"
    """Whether it fires when the source completed, when it failed, or both ways; a list of the two is both."""
    source_port: str | None = None
    """The port of the source that it starts from; without one the primary output."""
    target_port: str | None = None
    """The port of the target that it leads into."""
    is_compensation: bool = False
    """Leads to the node that undoes the source's work, and carries no messages."""


class Body(Part, frozen=True, kw_only=True):
    """A graph within a node, such as what a loop repeats. It is a scope of its own."""

    nodes: tuple[Node, ...]
    """Its steps. A body that is a list is the list of its nodes."""
    connections: tuple[Connection, ...] = ()
    """Its edges."""
    output: Any = None
    """What one pass gives, with `${ expressions }`; without it the output of its only leaf, or of its leaves by id."""
    name: str | None = None
    """What a branch of a `race` is called, which is the port that the race leaves by when it wins."""


class Checkpoint(Part, frozen=True, kw_only=True):
    """How far the dispatch of tasks may run ahead of what is durable."""

    policy: Literal["each", "count", "interval", "manual"] = "each"
    """Not at all, by a count of completions, by a time, or until somebody asks."""
    count: int | None = None
    """How many completions, where the policy is `count`."""
    interval: int | None = None
    """How long, where the policy is `interval`."""


class TriggerSpec(Part, frozen=True, kw_only=True):
    """What starts a workflow by itself."""

    type: str
    """The kind: `cron`, `event`, `webhook` …"""
    id: str | None = None
    """Names it."""
    config: dict[str, Any] = {}
    """What this kind is told. Keys beside `type` and `id` go here too."""


class Invariant(Part, frozen=True, kw_only=True):
    """What must be true of every run once it is over. `mainspring check` looks for one of which it is not."""

    expression: str
    """An expression over `nodes`, `input`, `output`, `variables` and `status`. An invariant that is a text is this."""
    name: str | None = None
    """What people call it."""


class Check(Part, frozen=True, kw_only=True):
    """What `mainspring check` works on: its tasks are modelled, and do nothing."""

    input: Any = None
    """The input of the instances. Without it one is made up that the `inputSchema` allows."""
    outputs: dict[str, Any] = {}
    """What nodes give, by their ids. Without it one is made up: by the `outputSchema`, or by what expressions look at."""


class StepPolicy(Part, frozen=True, kw_only=True):
    """What holds for the nodes that it matches."""

    match: tuple[str, ...] = ()
    """Types, types of actions, tags or categories of nodes; without any, the policy's own name is the word."""
    failure_policy: FailurePolicy | None = None
    """What an unhandled failure of such a node means for the instance."""
    is_critical: bool | None = None
    """Whether the instance fails with such a node, whatever else succeeds."""
    failure_impact: FailureImpact | None = None
    """How much such a node's failure weighs."""
    retry: Retry | None = None
    """When a failed attempt is tried again."""
    timeout: int | None = None
    """How long one attempt may take."""
    fallback_actions: tuple[FallbackAction, ...] = ()
    """What is tried in place of such a node once it failed for good, one after the other."""
    circuit_breaker: CircuitBreaker | None = None
    """When calls are no longer made because they keep failing."""
    rate_limit: RateLimit | None = None
    """How often such nodes may start."""
    compensate_failed: bool = False
    """Whether a failed node is compensated too."""
    compensate_in_doubt: bool = False
    """Whether a node that was cancelled while it ran is compensated too."""


class ResilienceSpec(Part, frozen=True, kw_only=True):
    """The rules of a resilience file."""

    name: str | None = None
    """What the rules are called where a decision names them; without it the `name` in the file's metadata."""
    default_failure_policy: FailurePolicy | None = None
    """What an unhandled failure means where neither node nor workflow says it."""
    max_partial_failures: int | None = None
    """How many nodes may fail for the instance still to be a partial success."""
    critical_step_ratio: float | None = None
    """The share of critical nodes that must succeed for a partial success."""
    termination_threshold: float | None = None
    """The share of all nodes that, failed and critical, ends the instance at once."""
    retry: Retry | None = None
    """When a failed attempt is tried again where neither node nor workflow says it."""
    retry_budget: int | None = None
    """How many retries one instance may use in all."""
    step_policies: dict[str, StepPolicy] = {}
    """Policies for nodes of a kind, by name."""


class Workflow(Part, frozen=True, kw_only=True):
    """A whole definition. Its identity is the hash of its canonical form."""

    id: str
    """Names the workflow. Left out, it is made of the name."""
    nodes: tuple[Node, ...]
    """Its steps: a list, or an object of them by id."""
    connections: tuple[Connection, ...] = ()
    """Its edges; `dependsOn` of the nodes adds plain ones."""
    name: str | None = None
    """What people call it."""
    description: str | None = None
    """What it is for."""
    version: str | int | None = None
    """The author's own version. A number with a point needs quotes."""
    variables: dict[str, Any] = {}
    """Variables that an instance begins with."""
    input_schema: dict[str, Any] | None = None
    """A JSON Schema that an instance's input must meet."""
    output: Any = None
    """An instance's output, with `${ expressions }`; without it the output of its only leaf, or of its leaves by id."""
    output_schema: dict[str, Any] | None = None
    """A JSON Schema that an instance's output must meet."""
    timeout: int | None = None
    """How long an instance may take, downtime included."""
    max_concurrency: int | None = None
    """How many nodes of one instance may run at once."""
    quotas: Resources | None = None
    """What the running nodes of one instance may hold together."""
    retry: Retry | None = None
    """When a failed attempt is tried again, for nodes that do not say it themselves."""
    retry_budget: int | None = None
    """How many retries one instance may use in all."""
    failure_policy: FailurePolicy | None = None
    """What an unhandled failure means: other branches go on (`continue`, the default), all stops (`fail_fast`), what
    succeeded stands (`partial_success`), or fallbacks stand in (`graceful_degradation`)."""
    max_partial_failures: int | None = None
    """How many nodes may fail for the instance still to be a partial success."""
    critical_step_ratio: float | None = None
    """The share of critical nodes that must succeed for a partial success."""
    termination_threshold: float | None = None
    """The share of all nodes that, failed and critical, ends the instance at once."""
    resilience: ResilienceSpec | None = None
    """The rules of a resilience file: what they say holds where the workflow and its nodes do not say it themselves."""
    compensation_scope: Literal["branch", "workflow"] | None = None
    """What a failure undoes: the failed branch, or everything that completed."""
    compensate_on_cancel: bool = False
    """Whether cancelling an instance undoes its work."""
    checkpoint: Checkpoint | None = None
    """How far the dispatch of tasks may run ahead of what is durable."""
    defaults: Literal["none", "short"] | None = None
    """`short` gives nodes a timeout of 10 s and the instance one of 30 s where they have none of their own."""
    triggers: tuple[TriggerSpec, ...] = ()
    """What starts the workflow by itself."""
    invariants: tuple[Invariant, ...] = ()
    """What must be true of every run at its end, for `mainspring check`."""
    check: Check | None = None
    """What `mainspring check` works on."""
    tags: tuple[str, ...] = ()
    """Words to find it by. `metadata.tags` are these too."""
    metadata: dict[str, Any] = {}
    """Whatever else people or tools want to keep with it, such as `createdAt`, `updatedAt` and `createdBy`."""
