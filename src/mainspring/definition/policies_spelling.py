"""The spellings of what nodes and workflows say about failures, limits and joins."""

from __future__ import annotations

from typing import Any

from mainspring.definition import model, vocabulary
from mainspring.definition.findings import Pointer
from mainspring.definition.respell import Respelling, as_list
from mainspring.definition.vocabulary import Choice, Words, duration_fields

strategies = Choice({"none": "noRetry", "fixed": "constant", "linear": "", "exponential": "exponentialBackoff exp"})
presets: dict[str, dict[str, Any]] = {
    "default": {},
    "strict": {"strategy": "fixed", "maxAttempts": 2, "initialDelay": 1_000, "jitter": 0},
}
"""What a `retry` may be called: three attempts, further and further apart; or one more, after exactly a second."""

failure_policies = Choice(dict.fromkeys(("continue", "fail_fast", "partial_success", "graceful_degradation"), ""))
impacts = Choice(dict.fromkeys(("critical", "major", "minor", "negligible"), ""))
priorities = Choice(dict.fromkeys(("high", "normal", "low"), ""))
join_kinds = Choice({**dict.fromkeys(("all", "any", "each", "ports"), ""), "n": "nOfM"})
checkpoint_policies = Choice(dict.fromkeys(("each", "count", "interval", "manual"), ""))
compensation_scopes = Choice({"branch": "perBranch", "workflow": ""})


def respell_retry(value: Any, to: Respelling, at: Pointer) -> Any:
    if isinstance(value, str) and vocabulary.plain(value) in presets:
        return dict(presets[vocabulary.plain(value)])
    if isinstance(value, str):
        value = {"strategy": value}
        to.moved((*at, "strategy"), to.origin(at))
    elif type(value) is int:
        value = {"maxAttempts": value}
        to.moved((*at, "maxAttempts"), to.origin(at))
    elif value is False:
        value = {"strategy": "none"}
    if not isinstance(value, dict):
        return value
    result = to.keys(value, vocabulary.retry, at)
    _retries_to_attempts(result, to, at)
    to.word(result, "strategy", strategies, at)
    to.durations(result, duration_fields[model.Retry], at)
    if isinstance(result.get("jitter"), bool):
        result["jitter"] = 0.25 if result["jitter"] else 0.0
    for name in ("retryOn", "doNotRetryOn"):
        if name in result:
            result[name] = as_list(result[name])
    return result


