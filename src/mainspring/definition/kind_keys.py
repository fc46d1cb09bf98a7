"""What blocks and waits are told in their config: every key with its meaning and its spellings.

One table for the doors, the checks, the JSON Schema, the reference and `mainspring nodes`. Other kinds of node may hold keys
of their authors' own; of these every key is known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

LOOPS = frozenset(("forEach", "while", "until"))
"""Blocks whose bodies see `item`, `index` and `loop`."""

RANGE_KEYS = ("from", "to", "step")
ON_ERROR = ("failFast", "collect")
SELF = "self"
"""What a subflow calls its own workflow."""

WAITS_FOR = ("signal", "event", "approval")
"""What a wait may wait for: one of these keys is in its config."""


class Key(NamedTuple):
    """`schema` is its part of the JSON Schema, `also` its other spellings."""

    meaning: str
    schema: dict[str, Any] = {}
    also: str = ""


_text: dict[str, Any] = {"type": "string"}
_texts: dict[str, Any] = {"anyOf": [_text, {"type": "array", "items": _text}]}
_condition: dict[str, Any] = {"type": ["string", "boolean"]}
_flag: dict[str, Any] = {"type": "boolean"}
_number: dict[str, Any] = {"type": ["number", "string"]}


def _count(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


concurrency_max = 10_000
loop_items_max = 1_000_000
iterations_max = 1_000_000

_concurrency = "maxConcurrency maxConcurrent maxParallel maxParallelism parallelism degreeOfParallelism"
_body = Key("the graph: `nodes`, `connections`, `output`, or just a list of nodes", also="do loopBody")
_branches = Key(
    "the bodies: a list, each perhaps with a `name`; or an object of them by name",
    {"type": ["array", "object"]},
    "paths lanes tracks",
)
_on_error = Key(
    "`failFast`: the first failed body fails the node; `collect`: it goes on, and the output is {results, errors}. "
    "failFast where left out, unless there is a `succeedAt`",
    also="onFailure errorPolicy errorHandling",
)
_succeed_at = Key(
    "done once so many bodies have completed; the output is {results, errors}",
    _count(loop_items_max),
    "minSuccess minimumSuccesses successThreshold completionThreshold",
)
_passes = {
    "initial": Key(
        "the state that the first pass begins with; the node's input where left out",
        also="initialState initialValue init state",
    ),
    "maxIterations": Key(
        "more passes fail the node with IterationLimit; 1,000 where left out, at most 1,000,000",
        _count(iterations_max),
        "maxLoops maxPasses maxTurns iterationsMax iterationLimit maxCount",
    ),
    "collect": Key("true: the output is the list of the passes' outputs", _flag, "collectOutputs collectResults"),
    "body": _body,
}

KIND_KEYS: dict[str, dict[str, Key]] = {
    "forEach": {
        "items": Key(
            "the list, as an expression or `${ … }`; an object stands for its {key, value}, a whole number n for 0 to n-1",
            {"type": ["string", "array", "object", "integer"]},
            "collection list elements array over in times",
        ),
        "range": Key(
            "instead: {from, to, step}, the numbers from `from` (0) to `to`, both included",
            {"type": "object", "properties": dict.fromkeys(RANGE_KEYS, _number)},
        ),
        "body": _body,
        "concurrency": Key(
            "how many bodies at a time; 1 where left out, at most 10,000", _count(concurrency_max), _concurrency
        ),
        "onError": _on_error,
        "succeedAt": _succeed_at,
        "stopWhen": Key(
            "a condition over `value` (a body's output), `item` and `index`: true ends the loop with what there is",
            _condition,
            "breakWhen breakIf stopIf completionCondition",
        ),
        "more": Key("`${ … }` over the same: a list of items to be added, or null", also="moreItems addItems"),
    },
    "while": {
        "condition": Key(
            "an expression over `value` (the state) and `index`, looked at before each pass",
            _condition,
            "expression while test when",
        ),
        **_passes,
    },
    "until": {
        "condition": Key(
            "an expression over `value` (the state) and `index`, looked at after each pass",
            _condition,
            "expression until test when",
        ),
        **_passes,
    },
    "parallel": {
        "branches": _branches,
        "concurrency": Key(
            "how many at a time; all where left out, at most 10,000", _count(concurrency_max), _concurrency
        ),
        "onError": _on_error,
        "succeedAt": _succeed_at,
    },
    "race": {"branches": _branches},
    "mutex": {
        "name": Key("the lock, with `${ … }` for what is computed", _text, "lock lockName key resource mutex"),
        "body": _body,
    },
    "subflow": {
        "workflow": Key(
            "the id of the workflow to start; `self` is this one",
            _text,
            "workflowId workflowName flow flowId subflow subWorkflow childWorkflow",
        ),
        "version": Key(
            "which version of it; the newest where left out", {"type": ["string", "number"]}, "workflowVersion"
        ),
        "wait": Key(
            "false: goes on at once, with {instance: id}; true where left out", _flag, "waitForCompletion await sync"
        ),
        "output": Key(
            "with `${ … }`: what to make of the output, which is `value`; just that where left out",
            also="outputMapping",
        ),
        "body": Key("instead: a graph of its own", also="do"),
    },
    "wait": {
        "signal": Key("the name of a signal, or a list of names", _texts, "signalName signals signalNames"),
        "event": Key("instead: the name of an event, or a list of names", _texts, "eventName events eventType"),
        "approval": Key("instead: the name of an approval", _text, "approvalName"),
        "schema": Key(
            "a JSON Schema: only a payload that meets it is taken", {"type": "object"}, "payloadSchema jsonSchema"
        ),
        "transient": Key(
            "true: what came before the wait began is not kept for it; true for events where left out, else false",
            _flag,
        ),
    },
    "delay": {
        "duration": Key(
            "`500ms`, `10s`, `5m`, `1h`, `2d`, milliseconds, or `${ … }` that gives one; at most ten years"
        ),
        "until": Key(
            "instead: a time, as ISO 8601 (UTC where no zone is said), UTC milliseconds, or `${ … }` that gives one",
            {"type": ["string", "number"]},
            "at time date timestamp deadline resumeAt sleepUntil waitUntil",
        ),
    },
    "cancel": {"nodes": Key("the ids of nodes of the same graph: a list, or one", _texts, "node targets target steps")},
    "milestone": {
        "after": Key(
            "the way is open once this node completed; from the start where left out", _text, "afterNode since"
        ),
        "before": Key("the way is closed once this node has begun; never where left out", _text, "beforeNode until"),
    },
}

CLOSED = frozenset(KIND_KEYS) - {"delay"}
"""Kinds whose configs hold no other keys. Editors keep a word of their own in delays."""


def _plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").replace(" ", "").lower()


_canonical = {
    kind: {_plain(word): name for name, key in keys.items() for word in (name, *key.also.split())}
    for kind, keys in KIND_KEYS.items()
}


class KindWords:
    """The keys of one kind's config, in any spelling."""

    def __init__(self, kind: str) -> None:
        self._words = _canonical[kind]

    def find(self, key: str) -> str | None:
        """The canonical key; None where nobody knows it."""
        return self._words.get(_plain(key)) if len(key) < 100 else None


KIND_WORDS = {kind: KindWords(kind) for kind in KIND_KEYS}
