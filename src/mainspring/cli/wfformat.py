"""Recorded executions of scientific workflows (WfCommons' WfFormat 1.5, and 1.4) as workflows of delays.

Each task becomes a node that waits as long as the task ran, times a scale: the shape and the rhythm of real work,
without the work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import structs

from mainspring.definition.findings import Finding, Pointer, finding
from mainspring.definition.json_door import read_json
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.definition.places import Locator
from mainspring.errors import DefinitionError


def read(path: str | Path) -> dict[str, Any]:
    """A WfFormat file's content. Raises DefinitionError with the place of a fault in its JSON."""
    tree, findings = read_json(_text(path))
    if not findings and not isinstance(tree, dict):
        findings = [finding("MS102", "a WfFormat file holds an object")]
    if findings:
        raise DefinitionError([structs.replace(each, file=str(path)) for each in findings])
    document: dict[str, Any] = tree
    return document


def load(path: str | Path, *, time_scale: float, name: str) -> Workflow:
    """Read and convert a file; what is wrong is told with its line and column."""
    document = read(path)
    try:
        return convert(document, time_scale=time_scale, name=name)
    except DefinitionError as error:
        raise DefinitionError(_placed(error.findings, path)) from None


def _placed(findings: Iterable[Finding], path: str | Path) -> list[Finding]:
    locator, found = Locator(_text(path), "json"), list(findings)
    locator.expect(each.pointer for each in found)
    placed = []
    for each in found:
        place = locator(each.pointer)
        placed.append(structs.replace(each, file=str(path), line=place.line, column=place.column))
    return placed


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DefinitionError([structs.replace(finding("MS001", str(error)), file=str(path))]) from None
    except UnicodeDecodeError as error:
        raise DefinitionError([structs.replace(finding("MS003", str(error)), file=str(path))]) from None


def convert(document: dict[str, Any], *, time_scale: float, name: str) -> Workflow:
    """The workflow of a recorded execution. Raises DefinitionError with all that is wrong."""
    if not math.isfinite(time_scale) or time_scale < 0:
        raise DefinitionError([finding("MS219", f"the time scale is a number from 0 on, not {time_scale}")])
    findings: list[Finding] = []
    tasks, places = _tasks(document, findings)
    runtimes = _runtimes(document, tasks, places, findings)
    edges = _edges(tasks, places, findings)
    cycle = [] if findings else _cycle(tasks, edges)
    if cycle:
        findings.append(finding("MS209", f"the tasks form a cycle: {' -> '.join(cycle)}", places[cycle[0]]))
    if findings:
        raise DefinitionError(findings)
    ids = _legal_ids(tasks)
    return Workflow(
        id=_legal(name),
        name=name,
        nodes=tuple(_node(key, ids[key], task, runtimes[key], time_scale) for key, task in tasks.items()),
        connections=tuple(Connection(source=ids[source], target=ids[target]) for source, target in edges),
        metadata={"wfformat": str(document.get("schemaVersion", "")), "timeScale": time_scale},
    )


def _node(key: str, node_id: str, task: dict[str, Any], runtime: float, time_scale: float) -> Node:
    milliseconds = math.floor(runtime * time_scale * 1_000 + 0.5)
    return Node(
        id=node_id,
        type="delay",
        name=str(task.get("name") or key),
        config={"duration": f"{milliseconds}ms"},
        # A delay hands its input on: without this every join would nest all that came before it.
        input={"task": key},
        metadata={"id": key, "runtimeInSeconds": runtime},
    )


Tasks = dict[str, dict[str, Any]]
Pointers = dict[str, Pointer]


def _tasks(document: dict[str, Any], findings: list[Finding]) -> tuple[Tasks, Pointers]:
    """The tasks by id, in the file's order, and where each stands."""
    tasks: Tasks = {}
    places: Pointers = {}
    listed, pointer = _listed(document)
    if not listed:
        message = "no tasks: neither workflow.specification.tasks nor workflow.tasks is a list of some"
        findings.append(finding("MS201", message, ("workflow",)))
    for index, task in enumerate(listed):
        key, place = _key(task), (*pointer, index)
        if key is None:
            findings.append(finding("MS101", f"task {index} has no id", place))
        elif key in tasks:
            findings.append(finding("MS203", f"two tasks have the id `{key}`", place))
        else:
            tasks[key], places[key] = task, place
    return tasks, places


