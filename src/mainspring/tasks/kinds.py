"""The kinds of node whose work is done outside the machine."""

from __future__ import annotations

from mainspring.messaging.task import TaskKind
from mainspring.tasks.function import FunctionKind
from mainspring.tasks.script import ScriptKind


def task_kinds() -> dict[str, TaskKind]:
    """One of each, by the type of node that it serves."""
    return {"function": FunctionKind(), "script": ScriptKind()}
