"""The workflows that a workflow's subflows start, as far as files tell: a child lies in its parent's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from mainspring.definition.bodies import bodies
from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.kind_keys import SELF
from mainspring.definition.load import Definition
from mainspring.definition.model import Node, Workflow
from mainspring.graph.check import load
from mainspring.graph.plan_waits import child_name, children_named, starts_child

SUFFIXES = (".yaml", ".yml", ".json")


def file_of(name: str, folder: str) -> Path | None:
    """The file that a child's id is that of: `<id>.yaml`, `.yml` or `.json` in its parent's folder."""
    id = name.partition("@")[0]
    if not folder or "/" in id or "\\" in id or id.startswith("."):
        return None
    return next((path for suffix in SUFFIXES if (path := Path(folder) / f"{id}{suffix}").is_file()), None)


def in_folder(name: str, folder: str) -> Definition | None:
    """The definition of a child, read from its file; None where there is none of this id and version.

    Raises DefinitionError where the file is no good.
    """
    path = file_of(name, folder)
    found = None if path is None else load(path)
    return found if found is not None and is_named(found.workflow, name) else None


def is_named(workflow: Workflow, name: str) -> bool:
    """Whether a workflow is meant by `id` or `id@version`."""
    id, told, version = name.partition("@")
    return workflow.id == id and (not told or str(workflow.version) == version)


def family_of(definition: Definition) -> list[Definition]:
    """All that can be found in folders of what a definition's subflows start, and theirs: each once, without itself.

    The rules of a resilience file that hold for it hold for them too, where they have none of their own.
    Raises DefinitionError where a file is no good.
    """
    found: dict[str, Definition] = {}
    line, rules = [definition], definition.workflow.resilience
    for parent in line:
        for name in children_named(parent.workflow.nodes):
            if name not in found and not is_named(definition.workflow, name):
                child = in_folder(name, parent.folder)
                if child is not None:
                    if child.workflow.resilience is None and rules is not None:
                        child = Definition(replace(child.workflow, resilience=rules), child.folder, child.source)
                    found[name] = child
                    line.append(child)
    return list(found.values())


def named_at(workflow: Workflow) -> Iterator[tuple[str, Pointer]]:
    """What the subflows call the workflows that they start, and where in the document."""
    yield from _named(workflow.nodes, ())


def _named(nodes: tuple[Node, ...], at: Pointer) -> Iterator[tuple[str, Pointer]]:
    for index, node in enumerate(nodes):
        here = (*at, "nodes", index)
        if starts_child(node) and child_name(node.config) != SELF:
            yield child_name(node.config), (*here, "config", "workflow")
        for way, body in bodies(node):
            yield from _named(body.nodes, (*here, *way))


def missing_children(workflow: Workflow, known: set[str]) -> list[Finding]:
    """One finding for each subflow whose workflow is not among those that are known."""
    return [
        finding(
            "MS281", f"no workflow `{name}` is known", at, f"put it into `{name.partition('@')[0]}.yaml` beside this"
        )
        for name, at in named_at(workflow)
        if name not in known and not is_named(workflow, name)
    ]
