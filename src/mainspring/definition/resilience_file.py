"""A resilience file: what failures mean, for the workflows that it is applied to.

It stands below what a workflow and its nodes say themselves (SEMANTICS 35), and above what mainspring does by default.
"""

from __future__ import annotations

from typing import Any, Literal

from mainspring.definition.model import Part, ResilienceSpec, StepPolicy

__all__ = ["ResilienceConfig", "ResilienceSpec", "StepPolicy"]


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
