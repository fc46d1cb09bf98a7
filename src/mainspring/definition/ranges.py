"""The numbers of a definition that make sense only within a range: one table for the checks and for the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mainspring.definition import model
from mainspring.definition.resilience_file import ResilienceSpec

# By struct, then by canonical key: the least and the most (None: no upper bound).
ranges: dict[type[Struct], dict[str, tuple[float, float | None]]] = {
    model.Workflow: {
        "maxConcurrency": (1, None),
        "retryBudget": (0, None),
        "maxPartialFailures": (0, None),
        "criticalStepRatio": (0, 1),
        "terminationThreshold": (0, 1),
    },
    model.Node: {"maxConcurrentExecutions": (1, None)},
    model.Retry: {
        "maxAttempts": (1, 10),
        "jitter": (0, 1),
        "multiplier": (1, 1_000),
        "initialDelay": (0, None),
        "maxDelay": (0, None),
    },
    model.CircuitBreaker: {
        "failureThreshold": (0, 1),
        "minimumThroughput": (1, 10_000),
        "halfOpenSuccesses": (1, None),
        "window": (1, 10_000),
        "windowTime": (1, None),
        "slowCall": (0, None),
        "slowCallThreshold": (0, 1),
        "retryRatio": (0, 1),
    },
    model.RateLimit: {"rate": (1e-9, None), "per": (1, None), "burst": (1, None)},
    model.Cache: {"ttl": (1, None)},
    model.Checkpoint: {"count": (1, None), "interval": (1, None)},
    ResilienceSpec: {
        "maxPartialFailures": (0, None),
        "criticalStepRatio": (0, 1),
        "terminationThreshold": (0, 1),
        "retryBudget": (0, None),
    },
}


def out_of_range(part: Struct) -> Iterator[tuple[str, str]]:
    """The canonical keys of what is out of its range, each with what is wrong."""
    for key, (least, most) in ranges[type(part)].items():
        value = getattr(part, _attributes[type(part)][key])
        if value is None or (value >= least and (most is None or value <= most)):
            continue
        limits = f"at least {least:g}" if most is None else f"from {least:g} to {most:g}"
        yield key, f"`{key}` is {value:g}; it must be {limits}"
    if isinstance(part, model.CircuitBreaker):
        yield from _at_odds(part)
    if isinstance(part, model.Checkpoint):
        for key in ("count", "interval"):
            if part.policy == key and getattr(part, key) is None:
                yield "policy", f"`policy` is {key}, and `{key}` does not say {_amount[key]}"


_amount = {"count": "after how many completions", "interval": "after what time"}


def _at_odds(breaker: model.CircuitBreaker) -> Iterator[tuple[str, str]]:
    """What a breaker is told that cannot be meant, each by itself being in its range."""
    least = breaker.minimum_throughput
    if breaker.window is not None and breaker.window < least:
        yield "window", f"`window` is {breaker.window}, and `minimumThroughput` is {least}: it would never open"
    if breaker.slow_call_threshold is not None and breaker.slow_call is None:
        yield "slowCallThreshold", "`slowCallThreshold` says nothing without `slowCall`: from when on is a call slow?"


_attributes = {
    struct: dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True)) for struct in ranges
}
