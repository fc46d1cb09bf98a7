"""The words of definition files: every spelling that is read, and the one that is written.

Keys are found by their name without `_`, `-` and capitals, so that camelCase, snake_case and kebab-case need no rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from mainspring.definition import model

# Where a value is a duration; by the canonical key, in the structs of the model (never within config).
duration_fields = {
    model.Workflow: ("timeout",),
    model.Node: ("timeout",),
    model.Retry: ("initialDelay", "maxDelay"),
    model.CircuitBreaker: ("openFor",),
    model.RateLimit: ("per",),
    model.Checkpoint: ("interval",),
    model.Cache: ("ttl",),
}


def plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").replace(" ", "").lower()


class Words:
    """The keys of one struct: `read` maps all spellings to the canonical one."""

    def __init__(self, struct: type[Struct], spellings: dict[str, str], extra: Iterable[str] = ()) -> None:
        self.canonical = [field.encode_name for field in fields(struct)]
        self.read = {plain(name): name for name in (*self.canonical, *extra)}
        for name, all_spellings in spellings.items():
            self.read.update((plain(word), name) for word in all_spellings.split())
        # Filled as words come: a file of thousands of nodes has few of them.
        self.seen: dict[str, str | None] = {name: name for name in self.canonical}

    def find(self, key: str) -> str | None:
        try:
            return self.seen[key]
        except KeyError:
            found = self.read.get(plain(key)) if len(key) < 100 else None
            if len(self.seen) < 10_000:
                self.seen[key] = found
            return found


workflow = Words(
    model.Workflow,
    {
        "id": "workflowId",
        "name": "workflowName",
        "description": "workflowDescription",
        "version": "workflowVersion",
        "nodes": "steps",
        "connections": "edges links",
        "output": "outputMapping outputs",
        "variables": "vars",
        "maxConcurrency": "maxConcurrent maxParallelism",
        "quotas": "resourceQuotas",
        "retry": "retryPolicy",
        "failurePolicy": "defaultFailurePolicy onFailure",
        "checkpoint": "checkpointPolicy",
    },
)
node = Words(
    model.Node,
    {
        "id": "nodeId stepId",
        "name": "nodeName displayName stepName",
        "description": "nodeDescription",
        "type": "nodeType stepType",
        "config": "configuration parameters params",
        "input": "inputs inputMapping",
        "retry": "retryPolicy",
        "resources": "resourceRequirements",
        "cache": "cachePolicy resultCache caching",
        "join": "joinPolicy joinType",
        "dependsOn": "dependencies needs",
        "compensationNodeId": "compensationNode compensateWith",
        "fallbackNodeId": "fallbackNode fallback",
        "circuitBreaker": "circuitBreakerPolicy",
        "maxConcurrentExecutions": "maxConcurrency maxConcurrent",
        "handler": "functionName handlerId",
        "code": "functionCode",
        "path": "scriptPath",
        "runtime": "runtimeType",
        "body": "do loopBody",
    },
    ("handler", "code", "path", "runtime", "data", "action", "body", "branches"),
)
connection = Words(
    model.Connection,
    {
        "id": "connectionId edgeId",
        "source": "sourceNodeId sourceNode sourceId from",
        "target": "targetNodeId targetNode targetId to",
        "condition": "when if",
        "trigger": "triggerMessageType messageType on",
        "sourcePort": "fromPort sourceHandle outputPort",
        "targetPort": "toPort targetHandle inputPort",
        "isCompensation": "compensation",
    },
)
body = Words(model.Body, {"nodes": "steps", "connections": "edges links", "output": "outputMapping outputs"})
retry = Words(
    model.Retry,
    {
        "strategy": "backoff backoffStrategy retryStrategy type",
        "maxAttempts": "attempts",
        "initialDelay": "delay retryDelay initialDelayMs",
        "maxDelay": "maxDelayMs",
        "multiplier": "backoffMultiplier backoffFactor factor",
    },
    ("maxRetries",),
)
resilience = Words(
    model.Resilience,
    {
        "policy": "stepPolicy policyName",
        "isCritical": "critical",
        "failureImpact": "impact",
        "strategy": "retryStrategy backoff",
    },
    ("maxRetries", "retryDelay", "strategy"),
)
circuit_breaker = Words(model.CircuitBreaker, {"openFor": "openDuration breakDuration openTimeout"})
rate_limit = Words(model.RateLimit, {"rate": "limit", "per": "interval period"})
resources = Words(model.Resources, {"io": "ioUnits"})
cache = Words(
    model.Cache, {"key": "cacheKey keyExpression", "ttl": "timeToLive cacheTtl cacheTimeout expiresAfter maxAge"}
)
position = Words(model.Position, {})
join = Words(model.Join, {}, ("all", "any", "each", "ports"))
checkpoint = Words(model.Checkpoint, {"policy": "type", "count": "every"})
fallback_action = Words(model.FallbackAction, {})
trigger_spec = Words(model.TriggerSpec, {"type": "triggerType"})

runtimes = {
    **dict.fromkeys(("bash", "sh", "shell", "bashscript", "shellscript"), "bash"),
    **dict.fromkeys(("python", "python3", "py", "pythonscript"), "python"),
    **dict.fromkeys(("powershell", "pwsh", "ps1", "powershellscript"), "powershell"),
    **dict.fromkeys(("csharp", "c#", "csharpscript", "csx", "cs", "dotnetscript"), "csharp"),
    **dict.fromkeys(("node", "nodejs", "node.js", "javascript", "js", "javascriptscript", "nodescript"), "node"),
}
runtime_of_suffix = {
    **dict.fromkeys(("sh", "bash"), "bash"),
    "py": "python",
    "ps1": "powershell",
    "csx": "csharp",
    **dict.fromkeys(("js", "mjs", "cjs"), "node"),
}
triggers = {
    **dict.fromkeys(("complete", "completed", "success", "succeeded", "oncomplete", "onsuccess"), "complete"),
    **dict.fromkeys(("fail", "failed", "failure", "error", "onfail", "onfailure", "onerror"), "fail"),
    **dict.fromkeys(("all", "always", "any", "both", "completefail", "complete,fail", "complete|fail"), "all"),
}
# All kinds of nodes that mainspring knows by itself, in the form that is written.
node_types = frozenset(
    (
        *("function", "script", "http", "email", "sql", "transform", "delay", "log"),
        *("if", "switch", "decision", "while", "until", "forEach", "subflow", "parallel", "race", "join"),
        *("wait", "mutex", "milestone", "terminate"),
        *("trigger", "timer", "event", "webhook"),
    )
)
_node_type_spellings = {
    **{plain(name): name for name in node_types},
    **dict.fromkeys(("subworkflow", "childworkflow", "workflow"), "subflow"),
    **dict.fromkeys(("foreachloop", "map"), "forEach"),
    **dict.fromkeys(("task", "callable", "pythonfunction"), "function"),
    **dict.fromkeys(("httprequest", "rest"), "http"),
    **dict.fromkeys(("sendemail", "mail"), "email"),
}


def node_type(word: str) -> str:
    """The canonical name of a type; a type that nobody knows here stays as it is (custom types have any name)."""
    return word if word in node_types else _node_type_spellings.get(plain(word), word)


def is_resilience(tree: dict[str, Any]) -> bool:
    """Whether a document means to be a resilience file: workflows have no `kind`, and resilience files no nodes."""
    return any(plain(key) == "kind" for key in tree) and not any(workflow.find(key) == "nodes" for key in tree)
