"""Recorded executions of scientific workflows (WfCommons' WfFormat 1.5, and 1.4) as workflows of delays.

Each task becomes a node that waits as long as the task ran, times a scale: the shape and the rhythm of real work,
without the work.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mainspring.definition.findings import Finding
from mainspring.definition.model import Connection, Node, Workflow
from mainspring.errors import DefinitionError


def read(path: str | Path) -> dict[str, Any]:
    """A WfFormat file's content. Raises DefinitionError with the place of a fault in its JSON."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DefinitionError([_finding(error.msg, file=str(path), line=error.lineno, column=error.colno)]) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError([_finding(f"no JSON text: {error}", file=str(path))]) from None
    if not isinstance(document, dict):
        raise DefinitionError([_finding("a WfFormat file holds an object", file=str(path))])
    return document


def convert(document: dict[str, Any], *, time_scale: float, name: str) -> Workflow:
    """The workflow of a recorded execution. Raises DefinitionError with all that is wrong."""
    if not math.isfinite(time_scale) or time_scale < 0:
        raise DefinitionError([_finding(f"the time scale is a number from 0 on, not {time_scale}")])
    findings: list[Finding] = []
    tasks = _tasks(document, findings)
    runtimes = _runtimes(document, tasks, findings)
    edges = _edges(tasks, findings)
    if not findings:
        cycle = _cycle(tasks, edges)
        if cycle:
            findings.append(_finding(f"the tasks form a cycle: {' -> '.join(cycle)}"))
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
        metadata={"id": key, "runtimeInSeconds": runtime},
    )


def _tasks(document: dict[str, Any], findings: list[Finding]) -> dict[str, dict[str, Any]]:
    """The tasks by id, in the file's order."""
    workflow = _object(document.get("workflow"))
    specification = _object(workflow.get("specification"))
    listed = specification.get("tasks", workflow.get("tasks", workflow.get("jobs")))
    if not isinstance(listed, list) or not listed:
        findings.append(_finding("no tasks: neither workflow.specification.tasks nor workflow.tasks is a list of some"))
        return {}
    tasks: dict[str, dict[str, Any]] = {}
    for index, task in enumerate(listed):
        key = _key(task)
        if key is None:
            findings.append(_finding(f"task {index} has no id"))
        elif key in tasks:
            findings.append(_finding(f"two tasks have the id `{key}`"))
        else:
            tasks[key] = task
    return tasks


def _runtimes(
    document: dict[str, Any], tasks: dict[str, dict[str, Any]], findings: list[Finding]
) -> dict[str, float]:
    executed = _object(_object(document.get("workflow")).get("execution")).get("tasks")
    recorded: dict[str, Any] = dict(tasks)
    if isinstance(executed, list):
        seen: set[str] = set()
        for run in executed:
            key = _key(run)
            if key is None or key not in tasks:
                findings.append(_finding(f"the execution has a task `{key}` that the specification does not know"))
            elif key in seen:
                findings.append(_finding(f"the execution has the task `{key}` twice"))
            else:
                seen.add(key)
                recorded[key] = run
    runtimes: dict[str, float] = {}
    for key, run in recorded.items():
        value = run.get("runtimeInSeconds", run.get("runtime"))
        if value is None:
            findings.append(_finding(f"task `{key}` has no runtimeInSeconds"))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            findings.append(_finding(f"task `{key}`: its runtime is a number of seconds from 0 on, not {value!r}"))
        else:
            runtimes[key] = value
    return runtimes


def _edges(tasks: dict[str, dict[str, Any]], findings: list[Finding]) -> list[tuple[str, str]]:
    """What parents and children say, each edge once."""
    edges: dict[tuple[str, str], None] = {}
    for key, task in tasks.items():
        for role in ("parents", "children"):
            others = task.get(role) or []
            if not isinstance(others, list):
                findings.append(_finding(f"task `{key}`: {role} is a list of ids"))
                continue
            for other in others:
                if not isinstance(other, str) or other not in tasks:
                    findings.append(_finding(f"task `{key}` names `{other}` among its {role}: there is no such task"))
                else:
                    edges[(other, key) if role == "parents" else (key, other)] = None
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


def _finding(message: str, **place: Any) -> Finding:
    return Finding(code="wfformat", message=message, **place)
