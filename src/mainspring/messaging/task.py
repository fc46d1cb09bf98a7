"""What the engine and the code that does a node's work say to each other.

The engine prepares a node once per plan (`TaskKind.prepare`) and then invokes what came back once per attempt. All that
is slow or can be wrong about a node as such (finding the callable, reading its signature, checking a script's path)
happens in `prepare`; `invoke` is on the hot path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from mainspring.definition.model import Node
from mainspring.machine.inputs import TaskFault

__all__ = ["FaultDescriber", "Output", "PreparedTask", "ProgressReport", "TaskCall", "TaskFault", "TaskKind", "decode"]

ProgressReport = Callable[[float, str], None]


class Output(Struct, frozen=True):
    """What a task returns to leave by a named port: `return ms.Output(value, port="invalid")`."""

    value: Any = None
    port: str | None = None


class TaskCall(Struct, gc=False):
    """One attempt at a node's work.

    `input` and `variables` are the journaled JSON, so each task decodes an object of its own. A task that sets
    variables leaves them in `variables_set`; `report` takes its progress (0 to 100, and a text). `config` is a custom kind's
    node's, as JSON, its templates evaluated (empty for all others: they are prepared with theirs). `compensation` is the JSON
    of the CompensationContext (empty: the attempt undoes nothing).
    """

    instance: str
    path: str
    run: int
    attempt: int
    idempotency_key: str
    input: bytes
    variables: bytes
    report: ProgressReport
    max_attempts: int = 1
    variables_set: dict[str, Any] | None = None
    config: bytes = b""
    compensation: bytes = b""


class PreparedTask(Protocol):
    """A node's work, ready to be done any number of times."""

    def invoke(self, call: TaskCall) -> Awaitable[Any]:
        """Begin one attempt. The awaitable gives the output (bare, or an `Output`) or raises.

        Cancelling whoever awaits it must stop the work (a thread's work is abandoned: it cannot be stopped).
        """
        ...


class TaskKind(Protocol):
    """A kind of node whose work is done outside the machine."""

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        """Find the node's code. `folder` is where its definition was read: relative paths start there, and it is importable.

        What comes back may serve all nodes of this type and configuration in the folder. Raises HandlerNotFound where the
        code cannot be found in this process, DefinitionError where the node's configuration is wrong.
        """
        ...

    def close(self) -> None:
        """The engine stops: let threads and processes go."""
        ...


class FaultDescriber(Protocol):
    """How an exception becomes the record that is kept of it."""

    def __call__(self, error: BaseException) -> TaskFault: ...


def decode(raw: bytes) -> Any:
    """A journaled value as Python objects, new at each call (SEMANTICS 7)."""
    return msgspec.json.decode(raw)