def _retries_to_attempts(result: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """maxRetries counts the tries after the first, maxAttempts the first too."""
    if "maxRetries" not in result:
        return
    retries = result.pop("maxRetries")
    if "maxAttempts" in result:
        to.report("MS106", "`maxRetries` and `maxAttempts` say the same", (*at, "maxRetries"), "leave one out")
        return
    to.moved((*at, "maxAttempts"), to.origin((*at, "maxRetries")))
    result["maxAttempts"] = retries + 1 if type(retries) is int else retries


def respell_resilience(node: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """A node's `resilience`, whose maxRetries and retryDelay become its `retry`."""
    here = (*at, "resilience")
    if isinstance(node["resilience"], str):
        to.moved((*here, "policy"), to.origin(here))
        node["resilience"] = {"policy": node["resilience"]}
    if not isinstance(node["resilience"], dict):
        return
    result = to.keys(node["resilience"], vocabulary.resilience, here)
    retry_shorthand(result, here, node, at, to)
    to.word(result, "failurePolicy", failure_policies, here)
    to.word(result, "failureImpact", impacts, here)
    respell_fallback_actions(result, to, here)
    if result or not node["resilience"]:
        node["resilience"] = result
    else:  # all it said was how to retry
        del node["resilience"]


def retry_shorthand(said: dict[str, Any], said_at: Pointer, owner: dict[str, Any], at: Pointer, to: Respelling) -> None:
    """maxRetries, retryDelay and strategy, wherever said, are the `retry` of the owner."""
    taken = {name: said.pop(name) for name in ("maxRetries", "retryDelay", "strategy") if name in said}
    if not taken:
        return
    if "retry" in owner:
        what = said_at[-1] if said_at != at else next(iter(taken))
        to.report("MS106", f"`{what}` and `retry` both say how to retry", (*at, "retry"), "leave one out")
        return
    spelled: dict[str, Any] = {"strategy": "fixed"}
    for name, value in taken.items():
        to.moved((*at, "retry", name), to.origin((*said_at, name)))
        spelled[name] = value
    if said_at != at:
        to.moved((*at, "retry"), to.origin(said_at))
    if "retryDelay" in taken:
        to.moved((*at, "retry", "initialDelay"), to.origin((*said_at, "retryDelay")))
        spelled["initialDelay"] = spelled.pop("retryDelay")
    owner["retry"] = spelled


def respell_fallback_actions(owner: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """Each action by its type, in place."""
    actions = owner.get("fallbackActions")
    if isinstance(actions, list):
        owner["fallbackActions"] = [
            _typed(action, vocabulary.fallback_action, to, (*at, "fallbackActions", index))
            for index, action in enumerate(actions)
        ]


def _typed(value: Any, words: Words, to: Respelling, at: Pointer) -> Any:
    """`{type: X, …}`: what is not a field of its own is its config."""
    if isinstance(value, str):
        to.moved((*at, "type"), to.origin(at))
        return {"type": value}
    if not isinstance(value, dict):
        return value
    result = to.keys(value, words, at)
    rest = {name: result.pop(name) for name in list(result) if name not in words.canonical}
    config = result.get("config", {})
    if rest and isinstance(config, dict):
        for name in rest:
            to.moved((*at, "config", name), (*to.origin(at), name))
        result["config"] = {**rest, **config}
    return result


def respell_triggers(value: Any, to: Respelling, at: Pointer) -> Any:
    if not isinstance(value, list):
        return value
    return [_typed(item, vocabulary.trigger_spec, to, (*at, index)) for index, item in enumerate(value)]


def respell_join(value: Any, to: Respelling, at: Pointer) -> Any:
    """`any`, `{n: 2}`, `{any: true, cancelOthers: true}`, `{all: …}` and `{kind: …}` are one."""
    if isinstance(value, str):
        value = {"kind": value}
        to.moved((*at, "kind"), to.origin(at))
    elif type(value) is int:
        value = {"n": value}
    if not isinstance(value, dict):
        return value
    result = to.keys(value, vocabulary.join, at)
    for kind in ("all", "any", "each", "ports"):
        said = result.pop(kind, None)
        if said is not None and said is not False:
            result.setdefault("kind", kind)
            if isinstance(said, dict):
                result.update((name, item) for name, item in said.items() if name not in result)
    if "n" in result:
        result.setdefault("kind", "n")
    to.word(result, "kind", join_kinds, at)
    return result


def respell_checkpoint(value: Any, to: Respelling, at: Pointer) -> Any:
    if isinstance(value, str):
        value = {"policy": value}
        to.moved((*at, "policy"), to.origin(at))
    if not isinstance(value, dict):
        return value
    result = to.keys(value, vocabulary.checkpoint, at)
    to.word(result, "policy", checkpoint_policies, at)
    to.durations(result, duration_fields[model.Checkpoint], at)
    return result


def respell_invariants(value: Any, to: Respelling, at: Pointer) -> Any:
    """One of them or a list; each an expression, or an object of it and a name."""
    items = value if isinstance(value, list) else [value]
    return [_invariant(item, to, (*at, index)) for index, item in enumerate(items)]


def _invariant(value: Any, to: Respelling, at: Pointer) -> Any:
    if isinstance(value, str | bool):  # in YAML, `true` is no text
        to.moved((*at, "expression"), to.origin(at))
        return {"expression": value if isinstance(value, str) else str(value).lower()}
    return to.keys(value, vocabulary.invariant, at) if isinstance(value, dict) else value


def respell_check(value: Any, to: Respelling, at: Pointer) -> Any:
    """Keys alone: what is within are values."""
    return to.keys(value, vocabulary.check, at) if isinstance(value, dict) else value


def respell_limits(owner: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """The small objects of a node, in place."""
    if type(owner.get("rateLimit")) in (int, float):
        to.moved((*at, "rateLimit", "rate"), to.origin((*at, "rateLimit")))
        owner["rateLimit"] = {"rate": owner["rateLimit"]}
    for name, struct, words in (
        ("circuitBreaker", model.CircuitBreaker, vocabulary.circuit_breaker),
        ("rateLimit", model.RateLimit, vocabulary.rate_limit),
        ("resources", model.Resources, vocabulary.resources),
        ("quotas", model.Resources, vocabulary.resources),
    ):
        if isinstance(owner.get(name), dict):
            owner[name] = to.keys(owner[name], words, (*at, name))
            to.durations(owner[name], duration_fields.get(struct, ()), (*at, name))


def respell_cache(owner: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """`cache: true`, `cache: 10m` and `cache: {key: …, ttl: …}`, in place."""
    given = owner["cache"]
    here = (*at, "cache")
    if given is True:
        owner["cache"] = given = {}
    elif given is False:
        del owner["cache"]
    elif isinstance(given, str) or type(given) is int:
        to.moved((*here, "ttl"), to.origin(here))
        given = {"ttl": given}
    if isinstance(given, dict):
        owner["cache"] = to.keys(given, vocabulary.cache, here)
        to.durations(owner["cache"], duration_fields[model.Cache], here)


def respell_tags(owner: dict[str, Any], to: Respelling, at: Pointer) -> None:
    """`tags` may be one word, and may stand in the metadata."""
    metadata = owner.get("metadata")
    if isinstance(metadata, dict) and "tags" in metadata and "tags" not in owner:
        owner["metadata"] = {name: item for name, item in metadata.items() if name != "tags"}
        owner["tags"] = metadata["tags"]
        to.moved((*at, "tags"), (*to.origin((*at, "metadata")), "tags"))
    if "tags" in owner:
        owner["tags"] = as_list(owner["tags"])
