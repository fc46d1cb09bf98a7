"""The Python door: `ms.Workflow("order", nodes=[…])` is a checked definition, as `ms.load` gives one of a file."""

from __future__ import annotations

from os import PathLike
from typing import Unpack

from mainspring.definition.builder import WorkflowFields, WorkflowPart
from mainspring.definition.load import Definition, read_python
from mainspring.graph.check import checked


class Workflow(Definition):
    """A workflow made in Python. Raises DefinitionError with everything that is wrong with it, each at its line.

    `.workflow` is the model that all doors lead to; `folder` is where relative paths of scripts start.
    """

    __slots__ = ()

    def __init__(self, id: str, *, folder: str | PathLike[str] = "", **fields: Unpack[WorkflowFields]) -> None:
        made = checked(read_python(WorkflowPart({"id": id, **fields}), str(folder)))
        super().__init__(made.workflow, made.folder, made.source, made.warnings)
