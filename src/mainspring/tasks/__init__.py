"""The work a node does: functions, scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.messaging.task import Output
from mainspring.tasks.fault import Fatal
from mainspring.tasks.registry import task

if TYPE_CHECKING:
    from mainspring.tasks.context import CompensationContext, TaskContext
    from mainspring.tasks.declaring import node_kind

__all__ = ["CompensationContext", "Fatal", "Output", "TaskContext", "node_kind", "task"]


def __getattr__(name: str) -> Any:
    if name in ("CompensationContext", "TaskContext"):
        from mainspring.tasks import context

        return getattr(context, name)
    if name == "node_kind":
        from mainspring.tasks.declaring import node_kind

        return node_kind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