def _listed(document: dict[str, Any]) -> tuple[list[Any], Pointer]:
    workflow = _object(document.get("workflow"))
    for pointer in (("specification", "tasks"), ("tasks",), ("jobs",)):
        owner = _object(workflow.get(pointer[0])) if len(pointer) == 2 else workflow
        tasks = owner.get(pointer[-1])
        if isinstance(tasks, list):
            return tasks, ("workflow", *pointer)
    return [], ("workflow",)


def _runtimes(document: dict[str, Any], tasks: Tasks, places: Pointers, findings: list[Finding]) -> dict[str, float]:
    """What each task took: recorded apart since 1.5, with the task before."""
    executed = _object(_object(document.get("workflow")).get("execution")).get("tasks")
    recorded = dict(tasks)
    places = dict(places)
    seen: set[str] = set()
    for index, run in enumerate(executed if isinstance(executed, list) else ()):
        key, place = _key(run) or "", ("workflow", "execution", "tasks", index)
        if key not in tasks:
            findings.append(finding("MS207", f"the execution has a task `{key}` that is not specified", place))
        elif key in seen:
            findings.append(finding("MS203", f"the execution has the task `{key}` twice", place))
        else:
            seen.add(key)
            recorded[key], places[key] = run, place
    runtimes: dict[str, float] = {}
    for key, run in recorded.items():
        value = run.get("runtimeInSeconds", run.get("runtime"))
        if value is None:
            findings.append(finding("MS101", f"task `{key}` has no runtimeInSeconds", places[key]))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            message = f"task `{key}`: its runtime is a number of seconds from 0 on, not {value!r}"
            findings.append(finding("MS219", message, (*places[key], "runtimeInSeconds")))
        else:
            runtimes[key] = value
    return runtimes


def _edges(tasks: Tasks, places: Pointers, findings: list[Finding]) -> list[tuple[str, str]]:
    """What parents and children say, each edge once."""
    edges: dict[tuple[str, str], None] = {}
    for key, task in tasks.items():
        for role in ("parents", "children"):
            others = task.get(role) or []
            if not isinstance(others, list):
                findings.append(finding("MS102", f"task `{key}`: {role} is a list of ids", (*places[key], role)))
                continue
            for index, other in enumerate(others):
                if isinstance(other, str) and other in tasks:
                    edges[(other, key) if role == "parents" else (key, other)] = None
                    continue
                message = f"task `{key}` names `{other}` among its {role}: there is no such task"
                findings.append(finding("MS207", message, (*places[key], role, index)))
    return list(edges)


def _cycle(tasks: Iterable[str], edges: list[tuple[str, str]]) -> list[str]:
    """One cycle, spelled out, its first task again at the end; empty where there is none."""
    parents: dict[str, list[str]] = {key: [] for key in tasks}
    children: dict[str, list[str]] = {key: [] for key in parents}
    for source, target in edges:
        parents[target].append(source)
        children[source].append(target)
    waiting = {key: len(each) for key, each in parents.items()}
    ready = [key for key, count in waiting.items() if count == 0]
    while ready:
        key = ready.pop()
        del waiting[key]
        for child in children[key]:
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    if not waiting:
        return []
    # Whatever still waits has a parent that waits: going up must come back to a task already seen.
    path = [next(iter(waiting))]
    while path[-1] not in path[:-1]:
        path.append(next(parent for parent in parents[path[-1]] if parent in waiting))
    return path[path.index(path[-1]) :][::-1]


def _legal_ids(tasks: Iterable[str]) -> dict[str, str]:
    """A legal node id for each task. Those that are legal as they stand keep theirs."""
    keys = list(tasks)
    taken = {key for key in keys if _legal(key) == key}
    ids: dict[str, str] = {}
    for key in keys:
        candidate, count = _legal(key), 1
        while candidate != key and candidate in taken:
            count += 1
            candidate = f"{_legal(key)}-{count}"
        taken.add(candidate)
        ids[key] = candidate
    return ids


def _legal(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_:-]", "_", text) or "_"


def _key(task: Any) -> str | None:
    key = _object(task).get("id", _object(task).get("name"))
    return key if isinstance(key, str) and key else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
