"""The spellings of a resilience file to the one that its model has, by the rules by which a workflow's are."""

from __future__ import annotations

from typing import Any

from mainspring.definition.findings import Pointer
from mainspring.definition.policies_spelling import (
    failure_policies,
    impacts,
    respell_fallback_actions,
    respell_limits,
    respell_retry,
    retry_shorthand,
)
from mainspring.definition.resilience_file import ResilienceConfig, ResilienceSpec, StepPolicy
from mainspring.definition.respell import Respelling, as_list
from mainspring.definition.vocabulary import Words, duration_fields, plain, retry_shorthands

_file = Words(ResilienceConfig, {})
_spec = Words(
    ResilienceSpec,
    {
        "defaultFailurePolicy": "failurePolicy",
        "retry": "retryPolicy defaultRetry defaultRetryPolicy",
        "stepPolicies": "nodePolicies policies",
    },
)
_policy = Words(
    StepPolicy,
    {
        "match": "matches appliesTo",
        "isCritical": "critical",
        "failureImpact": "impact",
        "retry": "retryPolicy",
        "fallbackActions": "fallbacks",
        "circuitBreaker": "circuitBreakerPolicy",
        "strategy": "retryStrategy backoff",
    },
    retry_shorthands,
)
words = (_file, _spec, _policy)


def respell_file(tree: dict[str, Any], to: Respelling) -> dict[str, Any]:
    """A resilience file with canonical names throughout."""
    result = to.keys(tree, _file, ())
    if isinstance(result.get("kind"), str) and plain(result["kind"]) == "workflowresilienceconfig":
        result["kind"] = "WorkflowResilienceConfig"
    if isinstance(result.get("spec"), dict):
        result["spec"] = respell_spec(result["spec"], to, ("spec",))
    return result


def respell_spec(value: dict[str, Any], to: Respelling, at: Pointer) -> dict[str, Any]:
    """The rules of a file, or of a workflow that has them with it."""
    result = to.keys(value, _spec, at)
    to.word(result, "defaultFailurePolicy", failure_policies, at)
    if "retry" in result:
        result["retry"] = respell_retry(result["retry"], to, (*at, "retry"))
    policies = result.get("stepPolicies")
    if isinstance(policies, dict):
        here = (*at, "stepPolicies")
        result["stepPolicies"] = {name: _respell_policy(item, to, (*here, name)) for name, item in policies.items()}
    return result


def _respell_policy(value: Any, to: Respelling, at: Pointer) -> Any:
    if not isinstance(value, dict):
        return value
    result = to.keys(value, _policy, at)
    retry_shorthand(result, at, result, at, to)
    if "retry" in result:
        result["retry"] = respell_retry(result["retry"], to, (*at, "retry"))
    if "match" in result:
        result["match"] = as_list(result["match"])
    to.word(result, "failurePolicy", failure_policies, at)
    to.word(result, "failureImpact", impacts, at)
    to.durations(result, duration_fields[StepPolicy], at)
    respell_fallback_actions(result, to, at)
    respell_limits(result, to, at)
    return result
