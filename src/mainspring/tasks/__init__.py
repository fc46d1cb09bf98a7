"""The work a node does: functions, scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.messaging.task import Output
from mainspring.tasks.fault import Fatal
from mainspring.tasks.registry import task

if TYPE_CHECKING:
    from mainspring.tasks.context import TaskContext

__all__ = ["Fatal", "Output", "TaskContext", "task"]


def __getattr__(name: str) -> Any:
    if name == "TaskContext":
        from mainspring.tasks.context import TaskContext

        return TaskContext
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
