"""mainspring: a durable, message-driven workflow engine. `import mainspring as ms`.

Names are imported when they are first used, so that `import mainspring` and `mainspring --version` cost next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mainspring.assembly import Engine, run
    from mainspring.definition.builder import (
        Body,
        Cache,
        CircuitBreaker,
        Connection,
        Join,
        Node,
        RateLimit,
        Resilience,
        Resources,
        Retry,
    )
    from mainspring.definition.load import Definition
    from mainspring.engine.engine import Run
    from mainspring.engine.following import Behind, Followed
    from mainspring.engine.result import InstanceResult, NodeResult, Recorded
    from mainspring.engine.retention import Retention, RetentionRule
    from mainspring.engine.settings import EngineSettings
    from mainspring.errors import (
        CommandRefused,
        DefinitionError,
        HandlerNotFound,
        InputInvalid,
        MainspringError,
        NotOwner,
        PayloadError,
        StoreError,
        StoreHeld,
        UnknownInstance,
        UnknownMoment,
    )
    from mainspring.graph.analysis.processed import ProcessedWorkflow
    from mainspring.graph.analysis.workflow_graph import WorkflowGraph
    from mainspring.graph.check import load, loads
    from mainspring.graph.workflow import Workflow
    from mainspring.messaging.task import Output
    from mainspring.tasks import CompensationContext, Fatal, TaskContext, node_kind, task
    from mainspring.tasks.saving import save, to_json, to_python, to_yaml

_WHERE = {
    "Engine": "mainspring.assembly",
    "run": "mainspring.assembly",
    "Body": "mainspring.definition.builder",
    "Cache": "mainspring.definition.builder",
    "CircuitBreaker": "mainspring.definition.builder",
    "Connection": "mainspring.definition.builder",
    "Join": "mainspring.definition.builder",
    "Node": "mainspring.definition.builder",
    "RateLimit": "mainspring.definition.builder",
    "Resilience": "mainspring.definition.builder",
    "Resources": "mainspring.definition.builder",
    "Retry": "mainspring.definition.builder",
    "Definition": "mainspring.definition.load",
    "Run": "mainspring.engine.engine",
    "Behind": "mainspring.engine.following",
    "Followed": "mainspring.engine.following",
    "InstanceResult": "mainspring.engine.result",
    "NodeResult": "mainspring.engine.result",
    "Recorded": "mainspring.engine.result",
    "EngineSettings": "mainspring.engine.settings",
    "Retention": "mainspring.engine.retention",
    "RetentionRule": "mainspring.engine.retention",
    "CommandRefused": "mainspring.errors",
    "DefinitionError": "mainspring.errors",
    "HandlerNotFound": "mainspring.errors",
    "InputInvalid": "mainspring.errors",
    "MainspringError": "mainspring.errors",
    "NotOwner": "mainspring.errors",
    "PayloadError": "mainspring.errors",
    "StoreError": "mainspring.errors",
    "StoreHeld": "mainspring.errors",
    "UnknownInstance": "mainspring.errors",
    "UnknownMoment": "mainspring.errors",
    "ProcessedWorkflow": "mainspring.graph.analysis.processed",
    "WorkflowGraph": "mainspring.graph.analysis.workflow_graph",
    "load": "mainspring.graph.check",
    "loads": "mainspring.graph.check",
    "Workflow": "mainspring.graph.workflow",
    "Output": "mainspring.messaging.task",
    "CompensationContext": "mainspring.tasks",
    "Fatal": "mainspring.tasks",
    "TaskContext": "mainspring.tasks",
    "node_kind": "mainspring.tasks",
    "task": "mainspring.tasks",
    "save": "mainspring.tasks.saving",
    "to_json": "mainspring.tasks.saving",
    "to_python": "mainspring.tasks.saving",
    "to_yaml": "mainspring.tasks.saving",
}

__all__ = [
    "Behind",
    "Body",
    "Cache",
    "CircuitBreaker",
    "CommandRefused",
    "CompensationContext",
    "Connection",
    "Definition",
    "DefinitionError",
    "Engine",
    "EngineSettings",
    "Fatal",
    "Followed",
    "HandlerNotFound",
    "InputInvalid",
    "InstanceResult",
    "Join",
    "MainspringError",
    "Node",
    "NodeResult",
    "NotOwner",
    "Output",
    "PayloadError",
    "ProcessedWorkflow",
    "RateLimit",
    "Recorded",
    "Resilience",
    "Resources",
    "Retention",
    "RetentionRule",
    "Retry",
    "Run",
    "StoreError",
    "StoreHeld",
    "TaskContext",
    "UnknownInstance",
    "UnknownMoment",
    "Workflow",
    "WorkflowGraph",
    "__version__",
    "load",
    "loads",
    "node_kind",
    "run",
    "save",
    "task",
    "to_json",
    "to_python",
    "to_yaml",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "testing":  # `ms.testing.check` needs no import of its own
        return import_module("mainspring.testing")
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'mainspring' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(where), name)
    return value
