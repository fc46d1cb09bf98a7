"""The kinds of node whose work is done outside the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mainspring.definition.model import Node
from mainspring.definition.vocabulary import node_types
from mainspring.messaging.task import PreparedTask, TaskKind
from mainspring.tasks.function import FunctionKind
from mainspring.tasks.script import ScriptKind

CUSTOM = "*"
"""In the place of a type: all that are not mainspring's own."""


class CustomKinds:
    """Serves all kinds that are not mainspring's own, by the threads and processes of the function nodes."""

    def __init__(self, functions: FunctionKind) -> None:
        self._functions = functions

    def prepare(self, node: Node, folder: str) -> PreparedTask:
        """The work of a node's kind. Raises HandlerNotFound where nobody here declares it."""
        from mainspring.tasks.custom import prepared  # for those who use one

        return prepared(node, self._functions)

    def close(self) -> None:
        """Let the threads and processes go."""
        self._functions.close()


class TaskKinds(Mapping[str, TaskKind]):
    """What serves each type of node. Which custom kinds there are is looked up when a node asks: plugins come at any time."""

    def __init__(self, kinds: Mapping[str, TaskKind]) -> None:
        self._kinds = dict(kinds)

    def __getitem__(self, type: str) -> TaskKind:
        return self._kinds[type if type in self._kinds or type in node_types else CUSTOM]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def task_kinds(more: Mapping[str, TaskKind] | None = None) -> TaskKinds:
    """One of each, with `more` (and instead of ours, those of the same type)."""
    functions = FunctionKind()
    own: dict[str, TaskKind] = {"function": functions, "script": ScriptKind(), CUSTOM: CustomKinds(functions)}
    return TaskKinds({**own, **(more or {})})
