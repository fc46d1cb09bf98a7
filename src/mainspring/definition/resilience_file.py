"""A resilience file: what failures mean, for the workflows that it is applied to.

It stands below what a workflow and its nodes say themselves (SEMANTICS 35), and above what mainspring does by default.
"""

from __future__ import annotations

from typing import Any, Literal

from mainspring.definition.model import (
    CircuitBreaker,
    FailureImpact,
    FailurePolicy,
    FallbackAction,
    Part,
    RateLimit,
    Retry,
)


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


class ResilienceConfig(Part, frozen=True, kw_only=True):
    """A whole resilience file."""

    kind: Literal["WorkflowResilienceConfig"]
    """Says that this is a resilience file."""
    spec: ResilienceSpec
    """The rules."""
    api_version: Literal["mainspring/v1"] = "mainspring/v1"
    """The version of the file's format."""
    metadata: dict[str, Any] = {}
    """What people want to know of the file: `name` and whatever else."""
