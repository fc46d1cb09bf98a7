"""The words of definition files: every spelling that is read, and the one that is written.

Keys are found by their name without `_`, `-` and capitals, so that camelCase, snake_case and kebab-case need no rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from mainspring.definition import model
from mainspring.definition.resilience_file import StepPolicy

# Where a value is a duration; by the canonical key, in the structs of the model (never within config).
duration_fields = {
    model.Workflow: ("timeout",),
    model.Node: ("timeout",),
    model.Retry: ("initialDelay", "maxDelay"),
    model.CircuitBreaker: ("openFor", "windowTime", "slowCall"),
    model.RateLimit: ("per",),
    model.Checkpoint: ("interval",),
    model.Cache: ("ttl",),
    StepPolicy: ("timeout",),
}


def plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").replace(" ", "").lower()


class Choice(dict[str, str]):
    """A closed set of words: the canonical one by the plain form of each; `spelled` has them as people write them."""

    def __init__(self, spellings: dict[str, str]) -> None:
        self.spelled = {name: (name, *words.split()) for name, words in spellings.items()}
        super().__init__({plain(word): name for name, words in self.spelled.items() for word in words})


class Words:
    """The keys of one struct: `read` maps all spellings to the canonical one.

    `extra` are keys that the struct has no field for, each with its meaning: what they say goes elsewhere.
    """

    def __init__(self, struct: type[Struct], spellings: dict[str, str], extra: Mapping[str, str] | None = None) -> None:
        self.struct = struct
        self.extra = dict(extra or {})
        self.spellings = {name: tuple(words.split()) for name, words in spellings.items()}
        self.canonical = [field.encode_name for field in fields(struct)]
        self.read = {plain(name): name for name in (*self.canonical, *self.extra)}
        for name, words in self.spellings.items():
            self.read.update((plain(word), name) for word in words)
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


_max_retries = "Attempts after the first: one less than `maxAttempts`."
retry_shorthands = {
    "maxRetries": _max_retries,
    "retryDelay": "The `initialDelay` of the `retry`.",
    "strategy": "The `strategy` of the `retry`; `fixed` where only these are given.",
}

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
    dict.fromkeys(("createdAt", "updatedAt", "createdBy"), "Goes to `metadata`."),
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
    {
        "handler": "The function of a function node: `module:function` or the name of a registered task.",
        "code": "The code itself, of a script or a function node.",
        "path": "The file of a script node.",
        "runtime": "What runs a script: bash, python, node, powershell or csharp.",
        "data": "An editor's block: what the node has a key for goes there, the rest to `config`.",
        "action": "The name of a registered task, or an object of it (`type`) and its config.",
        "body": "The graph of a loop, a mutex or a subflow.",
        "branches": "The graphs that run side by side.",
    },
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
body = Words(
    model.Body,
    {"nodes": "steps", "connections": "edges links", "output": "outputMapping outputs", "name": "id branchName"},
)
retry = Words(
    model.Retry,
    {
        "strategy": "backoff backoffStrategy retryStrategy type",
        "maxAttempts": "attempts",
        "initialDelay": "delay retryDelay initialDelayMs",
        "maxDelay": "maxDelayMs",
        "multiplier": "backoffMultiplier backoffFactor factor",
    },
    {"maxRetries": _max_retries},
)
resilience = Words(
    model.Resilience,
    {
        "policy": "stepPolicy policyName",
        "isCritical": "critical",
        "failureImpact": "impact",
        "strategy": "retryStrategy backoff",
    },
    retry_shorthands,
)
circuit_breaker = Words(
    model.CircuitBreaker,
    {
        "openFor": "openDuration breakDuration openTimeout",
        "window": "windowSize slidingWindowSize",
        "windowTime": "windowDuration slidingWindowTime",
        "slowCall": "slowCallDuration slowCallDurationThreshold",
        "slowCallThreshold": "slowCallRateThreshold",
        "retryRatio": "retryBudget",
    },
)
rate_limit = Words(model.RateLimit, {"rate": "limit", "per": "interval period"})
resources = Words(model.Resources, {"io": "ioUnits"})
cache = Words(
    model.Cache, {"key": "cacheKey keyExpression", "ttl": "timeToLive cacheTtl cacheTimeout expiresAfter maxAge"}
)
position = Words(model.Position, {})
join = Words(
    model.Join,
    {},
    {
        "all": "`all: true` is the kind `all`.",
        "any": "`any: true` is the kind `any`.",
        "each": "`each: true` is the kind `each`.",
        "ports": "`ports: true` is the kind `ports`.",
    },
)
checkpoint = Words(model.Checkpoint, {"policy": "type", "count": "every"})
fallback_action = Words(model.FallbackAction, {})
trigger_spec = Words(model.TriggerSpec, {"type": "triggerType"})
invariant = Words(model.Invariant, {"expression": "condition holds", "name": "id"})
check = Words(model.Check, {"input": "inputs", "outputs": "output"})
words = (
    *(workflow, node, connection, body, retry, resilience, circuit_breaker, rate_limit, resources, cache, position),
    *(join, checkpoint, fallback_action, trigger_spec, invariant, check),
)

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
triggers = Choice(
    {
        "complete": "completed success succeeded onComplete onSuccess",
        "fail": "failed failure error onFail onFailure onError",
        "all": "always any both completeFail complete,fail complete|fail",
    }
)
# All kinds of nodes that mainspring knows by itself, in the form that is written.
node_types = frozenset(
    (
        *("function", "script", "http", "email", "sql", "transform", "delay", "log"),
        *("if", "switch", "decision", "while", "until", "forEach", "subflow", "parallel", "race", "join"),
        *("wait", "mutex", "milestone", "cancel", "terminate"),
        *("trigger", "timer", "event", "webhook"),
    )
)
node_type_choice = Choice(
    {
        **dict.fromkeys(sorted(node_types), ""),
        "function": "task callable pythonFunction",
        "http": "httpRequest rest",
        "email": "sendEmail mail",
        "delay": "sleep sleepUntil delayUntil",
        "forEach": "forEachLoop map iterate iterator",
        "while": "whileLoop loop repeat",
        "until": "untilLoop repeatUntil doUntil",
        "parallel": "fork split forkJoin",
        "race": "firstOf select",
        "mutex": "criticalSection lock exclusive",
        "subflow": "subWorkflow childWorkflow workflow call callWorkflow executeWorkflow",
        "wait": "signal waitForSignal waitSignal waitForEvent approval humanApproval manualApproval waitForApproval human "
        "humanTask userTask",
        "cancel": "cancelNodes cancelRegion",
    }
)
meant_by_type = {
    **dict.fromkeys(("signal", "waitforsignal", "waitsignal"), "signal"),
    "waitforevent": "event",
    **dict.fromkeys(("approval", "humanapproval", "manualapproval", "waitforapproval"), "approval"),
    **dict.fromkeys(("human", "humantask", "usertask"), "approval"),
}
"""What a wait waits for, where its type says so."""


def node_type(word: str) -> str:
    """The canonical name of a type; a type that nobody knows here stays as it is (custom types have any name)."""
    return word if word in node_types else node_type_choice.get(plain(word), word)


def is_resilience(tree: dict[str, Any]) -> bool:
    """Whether a document means to be a resilience file: workflows have no `kind`, and resilience files no nodes."""
    return any(plain(key) == "kind" for key in tree) and not any(workflow.find(key) == "nodes" for key in tree)


on_error = Choice(
    {"failFast": "stop fail abort raise terminate", "collect": "continue collectErrors continueOnError keepGoing"}
)
"""What a forEach or parallel does when a body of its has failed."""

delays = {
    **dict.fromkeys(("delay", "delayValue", "delayMs", "milliseconds", "ms", "for"), 1),
    "seconds": 1_000,
    "minutes": 60_000,
}
"""The other names of a delay's `duration`, and what a number there is worth in milliseconds."""
